//! `vod rm`: what is taken down stays down, and the same file uploaded again starts anew.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;
use vod_tests::{LocalStack, clips, http, tools, wait};

const KEY: &str = "input/film.mp4";
/// Long enough for a removal on a busy machine.
const SLOW: &str = "CreateJob.slow=@1:10000";

#[test]
fn a_removed_video_stays_removed_until_it_is_uploaded_again() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let clip = clips::ordinary("320x180", 2.0)?;
    stack.upload(&clip, KEY)?;
    let record = stack.wait_for_complete(KEY)?;
    let asset = record["id"].as_str().context("no id")?;
    let links = stack.api("/api/playback", &[("asset", asset)])?;
    let mp4 = links["mp4"][0]["url"].as_str().context("no link")?;
    ensure!(http::get(mp4, &[])?.status == 200, "it plays");

    let asked = stack.vod(&["rm", asset])?;
    ensure!(
        asked.status.code() == Some(1) && stack.records(KEY)?.len() == 1,
        "nobody said yes"
    );
    let removed = stack.vod_json(&["rm", asset, "--yes"])?;
    ensure!(
        removed["removed"] == asset && removed["source"] == false,
        "{removed}"
    );
    ensure!(
        stack.keys(&format!("output/{asset}/"))?.is_empty(),
        "outputs are left"
    );
    ensure!(stack.records(KEY)?.is_empty(), "the record is left");
    ensure!(
        stack.keys("ops/removed/")? == [format!("ops/removed/{asset}.json")]
            && stack.keys("ops/newest/")?.is_empty(),
        "no tombstone"
    );
    ensure!(http::get(mp4, &[])?.status != 200, "an old link still plays");

    // Neither reconcile nor a late event brings it back.
    let summary = stack.vod_json(&["reconcile"])?;
    ensure!(
        summary["lost"] == 0 && summary["given_up"] == 0 && summary["failed"] == 0,
        "{summary}"
    );
    let url = send_event(&stack, &record["source"])?;
    wait::until("the event to be handled", wait::SOON, || {
        let names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let arguments = [
            "sqs",
            "get-queue-attributes",
            "--queue-url",
            &url,
            "--attribute-names",
            names[0],
            names[1],
        ];
        let answer = stack.aws_json(&arguments)?;
        Ok(names
            .iter()
            .all(|name| answer["Attributes"][name] == "0")
            .then_some(()))
    })?;
    ensure!(stack.records(KEY)?.is_empty(), "a late event has brought it back");

    // The same bytes again start anew, in a folder that nobody has seen.
    stack.upload(&clip, KEY)?;
    let again = stack.wait_for_complete(KEY)?;
    ensure!(
        again["id"] == asset && again["jobs"][0]["attempt"] == 2,
        "{again:#}"
    );
    let removed = stack.vod_json(&["rm", KEY, "--yes", "--source"])?;
    ensure!(
        removed["source"] == true && stack.keys("input/")?.is_empty(),
        "{removed}"
    );
    let twice = stack.vod(&["rm", asset, "--yes"])?;
    ensure!(twice.status.success(), "repeating it is no error");
    let unknown = stack.vod(&["rm", "film-0123456789abcdef-01234567", "--yes"])?;
    ensure!(unknown.status.code() == Some(1), "an asset that nobody knows");
    Ok(())
}

#[test]
fn a_video_can_be_taken_down_in_mid_encode() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    stack.upload(&clips::ordinary("1280x720", 20.0)?, KEY)?;
    let record = stack.wait_for(KEY, &["PROGRESSING"], wait::ENCODE)?;
    let asset = record["id"].as_str().context("no id")?;
    let removed = stack.vod_json(&["rm", asset, "--yes"])?;
    ensure!(
        removed["canceled"].as_array().is_some_and(|jobs| jobs.len() == 1),
        "{removed}"
    );
    let summary = stack.vod_json(&["reconcile"])?;
    ensure!(summary["lost"] == 0 && summary["given_up"] == 0, "{summary}");
    assert_nothing_is_left(&stack, asset)
}

