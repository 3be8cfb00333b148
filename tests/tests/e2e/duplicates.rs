//! Nothing is encoded twice, however often an event comes.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vod_tests::{LocalStack, clips};

const KEY: &str = "input/once + only.mp4";

/// The event that S3 sent for an object, to be sent again (aws-sdk's own field names).
pub(crate) fn event_of(stack: &LocalStack, key: &str) -> anyhow::Result<Value> {
    let bucket = &stack.endpoints.bucket;
    let head = stack.aws_json(&["s3api", "head-object", "--bucket", bucket, "--key", key])?;
    let etag = head["ETag"]
        .as_str()
        .context("no ETag")?
        .trim_matches('"')
        .to_owned();
    // As S3 does: form encoding, the slash as it is.
    let encoded: String = form_urlencoded(key).replace("%2F", "/");
    Ok(json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": "2026-11-21T10:00:00.000Z", "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "x"},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "vod",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A"}, "arn": format!("arn:aws:s3:::{bucket}")},
            "object": {"key": encoded, "size": head["ContentLength"], "eTag": etag,
                       "sequencer": "0055AED6DCD90281E5"}}}]}))
}

fn form_urlencoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// `aws lambda invoke`: what the function answered.
fn invoke(stack: &LocalStack, function: &str, event: &Path, number: usize) -> anyhow::Result<Value> {
    let answer = stack.scratch().join(format!("answer-{number}.json"));
    let payload = format!("file://{}", event.display());
    let answer_path = answer.to_string_lossy();
    let invoked = stack.aws_json(&[
        "lambda",
        "invoke",
        "--function-name",
        function,
        "--payload",
        &payload,
        &answer_path,
    ])?;
    let answer: Value = serde_json::from_slice(&std::fs::read(&answer)?)?;
    ensure!(
        invoked["StatusCode"] == 200 && invoked["FunctionError"].is_null(),
        "{invoked} {answer}"
    );
    Ok(answer)
}

#[test]
fn the_same_event_five_times_in_parallel_makes_one_job() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    stack.upload(&clips::ordinary("320x180", 2.0)?, KEY)?;
    let event = stack.scratch().join("event.json");
    std::fs::write(&event, event_of(&stack, KEY)?.to_string())?;

    // At once, and while the upload's own event may be under way.
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..5)
            .map(|number| {
                let (stack, event) = (&stack, &event);
                scope.spawn(move || invoke(stack, "submit", event, number))
            })
            .collect();
        calls
            .into_iter()
            .try_for_each(|call| call.join().expect("no panic").map(drop))
    })?;
    let record = stack.wait_for_complete(KEY)?;
    // And once more after the end.
    invoke(&stack, "submit", &event, 5)?;
    ensure!(stack.records(KEY)? == [record.clone()], "it changed: {record:#}");

    let jobs = stack.aws_json(&["mediaconvert", "list-jobs"])?;
    let jobs = jobs["Jobs"].as_array().context("no list")?;
    ensure!(jobs.len() == 1 && jobs[0]["Status"] == "COMPLETE", "{jobs:#?}");
    ensure!(
        record["jobs"].as_array().is_some_and(|jobs| jobs.len() == 1),
        "{record:#}"
    );

    the_same_bytes_again_change_nothing(&stack, &record)?;
    a_late_event_does_not_undo_the_end(&stack, &record)
}

fn the_same_bytes_again_change_nothing(stack: &LocalStack, record: &Value) -> anyhow::Result<()> {
    stack.upload(&clips::ordinary("320x180", 2.0)?, KEY)?;
    // Its event has been handled when another upload's, sent later, has.
    stack.put("input/marker/", b"")?;
    stack.wait_for_end("input/marker/")?;
    ensure!(stack.records(KEY)? == [record.clone()], "it changed: {record:#}");
    Ok(())
}

fn a_late_event_does_not_undo_the_end(stack: &LocalStack, record: &Value) -> anyhow::Result<()> {
    let event = stack.scratch().join("late.json");
    let late = json!({
        "version": "0", "id": "258dcdf9-5ea8-42a1-9b9c-6a1d37ea5ba9", "detail-type": "MediaConvert Job State Change",
        "source": "aws.mediaconvert", "account": "000000000000", "time": "2026-11-21T10:00:00Z",
        "region": "us-east-1", "resources": ["arn:aws:mediaconvert:us-east-1:000000000000:jobs/x"],
        "detail": {"timestamp": 1_763_719_200_000_i64, "accountId": "000000000000",
            "queue": "arn:aws:mediaconvert:us-east-1:000000000000:queues/Default",
            "jobId": record["jobs"][0]["job_id"], "status": "PROGRESSING",
            "userMetadata": {"application": "vod", "asset": record["id"], "template": "default", "attempt": "1"}}});
    std::fs::write(&event, late.to_string())?;
    invoke(stack, "complete", &event, 6)?;
    let now = stack.records(KEY)?;
    ensure!(
        now[0]["state"] == "COMPLETE" && now[0]["outputs"] == record["outputs"],
        "{now:#?}"
    );
    Ok(())
}
