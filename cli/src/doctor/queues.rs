//! The queue of uploads, its dead letters, and MediaConvert's queue.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::aws::media_error;
use crate::aws::service::SQS;
use crate::dead_letters;
use crate::stack::Stack;
use crate::stack::outputs::Outputs;

/// Checks that messages which wait are also received.
pub(super) async fn local(stack: &Stack) -> anyhow::Result<String> {
    let answer = stack.aws.json(&SQS, "ListQueues", &json!({})).await?;
    let mut queues = Vec::new();
    let urls = answer["QueueUrls"].as_array().into_iter().flatten();
    for url in urls.filter_map(Value::as_str) {
        let attributes = attributes(stack, url).await?;
        let (waiting, in_flight) = waiting_and_in_flight(&attributes);
        // Only the queues that feed functions have a redrive policy.
        if attributes["RedrivePolicy"].is_null() {
            continue;
        }
        let name = url.rsplit('/').next().unwrap_or(url);
        ensure!(
            waiting == 0 || in_flight > 0,
            "{waiting} messages are waiting in `{name}`, but no consumer is receiving them"
        );
        queues.push(format!("{name}: {waiting} waiting, {in_flight} in flight"));
    }
    ensure!(!queues.is_empty(), "there is no queue of uploads");
    Ok(queues.join("; "))
}

/// Checks that the queue exists and has dead letters. How many messages wait is reported only: an alarm watches their age.
pub(super) async fn uploads(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let attributes = attributes(stack, &outputs.upload_queue).await?;
    let redrive = attributes["RedrivePolicy"].as_str();
    let redrive: Value = redrive
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let target = redrive["deadLetterTargetArn"].as_str().unwrap_or_default();
    let dead = outputs.upload_dead_letters.rsplit('/').next().unwrap_or_default();
    ensure!(
        target.rsplit(':').next() == Some(dead),
        "messages that fail at every delivery would be lost: the queue has no dead letters"
    );
    let (waiting, in_flight) = waiting_and_in_flight(&attributes);
    Ok(format!("{waiting} waiting, {in_flight} in flight"))
}

/// Checks that MediaConvert's queue takes jobs.
pub(super) async fn encoder(stack: &Stack, queue: &str) -> anyhow::Result<String> {
    let found = stack.aws.mediaconvert().queue(queue).await;
    let found = found.map_err(media_error)?;
    let found = found.with_context(|| format!("MediaConvert has no queue `{queue}`"))?;
    ensure!(found.status == "ACTIVE", "the queue is {}", found.status);
    Ok(format!(
        "queue ACTIVE, {} jobs waiting, {} running",
        found.submitted, found.progressing
    ))
}

/// Checks that there are no dead letters.
pub(super) async fn dead(stack: &Stack) -> anyhow::Result<String> {
    let counts = dead_letters::counts(stack).await?;
    let dead: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(queue, count)| format!("{count} of `{queue}`"))
        .collect();
    ensure!(dead.is_empty(), "{}", dead.join(", "));
    Ok("none".to_owned())
}

async fn attributes(stack: &Stack, url: &str) -> anyhow::Result<Value> {
    let request = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let mut answer = stack.aws.json(&SQS, "GetQueueAttributes", &request).await?;
    Ok(answer["Attributes"].take())
}

fn waiting_and_in_flight(attributes: &Value) -> (u64, u64) {
    let count = |name: &str| {
        attributes[name]
            .as_str()
            .and_then(|count| count.parse().ok())
            .unwrap_or(0)
    };
    (
        count("ApproximateNumberOfMessages"),
        count("ApproximateNumberOfMessagesNotVisible"),
    )
}