#[test]
fn changes_during_the_confirmation_count() -> anyhow::Result<()> {
    let stack = LocalStack::start_with(&["--fault", "CreateJob.slow=@1:5000"])?;
    stack.upload(&clips::ordinary("1280x720", 20.0)?, KEY)?;
    let record = stack.wait_for(KEY, &["QUEUED"], wait::SOON)?;
    ensure!(record["jobs"][0]["job_id"].is_null(), "{record:#}");
    let (vod, state) = (tools::built("vod")?, stack.state());
    let asset = record["id"].as_str().context("no id")?;
    let line = format!("'{}' --state '{}' rm {asset}", vod.display(), state.display());
    // It asks nobody but a terminal.
    let mut rm = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("`script` of bsdutils cannot be run")?;
    let (mut keys, mut screen) = (
        rm.stdin.take().context("none")?,
        rm.stdout.take().context("none")?,
    );
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"[y/N] ") {
        ensure!(screen.read(&mut byte)? == 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    stack.wait_for(KEY, &["PROGRESSING"], wait::ENCODE)?;
    keys.write_all(b"y\n")?;
    screen.read_to_end(&mut said)?;
    ensure!(rm.wait()?.success(), "{}", String::from_utf8_lossy(&said));
    let log = stack.access_log()?;
    ensure!(
        log.iter().any(|line| line["operation"] == "CancelJob"),
        "the job goes on"
    );
    assert_nothing_is_left(&stack, asset)
}

#[test]
fn a_job_that_is_created_meanwhile_is_called_off() -> anyhow::Result<()> {
    let stack = LocalStack::start_with(&["--fault", SLOW])?;
    stack.upload(&clips::ordinary("1280x720", 20.0)?, KEY)?;
    taken_down_before_its_job_is_known(&stack)
}

#[test]
fn a_job_that_nobody_has_heard_of_is_called_off() -> anyhow::Result<()> {
    // The function that has created it dies before it can tell.
    let stack = LocalStack::start_with(&["--fault", SLOW, "--fault", "CreateJob.crash-after=@1"])?;
    stack.upload(&clips::ordinary("1280x720", 20.0)?, KEY)?;
    taken_down_before_its_job_is_known(&stack)
}

#[test]
fn a_job_that_goes_on_record_meanwhile_is_canceled() -> anyhow::Result<()> {
    // The record is removed as it was before its job was known, unless somebody looks again.
    let faults = [
        "--fault",
        "CreateJob.slow=@1:8000",
        "--fault",
        "DeleteObject.slow=@1:11000",
    ];
    let stack = LocalStack::start_with(&faults)?;
    stack.upload(&clips::ordinary("1280x720", 20.0)?, KEY)?;
    let record = stack.wait_for(KEY, &["QUEUED"], wait::SOON)?;
    let asset = record["id"].as_str().context("no id")?;
    let removed = stack.vod_json(&["rm", asset, "--yes"])?;
    let jobs = stack.aws_json(&["mediaconvert", "list-jobs"])?;
    ensure!(jobs["Jobs"][0]["Status"] == "CANCELED", "the job goes on");
    // `complete` may have been first: it cancels a job of a removed video that the record does not know yet.
    let canceled = removed["canceled"].as_array().context("no list")?;
    ensure!(
        canceled.iter().all(|id| *id == jobs["Jobs"][0]["Id"]),
        "{removed}"
    );
    let log = stack.access_log()?;
    ensure!(
        log.iter()
            .any(|line| line["operation"] == "DeleteObject" && line["status"] == 412),
        "the record was not removed under a condition"
    );
    assert_nothing_is_left(&stack, asset)
}

#[test]
fn a_delivery_in_flight_during_a_removal_creates_no_job() -> anyhow::Result<()> {
    // The first delivery has read "no tombstone" and "no record", and waits for its probe.
    let stack = LocalStack::start_with(&[
        "--fault",
        "Probe.slow=@1:25000",
        "--fault",
        "CreateJob.slow=@1:10000",
    ])?;
    stack.upload(&clips::ordinary("1280x720", 20.0)?, KEY)?;
    let is_read = |line: &Value| {
        let path = line["path"].as_str().unwrap_or_default();
        line["operation"] == "GetObject" && line["status"] == 404 && path.contains("/catalog/")
    };
    wait::until(
        "the first delivery to read that there is no record",
        wait::SOON,
        || Ok(stack.access_log()?.iter().any(is_read).then_some(())),
    )?;
    // Another delivery overtakes it, and the video is removed while that one creates its job.
    let head = stack.aws_json(&["s3api", "head-object", "--bucket", "vod", "--key", KEY])?;
    let etag = head["ETag"].as_str().context("no ETag")?.trim_matches('"');
    send_event(&stack, &serde_json::json!({ "etag": etag }))?;
    let record = stack.wait_for(KEY, &["QUEUED"], wait::SOON)?;
    let asset = record["id"].as_str().context("no id")?;
    stack.vod_json(&["rm", asset, "--yes"])?;

    let closed = stack.wait_for_end(KEY)?;
    ensure!(
        closed["state"] == "IGNORED" && closed["jobs"].is_null(),
        "{closed:#}"
    );
    ensure!(closed["reason"] == "the video was removed", "{closed:#}");
    wait::until("the job to be canceled", wait::SOON, || {
        let jobs = stack.aws_json(&["mediaconvert", "list-jobs"])?;
        let jobs = jobs["Jobs"].as_array().cloned().unwrap_or_default();
        ensure!(jobs.len() < 2, "the delivery in flight has created a job");
        Ok(jobs.iter().any(|job| job["Status"] == "CANCELED").then_some(()))
    })?;
    let reported = stack.vod(&["reconcile", "--json"])?;
    let summary: Value = serde_json::from_slice(&reported.stdout)?;
    ensure!(
        summary["notes"][0]["found"] == "left of a removed video: remove it again",
        "{summary}"
    );
    stack.vod_json(&["rm", asset, "--yes"])?;
    ensure!(
        stack.vod_json(&["reconcile"])?["given_up"] == 0,
        "it is reported again"
    );
    assert_nothing_is_left(&stack, asset)
}

/// Sends the event of an upload once more. Returns the URL of the queue.
fn send_event(stack: &LocalStack, source: &Value) -> anyhow::Result<String> {
    let mut object = serde_json::json!({"key": KEY, "eTag": source["etag"]});
    if !source["sequencer"].is_null() {
        object["sequencer"] = source["sequencer"].clone();
    }
    let event = serde_json::json!({"Records": [{"eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "vod"}, "object": object}}]});
    let url = format!("{}/000000000000/uploads", stack.endpoints.api);
    let send = ["sqs", "send-message", "--queue-url", &url, "--message-body"];
    stack.aws(&[&send[..], &[&event.to_string()]].concat())?;
    Ok(url)
}

/// Takes the upload down while `submit` waits for the answer to CreateJob.
fn taken_down_before_its_job_is_known(stack: &LocalStack) -> anyhow::Result<()> {
    let record = stack.wait_for(KEY, &["QUEUED"], wait::SOON)?;
    ensure!(record["jobs"][0]["job_id"].is_null(), "{record:#}");
    let asset = record["id"].as_str().context("no id")?;
    let removed = stack.vod_json(&["rm", asset, "--yes"])?;
    ensure!(removed["canceled"] == serde_json::json!([]), "{removed}");
    wait::until("the job to be canceled", wait::SOON, || {
        let jobs = stack.aws_json(&["mediaconvert", "list-jobs"])?;
        Ok((jobs["Jobs"][0]["Status"] == "CANCELED").then_some(()))
    })?;
    let log = stack.access_log()?;
    ensure!(
        log.iter()
            .any(|line| line["operation"] == "CancelJob" && line["caller"] == "complete"),
        "somebody else canceled it"
    );
    assert_nothing_is_left(stack, asset)
}

/// Neither record nor outputs; and that a job's last events find no record is no dead letter.
fn assert_nothing_is_left(stack: &LocalStack, asset: &str) -> anyhow::Result<()> {
    ensure!(stack.records(KEY)?.is_empty(), "the record is left");
    ensure!(
        stack.keys(&format!("output/{asset}/"))?.is_empty(),
        "outputs are left"
    );
    ensure!(
        stack.vod_json(&["dead-letters"])? == serde_json::json!([]),
        "dead letters"
    );
    Ok(())
}
