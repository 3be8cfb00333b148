//! `vod doctor` on a stack that is well, and on one that is not.

use anyhow::{Context, ensure};
use serde_json::Value;
use vod_tests::{LocalStack, film, wait};

fn examine(stack: &LocalStack) -> anyhow::Result<(Option<i32>, Vec<Value>)> {
    let output = stack.vod(&["doctor", "--json"])?;
    let findings: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let findings_agree = |finding: &Value| finding["ok"] == (finding["state"] == "ok");
    ensure!(
        findings
            .as_array()
            .is_some_and(|all| all.iter().all(findings_agree)),
        "{findings:#}"
    );
    Ok((
        output.status.code(),
        findings.as_array().context("no list")?.clone(),
    ))
}

/// The links that are broken.
fn broken(findings: &[Value]) -> Vec<&str> {
    let bad = findings.iter().filter(|finding| finding["state"] == "broken");
    bad.filter_map(|finding| finding["link"].as_str()).collect()
}

#[test]
fn the_doctor_names_the_broken_link() -> anyhow::Result<()> {
    let mut stack = LocalStack::start()?;
    let (code, findings) = examine(&stack)?;
    ensure!(
        code == Some(0) && broken(&findings).is_empty() && findings.len() == 14,
        "{findings:#?}"
    );

    let dead = format!("{}/000000000000/uploads-dlq", stack.endpoints.api);
    stack.aws(&[
        "sqs",
        "send-message",
        "--queue-url",
        &dead,
        "--message-body",
        "poison",
    ])?;
    let (code, findings) = examine(&stack)?;
    ensure!(
        code == Some(1) && broken(&findings) == ["dead letters"],
        "{findings:#?}"
    );
    let remedy = findings.iter().find_map(|finding| finding["remedy"].as_str());
    ensure!(
        remedy.is_some_and(|remedy| remedy.contains("vod dead-letters --state ") && remedy.contains(" redrive")),
        "{remedy:?}"
    );
    stack.aws(&["sqs", "purge-queue", "--queue-url", &dead])?;

    // A record whose outputs are gone: the links to it fail.
    let asset = film::put(&stack, "input/film.mp4")?;
    wait::until("the record to be seen", wait::SOON, || {
        Ok((!stack.records("input/film.mp4")?.is_empty()).then_some(()))
    })?;
    let outputs = format!("s3://{}/output/{asset}/", stack.endpoints.bucket);
    stack.aws(&["s3", "rm", "--only-show-errors", "--recursive", &outputs])?;
    let (code, findings) = examine(&stack)?;
    ensure!(
        code == Some(1) && broken(&findings).contains(&"playback"),
        "{findings:#?}"
    );

    let endpoints = stack.state().join("endpoints.json");
    stack.kill()?;
    let (code, findings) = examine(&stack)?;
    ensure!(code == Some(1) && broken(&findings) == ["api"], "{findings:#?}");
    std::fs::remove_file(&endpoints)?;
    let (code, findings) = examine(&stack)?;
    ensure!(
        code == Some(1) && broken(&findings) == ["endpoints"],
        "{findings:#?}"
    );
    Ok(())
}
