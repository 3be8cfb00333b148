//! `vod upload` of a large file that is broken off.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use vod_tests::{LocalStack, tools, wait};

/// `vod upload` sends parts of 8 MiB, four at a time.
const PARTS: usize = 6;
const SIZE: usize = 44 << 20;

/// Bytes that differ from part to part.
fn file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut state: u64 = 20_261_128;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()
    })
    .take(SIZE / 8)
    .flatten()
    .collect();
    std::fs::write(path, &bytes)?;
    Ok(bytes)
}

/// How many parts S3 was sent and took.
fn parts_sent(stack: &LocalStack) -> anyhow::Result<usize> {
    let log = stack.access_log()?;
    let sent = log
        .iter()
        .filter(|line| line["operation"] == "UploadPart" && line["status"] == 200);
    Ok(sent.count())
}

/// Begins an upload and kills it when some parts are there and others are not.
fn break_off(stack: &LocalStack, file: &Path) -> anyhow::Result<()> {
    let before = parts_sent(stack)?;
    let mut upload = Command::new(tools::built("vod")?)
        .arg("--state")
        .arg(stack.state())
        .arg("upload")
        .arg(file)
        .stdin(Stdio::null())
        .spawn()
        .context("could not start vod upload")?;
    wait::until("some parts", wait::SOON, || {
        Ok((parts_sent(stack)? > before).then_some(()))
    })?;
    upload.kill()?;
    upload.wait()?;
    ensure!(
        stack.keys("input/")?.is_empty(),
        "the upload was over before it was killed"
    );
    Ok(())
}

/// Runs `vod upload` to its end. How many parts it has sent, and how many it says were there.
fn go_on(stack: &LocalStack, file: &Path) -> anyhow::Result<(usize, usize)> {
    let before = parts_sent(stack)?;
    let output = stack.vod(&["upload", &file.to_string_lossy()])?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{text}");
    let there = text.lines().find_map(|line| {
        let rest = line.split_once("interrupted upload: ")?.1;
        rest.split_once(" of 6 parts exist")?.0.parse().ok()
    });
    Ok((parts_sent(stack)? - before, there.unwrap_or(0)))
}

#[test]
fn a_killed_upload_sends_only_the_rest_when_it_is_run_again() -> anyhow::Result<()> {
    let stack = LocalStack::start_with(&["--fault", "UploadPart.slow=1:1000-1000"])?;
    let film = stack.scratch().join("film.mp4");
    let bytes = file(&film)?;
    break_off(&stack, &film)?;

    let (sent, there) = go_on(&stack, &film)?;
    ensure!(
        there > 0 && sent == PARTS - there,
        "{sent} parts sent, {there} were there"
    );
    let folder = stack.download("input/")?;
    ensure!(std::fs::read(folder.join("film.mp4"))? == bytes, "other bytes");

    // A file that has changed since, in any part that was sent, begins anew.
    stack.aws(&["s3", "rm", "--only-show-errors", "s3://vod/input/film.mp4"])?;
    break_off(&stack, &film)?;
    let mut changed = bytes;
    for at in (0..SIZE).step_by(1 << 20) {
        changed[at] ^= 1;
    }
    std::fs::write(&film, &changed)?;
    let (sent, there) = go_on(&stack, &film)?;
    ensure!(
        (sent, there) == (PARTS, 0),
        "{sent} parts sent, {there} were there"
    );
    let folder = stack.download("input/")?;
    ensure!(std::fs::read(folder.join("film.mp4"))? == changed, "other bytes");
    Ok(())
}
