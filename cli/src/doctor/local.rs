//! The chain of a local stack.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::json;
use vod_core::cloudfront::Keyring;
use vod_local::endpoints::Endpoints;
use vod_local::secrets::Secrets;

use super::{Finding, events, functions, link, queues, storage, viewers};
use crate::aws::service::SQS;
use crate::stack::{Choice, Stack};

const RESTART: &str = "stop and start `vod up`: it makes what is missing";
const LOG: &str = "look at the log of `vod up` for why it fails";

pub(super) async fn examine(choice: &Choice) -> Vec<Finding> {
    let state = choice.state.as_path();
    let mut findings = machine(state).await;
    let Ok(stack) = Stack::find(choice).await else {
        return findings;
    };
    let outdated = "stop and start `vod up`: what endpoints.json tells does not answer";
    let api = link("api", outdated, api(&stack)).await;
    let answers = api.ok;
    findings.push(api);
    if !answers {
        return findings;
    }
    let slow = "look at the log of `vod up`: the functions do not keep up";
    let redrive = "see `vod dead-letters`, mend the cause, then `vod dead-letters redrive`";
    let lost = "run `vod reconcile`: it sends lost uploads again";
    let other = "make other links; if they fail too, restart `vod up`: the edge must trust the signer's key";
    findings.extend([
        link("bucket", RESTART, storage::bucket(&stack)).await,
        link("queue", slow, queues::local(&stack)).await,
        link("dead letters", redrive, queues::dead(&stack)).await,
        link(
            "submit",
            LOG,
            functions::invoke(&stack, "submit", functions::test_event()),
        )
        .await,
        link(
            "complete",
            LOG,
            functions::invoke(&stack, "complete", functions::foreign_event()),
        )
        .await,
        link("notification", lost, functions::uploads(&stack)).await,
        link("mediaconvert", RESTART, events::encoder(&stack, "Default")).await,
        link(
            "edge",
            "stop and start `vod up`, and look at its log",
            edge(&stack),
        )
        .await,
        link("signer", LOG, viewers::signer(&stack)).await,
        link("playback", other, viewers::playback(&stack)).await,
    ]);
    findings
}

/// What must be there before there is a stack.
async fn machine(state: &Path) -> Vec<Finding> {
    let install = "install ffmpeg with libx264 and aac: `make up` does it on Debian and Ubuntu";
    let restore = "restore secrets.json; without it, stop the stack, remove the file and start again";
    let start = "start the stack with `vod up`, or name its folder with --state";
    vec![
        link("ffmpeg", install, ffmpeg()).await,
        link("key", restore, async { key(state) }).await,
        link("endpoints", start, async { endpoints(state) }).await,
    ]
}

async fn ffmpeg() -> anyhow::Result<String> {
    let run = async |program: &str, argument: &str| {
        let output = tokio::process::Command::new(program)
            .args(["-hide_banner", argument])
            .kill_on_drop(true)
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
    Ok(format!("answers, {queues} queues"))
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
