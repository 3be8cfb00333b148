//! The built Lambda binaries against a Runtime API, with the local services behind them.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use vod_tests::{LocalStack, clips, tools};

use crate::duplicates::event_of;
use crate::runtime_api::{RuntimeApi, Said};

/// A function's process; killed with the test.
pub(crate) struct Function(pub(crate) Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What Lambda itself sets, and nothing else.
pub(crate) fn command(name: &str, api: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(tools::built(name)?);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .stdin(Stdio::null());
    Ok(command)
}

fn start(name: &str, api: &RuntimeApi, stack: &LocalStack) -> anyhow::Result<Function> {
    start_with(name, api, stack, &[])
}

/// With some of its environment different.
fn start_with(
    name: &str,
    api: &RuntimeApi,
    stack: &LocalStack,
    other: &[(&str, &str)],
) -> anyhow::Result<Function> {
    let endpoints = &stack.endpoints;
    let log = std::fs::File::create(stack.scratch().join(format!("{name}.log")))?;
    let child = command(name, &api.address)?
        .env("AWS_REGION", &endpoints.region)
        .env("AWS_ACCESS_KEY_ID", &endpoints.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &endpoints.secret_key)
        .env("AWS_ENDPOINT_URL_S3", &endpoints.api)
        .env("AWS_ENDPOINT_URL_MEDIACONVERT", &endpoints.api)
        .env("BUCKET", &endpoints.bucket)
        .env("MEDIACONVERT_ROLE_ARN", "arn:aws:iam::000000000000:role/vod")
        .envs(other.iter().copied())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(Function(child))
}

pub(crate) fn response(said: Said) -> anyhow::Result<Value> {
    match said {
        Said::Response(value) => Ok(value),
        Said::Error(error) => bail!("the invocation failed: {error}"),
    }
}

pub(crate) fn sqs(bodies: &[Value]) -> Value {
    let records = bodies.iter().enumerate().map(|(number, body)| {
        json!({"messageId": format!("message-{number}"), "receiptHandle": "r", "body": body.to_string(),
            "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "md5OfBody": "",
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q",
            "awsRegion": "us-east-1"})
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

#[test]
fn the_submit_binary_takes_every_envelope() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let key = "input/by lambda.mp4";
    stack.upload(&clips::ordinary("320x180", 2.0)?, key)?;
    stack.wait_for_complete(key)?;
    let api = RuntimeApi::start()?;
    let _function = start("submit", &api, &stack)?;

    let event = event_of(&stack, key)?;
    let test_event = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-21T10:00:00.000Z",
        "Bucket": "vod", "RequestId": "1", "HostId": "2"});
    let sns = json!({"Type": "Notification", "Message": event.to_string()});

    let answer = response(api.invoke(sqs(&[event.clone(), test_event.clone(), sns]))?)?;
    ensure!(answer == json!({"batchItemFailures": []}), "{answer}");
    response(api.invoke(event.clone())?)?;
    response(api.invoke(test_event)?)?;
    let object = &event["Records"][0]["s3"]["object"];
    let bridge = json!({"detail-type": "Object Created", "source": "aws.s3", "version": "0", "id": "i",
        "account": "1", "time": "2026-11-21T10:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"version": "0", "bucket": {"name": "vod"}, "reason": "PutObject",
            "object": {"key": key, "size": object["size"], "etag": object["eTag"], "sequencer": object["sequencer"]}}});
    response(api.invoke(bridge)?)?;

    // One message of a batch that cannot be read fails alone.
    let answer = response(api.invoke(sqs(&[event, json!({"what": "is this"})]))?)?;
    ensure!(
        answer == json!({"batchItemFailures": [{"itemIdentifier": "message-1"}]}),
        "{answer}"
    );
    // Six deliveries, one job.
    let jobs = stack.aws_json(&["mediaconvert", "list-jobs"])?;
    ensure!(
        jobs["Jobs"].as_array().is_some_and(|jobs| jobs.len() == 1),
        "{jobs:#}"
    );

    let log = std::fs::read_to_string(stack.scratch().join("submit.log"))?;
    let lines: Vec<Value> = log.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(!lines.is_empty(), "no logs");
    ensure!(
        log.contains("8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        "no request id in {log}"
    );
    ensure!(
        !log.contains(&stack.endpoints.secret_key),
        "the secret is in the log"
    );
    Ok(())
}

#[test]
fn the_last_delivery_puts_its_reason_on_record_and_a_redrive_goes_on() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    // A bucket that only this test's function knows.
    stack.aws(&["s3", "mb", "s3://other"])?;
    let clip = clips::ordinary("320x180", 2.0)?;
    let file = clip.to_string_lossy();
    stack.aws(&["s3", "cp", "--only-show-errors", &file, "s3://other/input/a.mp4"])?;
    let head = [
        "s3api",
        "head-object",
        "--bucket",
        "other",
        "--key",
        "input/a.mp4",
    ];
    let etag = stack.aws_json(&head)?["ETag"].take();
    let event = json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "other"}, "object": {"key": "input/a.mp4", "eTag": etag, "sequencer": "0A"}}}]});
    let delivery = |count: u32| {
        let mut batch = sqs(std::slice::from_ref(&event));
        batch["Records"][0]["attributes"]["ApproximateReceiveCount"] = count.to_string().into();
        batch
    };
    let record = || -> anyhow::Result<Value> {
        let list = [
            "s3api",
            "list-objects-v2",
            "--bucket",
            "other",
            "--prefix",
            "catalog/",
        ];
        let key = stack.aws_json(&list)?["Contents"][0]["Key"]
            .as_str()
            .map(str::to_owned);
        let source = format!("s3://other/{}", key.context("no record")?);
        let target = stack.scratch().join("record.json");
        stack.aws(&[
            "s3",
            "cp",
            "--only-show-errors",
            &source,
            &target.to_string_lossy(),
        ])?;
        Ok(serde_json::from_slice(&std::fs::read(&target)?)?)
    };

    // Nobody listens where this one looks for MediaConvert.
    let lost = [
        ("BUCKET", "other"),
        ("AWS_ENDPOINT_URL_MEDIACONVERT", "http://127.0.0.1:9"),
    ];
    let api = RuntimeApi::start()?;
    let function = start_with("submit", &api, &stack, &lost)?;
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "message-0"}]});
    ensure!(response(api.invoke(delivery(4))?)? == failed, "it cannot succeed");
    ensure!(record()?["state"] == "QUEUED", "{:#}", record()?);
    ensure!(response(api.invoke(delivery(5))?)? == failed, "it cannot succeed");
    let given_up = record()?;
    ensure!(
        given_up["state"] == "ERROR" && given_up.get("lease").is_none(),
        "{given_up:#}"
    );
    let reason = given_up["reason"].as_str().context("no reason")?;
    ensure!(reason.contains("dead letters"), "{reason}");
    drop(function);

    let api = RuntimeApi::start()?;
    let _function = start_with("submit", &api, &stack, &[("BUCKET", "other")])?;
    ensure!(
        response(api.invoke(delivery(1))?)? == json!({"batchItemFailures": []}),
        "it can now"
    );
    let again = record()?;
    ensure!(
        again["state"] == "SUBMITTED" && again.get("reason").is_none(),
        "{again:#}"
    );
    ensure!(
        again["jobs"].as_array().is_some_and(|jobs| jobs.len() == 1),
        "{again:#}"
    );
    ensure!(
        again["jobs"][0]["attempt"] == 1 && again["jobs"][0]["job_id"].is_string(),
        "{again:#}"
    );
    Ok(())
}

