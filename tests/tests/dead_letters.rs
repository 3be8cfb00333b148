//! Messages that nobody can handle: found with the AWS CLI, explained and sent again by `vod dead-letters`.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vod_tests::{LocalStack, clips, wait};

const DEAD: &str = "uploads-dlq";
const DEAD_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:uploads-dlq";

fn queue_url(stack: &LocalStack, name: &str) -> anyhow::Result<String> {
    let answer = stack.aws_json(&["sqs", "get-queue-url", "--queue-name", name])?;
    Ok(answer["QueueUrl"].as_str().context("no address")?.to_owned())
}

fn count(stack: &LocalStack, url: &str) -> anyhow::Result<u64> {
    attribute(stack, url, "ApproximateNumberOfMessages")
}

fn attribute(stack: &LocalStack, url: &str, name: &str) -> anyhow::Result<u64> {
    let arguments = [
        "sqs",
        "get-queue-attributes",
        "--queue-url",
        url,
        "--attribute-names",
        name,
    ];
    let answer = stack.aws_json(&arguments)?;
    Ok(answer["Attributes"][name].as_str().context("no count")?.parse()?)
}

fn in_flight(stack: &LocalStack, url: &str) -> anyhow::Result<u64> {
    attribute(stack, url, "ApproximateNumberOfMessagesNotVisible")
}

/// Notifications of an upload, as S3 writes them.
fn notification(key: &str, etag: &str) -> Value {
    json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "vod"}, "object": {"key": key, "eTag": etag, "size": 1, "sequencer": "0A"}}}]})
}

#[test]
fn poison_ends_in_the_dead_letters_and_can_be_sent_again() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let (uploads, dead) = (queue_url(&stack, "uploads")?, queue_url(&stack, DEAD)?);
    ensure!(
        uploads == format!("{}/000000000000/uploads", stack.endpoints.api),
        "{uploads}"
    );
    let poison = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": "?"}]}).to_string();
    let sent = stack.aws_json(&[
        "sqs",
        "send-message",
        "--queue-url",
        &uploads,
        "--message-body",
        &poison,
    ])?;
    wait::until("the message to be dead", wait::SOON, || {
        Ok((count(&stack, &dead)? == 1).then_some(()))
    })?;

    let letters = stack.vod_json(&["dead-letters"])?;
    ensure!(
        letters.as_array().is_some_and(|letters| letters.len() == 1),
        "{letters:#}"
    );
    ensure!(
        letters[0]["queue"] == "uploads" && letters[0]["message_id"] == sent["MessageId"],
        "{letters:#}"
    );
    // Five deliveries, and our look at it.
    ensure!(letters[0]["receive_count"] == 6, "{letters:#}");

    // With a message about an upload that has a record by now.
    stack.upload(&clips::ordinary("320x180", 2.0)?, "input/a b.mp4")?;
    let record = stack.wait_for_complete("input/a b.mp4")?;
    let etag = record["source"]["etag"].as_str().context("no etag")?;
    let event = notification("input/a+b.mp4", etag).to_string();
    stack.aws(&[
        "sqs",
        "send-message",
        "--queue-url",
        &dead,
        "--message-body",
        &event,
    ])?;
    let letters = stack.vod_json(&["dead-letters"])?;
    let about = letters
        .as_array()
        .context("no list")?
        .iter()
        .find(|letter| letter["asset"] == record["id"]);
    let about = about.with_context(|| format!("{letters:#}"))?;
    ensure!(
        about["key"] == "input/a b.mp4" && about["state"] == "COMPLETE",
        "{about:#}"
    );

    let moved = stack.vod_json(&["dead-letters", "redrive", "uploads"])?;
    ensure!(moved == json!([{"queue": "uploads", "moved": 2}]), "{moved}");
    let tasks = stack.aws_json(&["sqs", "list-message-move-tasks", "--source-arn", DEAD_ARN])?;
    ensure!(tasks["Results"][0]["Status"] == "COMPLETED", "{tasks}");
    // The good one is handled, the other one fails again.
    wait::until("the good message to be handled", wait::SOON, || {
        let (waiting, at_work) = (count(&stack, &uploads)?, in_flight(&stack, &uploads)?);
        Ok((waiting + at_work == 1).then_some(()))
    })?;
    stack.aws(&["sqs", "start-message-move-task", "--source-arn", DEAD_ARN])?;

    let refused = stack
        .aws(&["sqs", "get-queue-url", "--queue-name", "none"])
        .err()
        .context("found")?;
    ensure!(
        format!("{refused:#}").contains("AWS.SimpleQueueService.NonExistentQueue"),
        "{refused:#}"
    );
    let refused = stack.vod(&["dead-letters", "redrive", "none"])?;
    ensure!(refused.status.code() == Some(1), "a queue that is not there");
    Ok(())
}
