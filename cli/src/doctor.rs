//! `vod doctor`: walks the chain of a local stack link by link, and says which one is broken and how to mend it.
//!
//! Looking changes nothing: the functions get events that are nothing to them, and `reconcile` only looks.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::{Value, json};
use vod_core::cloudfront::Keyring;
use vod_core::record::State;
use vod_local::endpoints::Endpoints;
use vod_local::events::Invoker;
use vod_local::secrets::Secrets;

use crate::signed::Signed;
use crate::stack::Stack;
use crate::{dead_letters, output};

/// No link may keep us waiting for longer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Uploads younger than this may still be on their way.
const GRACE_SECONDS: u32 = 60;

/// Check every link of the local stack, and say how to mend what is broken
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// What was found at one link.
#[derive(Debug, Serialize)]
struct Finding {
    link: &'static str,
    ok: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

/// Runs `vod doctor`. Exit code 1 when something is broken.
pub(crate) async fn run(state: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let findings = examine(state).await;
    if args.json {
        output::json(&findings)?;
    } else {
        for finding in &findings {
            let word = if finding.ok { "ok" } else { "BROKEN" };
            output::line(&format!(
                "{word:7} {:14} {}",
                finding.link,
                output::plain(&finding.detail)
            ))?;
            if let Some(remedy) = finding.remedy {
                output::line(&format!("{:22} to mend it: {remedy}", ""))?;
            }
        }
    }
    let well = findings.iter().all(|finding| finding.ok);
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn examine(state: &Path) -> Vec<Finding> {
    let mut findings = vec![
        link(
            "ffmpeg",
            "install ffmpeg with libx264 and aac: `make up` does it on Debian and Ubuntu",
            ffmpeg(),
        )
        .await,
        link(
            "key",
            "restore secrets.json; without it, stop the stack, remove the file and start again",
            async { key(state) },
        )
        .await,
    ];
    let remedy = "start the stack with `vod up`, or name its folder with --state";
    findings.push(link("endpoints", remedy, async { endpoints(state) }).await);
    let Ok(stack) = Stack::find(state) else {
        return findings;
    };
    let api = link(
        "api",
        "stop and start `vod up`: what endpoints.json tells does not answer",
        api(&stack),
    )
    .await;
    let answers = api.ok;
    findings.push(api);
    if !answers {
        return findings;
    }
    let removed = "stop and start `vod up`: it makes what is missing";
    findings.push(link("bucket", removed, bucket(&stack)).await);
    findings.push(
        link(
            "queue",
            "look at the log of `vod up`: the functions do not keep up",
            queue(&stack),
        )
        .await,
    );
    findings.push(
        link(
            "dead letters",
            "see `vod dead-letters`, mend the cause, then `vod dead-letters redrive`",
            dead(&stack),
        )
        .await,
    );
    for (name, event) in [("submit", test_event()), ("complete", foreign_event())] {
        findings.push(
            link(
                name,
                "look at the log of `vod up` for why it fails",
                invoke(&stack, name, event),
            )
            .await,
        );
    }
    findings.push(
        link(
            "notification",
            "run `vod reconcile`: it sends lost uploads again",
            uploads(&stack),
        )
        .await,
    );
    findings.push(link("mediaconvert", removed, mediaconvert(&stack)).await);
    findings.push(
        link(
            "edge",
            "stop and start `vod up`, and look at its log",
            edge(&stack),
        )
        .await,
    );
    findings.push(
        link(
            "signer",
            "look at the log of `vod up` for why it fails",
            signer(&stack),
        )
        .await,
    );
    findings.push(
        link(
            "playback",
            "make other links; if they fail too, restart `vod up`: the edge must trust the signer's key",
            playback(&stack),
        )
        .await,
    );
    findings
}

async fn link(
    name: &'static str,
    remedy: &'static str,
    look: impl Future<Output = anyhow::Result<String>>,
) -> Finding {
    let found = tokio::time::timeout(PATIENCE, look).await;
    let (ok, detail) = match found {
        Ok(Ok(detail)) => (true, detail),
        Ok(Err(error)) => (false, format!("{error:#}")),
        Err(_) => (false, format!("no answer within {} seconds", PATIENCE.as_secs())),
    };
    Finding {
        link: name,
        ok,
        detail,
        remedy: (!ok).then_some(remedy),
    }
}

async fn ffmpeg() -> anyhow::Result<String> {
    let run = async |program: &str, argument: &str| {
        let output = tokio::process::Command::new(program)
            .args(["-hide_banner", argument])
            .output()
            .await;
        let output = output.with_context(|| format!("`{program}` cannot be run"))?;
        ensure!(
            output.status.success(),
            "`{program}` ended with {}",
            output.status
        );
        anyhow::Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    run("ffprobe", "-version").await?;
    let encoders = run("ffmpeg", "-encoders").await?;
    for encoder in ["libx264", "aac"] {
        let there = encoders.split_whitespace().any(|word| word == encoder);
        ensure!(there, "this ffmpeg has no encoder {encoder}");
    }
    let version = run("ffmpeg", "-version").await?;
    Ok(version.lines().next().unwrap_or("ffmpeg").to_owned())
}

fn key(state: &Path) -> anyhow::Result<String> {
    let secrets = Secrets::read(state)?.context("there are no keys yet: the first `vod up` makes them")?;
    let keys = Keyring::from_json(&secrets.signing.to_string()).context("the signing keys cannot be read")?;
    Ok(format!("links are signed with {}", keys.active()))
}

fn endpoints(state: &Path) -> anyhow::Result<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let stack = Stack::find(state)?;
    let mode = std::fs::metadata(Endpoints::path(state))?.permissions().mode() & 0o777;
    ensure!(
        mode == 0o600,
        "endpoints.json holds secrets and others may read it (mode {mode:o})"
    );
    Ok(format!(
        "api {}, edge {}",
        stack.aws.s3_endpoint.unwrap_or_default(),
        stack.edge
    ))
}

async fn api(stack: &Stack) -> anyhow::Result<String> {
    let answer = Signed::new(stack)?.sqs("ListQueues", &json!({})).await?;
    let queues = answer["QueueUrls"].as_array().map_or(0, Vec::len);
    Ok(format!("answers, {queues} queues"))
}

async fn bucket(stack: &Stack) -> anyhow::Result<String> {
    let head = stack.s3().head_bucket().bucket(&stack.bucket).send().await;
    head.map_err(|error| output::sdk(&format!("bucket `{}`", stack.bucket), error))?;
    Ok(format!("`{}` is there", stack.bucket))
}

/// Whether deliveries move: what waits is being worked on.
async fn queue(stack: &Stack) -> anyhow::Result<String> {
    let signed = Signed::new(stack)?;
    let answer = signed.sqs("ListQueues", &json!({})).await?;
    let mut told = Vec::new();
    for url in answer["QueueUrls"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let request = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let attributes = &signed.sqs("GetQueueAttributes", &request).await?["Attributes"];
        let count = |name: &str| {
            attributes[name]
                .as_str()
                .and_then(|count| count.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let (waiting, working) = (
            count("ApproximateNumberOfMessages"),
            count("ApproximateNumberOfMessagesNotVisible"),
        );
        // Only the queues that functions are fed from have a redrive policy.
        if attributes["RedrivePolicy"].is_null() {
            continue;
        }
        let name = url.rsplit('/').next().unwrap_or(url);
        ensure!(
            waiting == 0 || working > 0,
            "{waiting} messages wait in `{name}` and nobody takes them"
        );
        told.push(format!("{name}: {waiting} waiting, {working} at work"));
    }
    ensure!(!told.is_empty(), "there is no queue of uploads");
    Ok(told.join("; "))
}

async fn dead(stack: &Stack) -> anyhow::Result<String> {
    let counts = dead_letters::counts(&Signed::new(stack)?).await?;
    let dead: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(queue, count)| format!("{count} of `{queue}`"))
        .collect();
    ensure!(dead.is_empty(), "{}", dead.join(", "));
    Ok("none".to_owned())
}

async fn invoke(stack: &Stack, function: &str, event: Value) -> anyhow::Result<String> {
    call(stack, function, &event).await?;
    Ok("answers".to_owned())
}

async fn call(stack: &Stack, function: &str, event: &Value) -> anyhow::Result<Value> {
    let api = stack
        .aws
        .s3_endpoint
        .as_deref()
        .context("the stack names no API")?;
    Ok(Invoker::new(api, stack.keys()).invoke(function, event).await?)
}

/// What S3 sends when a notification is set up.
fn test_event() -> Value {
    json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "vod"})
}

/// The event of a job that is not ours.
fn foreign_event() -> Value {
    json!({"source": "aws.mediaconvert", "detail-type": "MediaConvert Job State Change",
        "detail": {"jobId": "doctor", "status": "PROGRESSING", "userMetadata": {"application": "vod-doctor"}}})
}

/// Uploads that have been there for a while must have records.
async fn uploads(stack: &Stack) -> anyhow::Result<String> {
    let event = json!({"dry_run": true, "grace_seconds": GRACE_SECONDS});
    let summary = call(stack, "reconcile", &event).await?;
    let count = |name: &str| summary[name].as_u64().unwrap_or(0);
    let (lost, given_up) = (count("lost"), count("given_up"));
    let note = |note: &Value| {
        let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
        let subject = if note["key"].is_string() {
            text("key")
        } else {
            text("asset")
        };
        format!("{subject}: {}", text("found"))
    };
    let notes: Vec<String> = summary["notes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(note)
        .take(3)
        .collect();
    ensure!(
        lost + given_up == 0,
        "{} uploads are stuck or lost ({})",
        lost + given_up,
        notes.join("; ")
    );
    Ok(format!(
        "every upload has its record ({} looked at)",
        count("looked_at")
    ))
}

async fn mediaconvert(stack: &Stack) -> anyhow::Result<String> {
    let answer = Signed::new(stack)?
        .mediaconvert(Method::GET, "queues/Default")
        .await?;
    ensure!(
        answer.status == StatusCode::OK,
        "the queue answers HTTP {}",
        answer.status.as_u16()
    );
    let queue = &answer.body["queue"];
    ensure!(queue["status"] == "ACTIVE", "the queue is {}", queue["status"]);
    Ok(format!(
        "queue ACTIVE, {} jobs waiting, {} running",
        queue["submittedJobsCount"], queue["progressingJobsCount"]
    ))
}

async fn edge(stack: &Stack) -> anyhow::Result<String> {
    let health = get(&format!("{}/healthz", stack.edge)).await?;
    ensure!(
        health == StatusCode::OK,
        "/healthz answers HTTP {}",
        health.as_u16()
    );
    let unsigned = get(&format!("{}/output/doctor", stack.edge)).await?;
    ensure!(
        unsigned == StatusCode::FORBIDDEN,
        "a request without a signature got HTTP {} instead of 403",
        unsigned.as_u16()
    );
    Ok("answers, and refuses what is not signed".to_owned())
}

async fn signer(stack: &Stack) -> anyhow::Result<String> {
    stack.api().get::<Value>("/api/assets", &[("limit", "1")]).await?;
    Ok("answers, and takes our token".to_owned())
}

/// Plays the first byte of something, as a viewer would.
async fn playback(stack: &Stack) -> anyhow::Result<String> {
    let page: Value = stack.api().get("/api/assets", &[("limit", "100")]).await?;
    let complete = State::Complete.as_str();
    let assets = page["assets"].as_array().into_iter().flatten();
    let Some(id) = assets
        .filter(|asset| asset["state"] == complete)
        .find_map(|asset| asset["id"].as_str())
    else {
        return Ok("nothing to play yet".to_owned());
    };
    let links: Value = stack.api().get("/api/playback", &[("asset", id)]).await?;
    let Some(url) = links["hls"].as_str().or_else(|| links["mp4"][0]["url"].as_str()) else {
        bail!("the signer gave no link to `{id}`");
    };
    let status = get(url).await?;
    ensure!(
        status == StatusCode::OK,
        "a fresh link to `{id}` got HTTP {}",
        status.as_u16()
    );
    Ok(format!("a fresh link to `{id}` plays"))
}

async fn get(url: &str) -> anyhow::Result<StatusCode> {
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(url).body(Empty::new());
    // Without its query, which may hold a signature.
    let place = url.split('?').next().unwrap_or(url).to_owned();
    let unreachable = |error: &dyn Display| anyhow::anyhow!("could not reach {place}: {error}");
    let answer = client.request(request?).await;
    Ok(answer.map_err(|error| unreachable(&error))?.status())
}
