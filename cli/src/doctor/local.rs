//! The checks of a local stack.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vod_core::cloudfront::Keyring;
use vod_state::endpoints::Endpoints;
use vod_state::secrets::Secrets;

use super::{Finding, link, queues, uploads, viewers};
use crate::aws::sdk_error;
use crate::aws::service::SQS;
use crate::stack::{Choice, Stack};
use crate::{ffmpeg, reconcile};

const LOG: &str = "the log of `vod up` gives the reason";

pub(super) async fn examine(choice: &Choice) -> Vec<Finding> {
    let (state, options) = (choice.state.as_path(), choice.options());
    let up = format!("stop and start `vod{options} up`");
    let mut findings = machine(state, &options).await;
    let Ok(stack) = Stack::find(choice).await else {
        return findings;
    };
    let outdated = format!("{up}: the address in endpoints.json does not respond");
    let api = link("api", outdated, api(&stack)).await;
    let answers = api.ok;
    findings.push(api);
    if answers {
        findings.extend(uploads(&stack, &options, &up).await);
        findings.extend(playback(&stack, &up).await);
    }
    findings
}

/// The links from an upload to its encode.
async fn uploads(stack: &Stack, options: &str, up: &str) -> Vec<Finding> {
    let restart = format!("{up}: it creates what is missing");
    let slow = "look at the log of `vod up`: the functions are too slow";
    let redrive =
        format!("see `vod dead-letters{options}`, fix the cause, then `vod dead-letters{options} redrive`");
    let lost = format!("run `vod reconcile{options}`: it sends lost uploads again");
    let checked = reconcile::dry_run(stack, uploads::GRACE_SECONDS).await;
    // S3 sends this event when a notification is configured.
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "vod"});
    let foreign = json!({"source": "aws.mediaconvert", "detail-type": "MediaConvert Job State Change",
        "detail": {"jobId": "doctor", "status": "PROGRESSING", "userMetadata": {"application": "vod-doctor"}}});
    vec![
        link("bucket", &restart, bucket(stack)).await,
        link("queue", slow, queues::local(stack)).await,
        link("dead letters", redrive, uploads::dead(stack, &checked, options)).await,
        link("submit", LOG, function(stack, "submit", test)).await,
        link("complete", LOG, function(stack, "complete", foreign)).await,
        link("notification", lost, async {
            uploads::records(&checked, options)
        })
        .await,
        link("mediaconvert", &restart, queues::encoder(stack, "Default")).await,
    ]
}

async fn playback(stack: &Stack, up: &str) -> Vec<Finding> {
    let other = format!("make other links; if they fail too, {up}: the edge must trust the signer's key");
    vec![
        link("edge", format!("{up}, and look at its log"), edge(stack)).await,
        link("signer", LOG, viewers::signer(stack)).await,
        link("playback", other, viewers::playback(stack)).await,
    ]
}

/// The links that must be ok before a stack can run.
async fn machine(state: &Path, options: &str) -> Vec<Finding> {
    let restore = "restore secrets.json; without it, stop the stack, remove the file and start again";
    let start = format!("start the stack with `vod{options} up`, or name its folder with --state");
    // The stack has its own PATH, so the ffmpeg of this shell does not matter.
    let running = Endpoints::read(state).ok().flatten();
    let programs = running.and_then(|found| found.programs).unwrap_or_default();
    vec![
        link("ffmpeg", ffmpeg::INSTALL, ffmpeg::check(&programs)).await,
        link("key", restore, async { key(state) }).await,
        link("endpoints", start, async { endpoints(state) }).await,
    ]
}

fn key(state: &Path) -> anyhow::Result<String> {
    let secrets = Secrets::read(state)?.context("there are no keys yet: the first `vod up` makes them")?;
    let keys = Keyring::from_json(&secrets.signing.to_string()).context("the signing keys cannot be read")?;
    Ok(format!("links are signed with {}", keys.active()))
}

fn endpoints(state: &Path) -> anyhow::Result<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let stack = Stack::local(state)?;
    let mode = std::fs::metadata(Endpoints::path(state))?.permissions().mode() & 0o777;
    ensure!(
        mode == 0o600,
        "endpoints.json holds secrets and others may read it (mode {mode:o})"
    );
    Ok(format!("api {}, edge {}", stack.aws.endpoint(&SQS), stack.edge))
}

async fn api(stack: &Stack) -> anyhow::Result<String> {
    let answer = stack.aws.json(&SQS, "ListQueues", &json!({})).await?;
    let queues = answer["QueueUrls"].as_array().map_or(0, Vec::len);
    Ok(format!("responds, {queues} queues"))
}

async fn bucket(stack: &Stack) -> anyhow::Result<String> {
    let bucket = &stack.bucket;
    let head = stack.s3().head_bucket().bucket(bucket).send().await;
    head.map_err(|error| sdk_error(&format!("bucket `{bucket}`"), "s3:ListBucket", error))?;
    Ok(format!("`{bucket}` exists"))
}

async fn function(stack: &Stack, name: &str, event: Value) -> anyhow::Result<String> {
    stack.invoke(name, &event).await?;
    Ok("responds".to_owned())
}

async fn edge(stack: &Stack) -> anyhow::Result<String> {
    let health = viewers::get(stack, &format!("{}/healthz", stack.edge)).await?;
    ensure!(
        health.as_u16() == 200,
        "/healthz answers HTTP {}",
        health.as_u16()
    );
    viewers::edge(stack).await
}
