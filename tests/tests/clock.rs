//! The clock of the machine goes back while the stack runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use vod_tests::time::Time;
use vod_tests::{LocalStack, clips, http, tools, wait};

const KEY: &str = "input/film.mp4";

/// A film of six parts: an ordinary clip and an MP4 box of nothing.
fn large_film(folder: &Path) -> anyhow::Result<PathBuf> {
    const FREE: u32 = 44 << 20;
    let mut film = std::fs::read(clips::ordinary("320x180", 1.0)?)?;
    film.extend(FREE.to_be_bytes());
    film.extend(b"free");
    film.resize(film.len() + FREE as usize - 8, 0);
    let path = folder.join("film.mp4");
    std::fs::write(&path, film)?;
    Ok(path)
}

/// How often an S3 operation was answered, with any status.
fn calls(stack: &LocalStack, operation: &str) -> anyhow::Result<usize> {
    let log = stack.access_log()?;
    Ok(log.iter().filter(|line| line["operation"] == operation).count())
}

/// Everything lives in one time: the stack with the SDKs inside it, and `vod upload`. Parts that were signed before are
/// refused after, and sent again.
#[test]
fn the_clock_goes_back_two_hours_in_mid_upload_and_the_upload_becomes_a_video() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let time = Time::new(folder.path())?;
    let film = large_film(folder.path())?;
    let environment = time.environment();
    let environment = environment
        .each_ref()
        .map(|(name, value)| (*name, value.as_os_str()));
    let slow = ["--fault", "UploadPart.slow=1:1000-1000"];
    let stack = LocalStack::start_under(folder, &slow, &environment)?;
    let before = date(&stack)?;

    let mut upload = Command::new(tools::built("vod")?)
        .arg("--state")
        .arg(stack.state())
        .args([OsStr::new("upload"), film.as_os_str()])
        .envs(environment)
        .stdin(Stdio::null())
        .spawn()
        .context("could not start vod upload")?;
    wait::until("the first part", wait::SOON, || {
        Ok((calls(&stack, "UploadPart")? > 0).then_some(()))
    })?;
    time.set(-7200)?;
    ensure!(
        calls(&stack, "CompleteMultipartUpload")? == 0,
        "the upload was over before the clock went back"
    );
    let status = upload.wait()?;
    ensure!(status.success(), "{status}");
    let record = stack.wait_for_complete(KEY)?;
    ensure!(
        date(&stack)? < before,
        "the answers' Date is still that of before"
    );
    let playback = stack.api("/api/playback", &[("source", KEY)])?;
    let master = playback["mp4"][0]["url"].as_str().context("no MP4 link")?;
    ensure!(http::get(master, &[])?.status == 200, "{record:#}");
    Ok(())
}

/// The `Date` of an answer of the API port, in seconds since the epoch.
fn date(stack: &LocalStack) -> anyhow::Result<u64> {
    let answer = http::get(&stack.endpoints.api, &[])?;
    let mut command = Command::new("date");
    let seconds = tools::run(command.args(["-u", "+%s", "-d", answer.header("date")]))?;
    seconds.trim().parse().context("an answer without a Date")
}
