//! Redrives dead letters: to their queue, or to the function that EventBridge could not invoke.

use std::time::Duration;

use anyhow::bail;
use serde_json::json;

use super::{Queue, WayBack, event, give_back, receive};
use crate::aws::Aws;
use crate::aws::service::SQS;
use crate::output;
use crate::stack::Stack;

/// Interval between checks of a running move task.
const POLL: Duration = Duration::from_millis(500);
/// Time for which messages stay hidden while a function is invoked with each.
const HANDING_SECONDS: u32 = 900;

pub(super) async fn run(
    stack: &Stack,
    queues: &[Queue],
    only: Option<&str>,
    as_json: bool,
) -> anyhow::Result<()> {
    let wanted: Vec<&Queue> = queues
        .iter()
        .filter(|queue| {
            only.is_none_or(|name| queue.name == name || queue.dead_url.ends_with(&format!("/{name}")))
        })
        .collect();
    if wanted.is_empty() {
        let names: Vec<_> = queues.iter().map(|queue| queue.name.as_str()).collect();
        bail!(
            "no queue `{}`: there are {}",
            only.unwrap_or_default(),
            names.join(", ")
        );
    }
    let mut results = Vec::new();
    for queue in wanted {
        let moved = match queue.way_back {
            WayBack::Queue => to_queue(&stack.aws, queue).await?,
            WayBack::Function(function) => to_function(stack, queue, function).await?,
        };
        results.push(json!({"queue": queue.name, "moved": moved}));
        if !as_json {
            output::line(&format!("{}: {moved} sent again", queue.name))?;
        }
    }
    if as_json { output::json(&results) } else { Ok(()) }
}

async fn to_queue(aws: &Aws, queue: &Queue) -> anyhow::Result<u64> {
    let request = json!({"SourceArn": queue.dead_arn});
    aws.json(&SQS, "StartMessageMoveTask", &request).await?;
    loop {
        let answer = aws.json(&SQS, "ListMessageMoveTasks", &request).await?;
        let task = &answer["Results"][0];
        match task["Status"].as_str() {
            Some("RUNNING") => tokio::time::sleep(POLL).await,
            Some("COMPLETED") => return Ok(task["ApproximateNumberOfMessagesMoved"].as_u64().unwrap_or(0)),
            other => bail!(
                "moving the dead letters of `{}` ended as {}: {}",
                queue.name,
                other.unwrap_or("unknown"),
                output::plain(task["FailureReason"].as_str().unwrap_or("no reason given"))
            ),
        }
    }
}

/// Invokes the function with each event. A message is deleted only if the function succeeds: handling an event twice is
/// harmless, losing one is not.
async fn to_function(stack: &Stack, queue: &Queue, function: &str) -> anyhow::Result<u64> {
    let (mut moved, mut refused) = (0, Vec::new());
    for message in receive(stack, queue, HANDING_SECONDS).await? {
        let event = event(message["Body"].as_str().unwrap_or_default());
        match stack.invoke(function, &event).await {
            Ok(_) => {
                let done = json!({"QueueUrl": queue.dead_url, "ReceiptHandle": message["ReceiptHandle"]});
                stack.aws.json(&SQS, "DeleteMessage", &done).await?;
                moved += 1;
            }
            Err(error) => {
                give_back(&stack.aws, queue, &message).await?;
                refused.push(error);
            }
        }
    }
    match refused.first() {
        Some(error) => bail!(
            "{moved} messages of `{}` sent again, {} remain: {error:#}",
            queue.name,
            refused.len()
        ),
        None => Ok(moved),
    }
}
