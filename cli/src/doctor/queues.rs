//! The queue of uploads, who may put messages into it, and what nobody could handle.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::policy::lets;
use crate::aws::service::SQS;
use crate::dead_letters;
use crate::stack::Stack;
use crate::stack::outputs::Outputs;

/// Whether deliveries move: what waits is being worked on.
pub(super) async fn local(stack: &Stack) -> anyhow::Result<String> {
    let answer = stack.aws.json(&SQS, "ListQueues", &json!({})).await?;
    let mut told = Vec::new();
    let urls = answer["QueueUrls"].as_array().into_iter().flatten();
    for url in urls.filter_map(Value::as_str) {
        let attributes = attributes(stack, url).await?;
        let (waiting, working) = waiting_and_working(&attributes);
        // Only the queues that functions are fed from have a redrive policy.
        if attributes["RedrivePolicy"].is_null() {
            continue;
        }
        let name = url.rsplit('/').next().unwrap_or(url);
        ensure!(
            waiting == 0 || working > 0,
            "{waiting} messages wait in `{name}` and nobody takes them"
        );
        told.push(format!("{name}: {waiting} waiting, {working} at work"));
    }
    ensure!(!told.is_empty(), "there is no queue of uploads");
    Ok(told.join("; "))
}

/// Whether the queue is there and keeps what fails. How many wait is told, not judged: the alarm on age does that.
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
        "what fails at every delivery would be lost: the queue has no dead letters"
    );
    let (waiting, working) = waiting_and_working(&attributes);
    Ok(format!("{waiting} waiting, {working} at work"))
}

/// Whether the bucket may put messages into the queue.
pub(super) async fn policy(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let attributes = attributes(stack, &outputs.upload_queue).await?;
    let policy = attributes["Policy"].as_str().context("the queue has no policy")?;
    let policy: Value = serde_json::from_str(policy).context("the queue's policy is no JSON")?;
    let partition = outputs.upload_queue_arn.split(':').nth(1).unwrap_or("aws");
    let bucket = format!("arn:{partition}:s3:::{}", outputs.bucket);
    ensure!(
        lets(&policy, "s3.amazonaws.com", "sqs:SendMessage", &bucket),
        "the queue does not let the bucket `{}` send messages",
        outputs.bucket
    );
    Ok("the bucket may send messages".to_owned())
}

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

fn waiting_and_working(attributes: &Value) -> (u64, u64) {
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
