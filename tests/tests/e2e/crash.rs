//! kill -9 at any moment loses nothing; Ctrl-C ends who waits, and nothing else.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use vod_tests::{LocalStack, clips, tools, wait};

const KEY: &str = "input/interrupted.mp4";

#[test]
fn kill_9_in_mid_encode_and_the_upload_still_becomes_a_video() -> anyhow::Result<()> {
    let mut stack = LocalStack::start()?;
    // Long enough to be caught in the middle of it.
    stack.upload(&clips::ordinary("1280x720", 20.0)?, KEY)?;
    let record = stack.wait_for(KEY, &["PROGRESSING"], wait::ENCODE)?;
    let asset = record["id"].clone();
    let state = stack.state();
    let running = || tools::processes_with("ffmpeg", state.as_os_str());
    // PROGRESSING says that the job has begun; the encoder starts a moment later.
    let encoder = wait::until("the encoder to run", wait::SOON, || {
        Ok(running()?.first().copied())
    })?;
    // `vod` is the launcher that confines it.
    let status = std::fs::read_to_string(format!("/proc/{encoder}/status"))?;
    ensure!(
        status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"),
        "{status}"
    );

    stack.kill()?;
    wait::until("ffmpeg to end with its parent", wait::SOON, || {
        Ok(running()?.is_empty().then_some(()))
    })?;

    let stack = stack.kill_and_start_again()?;
    let record = stack.wait_for_complete(KEY)?;
    ensure!(record["id"] == asset, "{record:#}");
    let outputs = record["outputs"].as_array().map(Vec::len);
    ensure!(outputs == Some(1), "{record:#}");
    let links = stack.vod_json(&["sign", KEY])?;
    let seconds = vod_tests::media::play(links["hls"].as_str().unwrap_or_default())?;
    ensure!(vod_tests::media::near(seconds, 20.0), "{seconds} s");
    Ok(())
}

#[test]
fn kill_9_right_after_an_upload_loses_nothing() -> anyhow::Result<()> {
    let mut stack = LocalStack::start()?;
    let clip = clips::ordinary("320x180", 2.0)?;
    for round in 0..3 {
        let key = format!("input/round-{round}.mp4");
        // The moment differs from round to round, with the machine.
        stack.upload(&clip, &key)?;
        stack = stack.kill_and_start_again()?;
    }
    for round in 0..3 {
        stack.wait_for_complete(&format!("input/round-{round}.mp4"))?;
    }
    Ok(())
}

#[test]
fn ctrl_c_ends_a_command_that_waits_for_an_encode() -> anyhow::Result<()> {
    // Submit waits for CreateJob all the while.
    let stack = LocalStack::start_with(&["--fault", "CreateJob.slow=1:60000"])?;
    // Larger than one part: sending parts is what takes the signal from its default.
    let large = stack.scratch().join("large.mp4");
    std::fs::write(&large, vec![7; 20 << 20])?;
    let mut upload = Command::new(tools::built("vod")?)
        .arg("--state")
        .arg(stack.state())
        .args(["upload", "--wait"])
        .arg(&large)
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(upload.stderr.take().context("no standard error")?);
    let mut text = String::new();
    while !text.contains("uploaded") {
        ensure!(said.read_line(&mut text)? > 0, "it ended: {text}");
    }
    tools::run(Command::new("kill").args(["-INT", &upload.id().to_string()]))?;
    let ended = wait::until("the command to end", wait::SOON / 4, || Ok(upload.try_wait()?));
    if ended.is_err() {
        upload.kill()?;
    }
    ensure!(ended?.code() == Some(1));
    said.read_to_string(&mut text)?;
    ensure!(
        text.contains("interrupted") && text.contains("`vod show --state ") && text.contains(" large-"),
        "{text}"
    );
    Ok(())
}