#[test]
fn the_complete_binary_takes_a_late_event() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let key = "input/film.mp4";
    stack.upload(&clips::ordinary("320x180", 2.0)?, key)?;
    let record = stack.wait_for_complete(key)?;
    let api = RuntimeApi::start()?;
    let _function = start("complete", &api, &stack)?;
    for status in ["PROGRESSING", "CANCELED"] {
        let event = json!({
            "version": "0", "id": "258dcdf9-5ea8-42a1-9b9c-6a1d37ea5ba9", "source": "aws.mediaconvert",
            "detail-type": "MediaConvert Job State Change", "account": "000000000000",
            "time": "2026-11-21T10:00:00Z", "region": "us-east-1", "resources": [],
            "detail": {"timestamp": 1_763_719_200_000_i64, "accountId": "000000000000",
                "queue": "arn:aws:mediaconvert:us-east-1:000000000000:queues/Default",
                "jobId": record["jobs"][0]["job_id"], "status": status,
                "userMetadata": {"application": "vod", "asset": record["id"], "template": "default", "attempt": "1"}}});
        response(api.invoke(event)?)?;
        ensure!(
            stack.records(key)?[0]["state"] == "COMPLETE",
            "{status} undid the end"
        );
    }
    Ok(())
}

#[test]
fn a_function_names_all_that_its_environment_lacks() -> anyhow::Result<()> {
    for (function, names) in [
        (
            "submit",
            &[
                "AWS_REGION",
                "AWS_ACCESS_KEY_ID",
                "BUCKET",
                "MEDIACONVERT_ROLE_ARN",
            ][..],
        ),
        ("complete", &["AWS_REGION", "BUCKET"]),
        ("signer", &["AWS_REGION", "BUCKET", "SIGNING_SECRET"]),
    ] {
        let output = tools::output(&mut command(function, "127.0.0.1:9")?)?;
        ensure!(!output.status.success(), "{function}: {output:?}");
        let said = String::from_utf8(output.stderr)? + &String::from_utf8(output.stdout)?;
        for name in names {
            said.find(name)
                .with_context(|| format!("{function} does not name {name}: {said}"))?;
        }
    }
    Ok(())
}
