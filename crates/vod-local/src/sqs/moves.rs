//! Message move tasks: dead letters go back to where they came from.
//!
//! On AWS a task takes its time; here it is over when `StartMessageMoveTask` answers, whatever rate was asked for.

use std::sync::PoisonError;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use vod_ids as ids;

use super::Sqs;
use super::error::SqsError;

/// Tasks that are remembered, over all queues.
const REMEMBERED: usize = 40;
/// The most tasks in one answer of `ListMessageMoveTasks`.
const LISTED_MAX: u64 = 10;

/// A task that is over.
#[derive(Debug, Clone)]
pub(super) struct MoveTask {
    source_arn: String,
    destination_arn: Option<String>,
    rate: Option<u32>,
    moved: usize,
    started: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartMessageMoveTask {
    source_arn: Option<String>,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMessageMoveTasks {
    source_arn: Option<String>,
    max_results: Option<u64>,
}

impl Sqs {
    pub(super) async fn start_move(&self, request: StartMessageMoveTask) -> Result<Value, SqsError> {
        let source_arn = request
            .source_arn
            .ok_or(SqsError::MissingParameter("SourceArn"))?;
        let dead = self.by_arn(&source_arn).ok_or(SqsError::SourceDoesNotExist)?;
        let Some(source) = &dead.source else {
            let message = "Source queue must be configured as a Dead Letter Queue.";
            return Err(SqsError::InvalidParameterValue(message.to_owned()));
        };
        if let Some(rate) = request.max_number_of_messages_per_second
            && !(1..=500).contains(&rate)
        {
            return Err(SqsError::InvalidParameterValue(format!(
                "Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500."
            )));
        }
        let target = match &request.destination_arn {
            Some(arn) => &self.by_arn(arn).ok_or(SqsError::QueueDoesNotExist)?.name,
            None => source,
        };
        let moved = self.queues.move_all(&dead.name, target).await?;
        tracing::info!(
            from = dead.name,
            to = target,
            messages = moved,
            "dead letters sent again"
        );
        let task = format!(r#"{{"taskId":"{}","sourceArn":"{source_arn}"}}"#, ids::uuid());
        let mut remembered = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.push_front(MoveTask {
            source_arn,
            destination_arn: request.destination_arn,
            rate: request.max_number_of_messages_per_second,
            moved,
            started: Timestamp::now(),
        });
        remembered.truncate(REMEMBERED);
        Ok(json!({ "TaskHandle": BASE64_STANDARD.encode(task) }))
    }

    pub(super) fn list_moves(&self, request: &ListMessageMoveTasks) -> Result<Value, SqsError> {
        let arn = request.source_arn.as_deref();
        let arn = arn.ok_or(SqsError::MissingParameter("SourceArn"))?;
        if self.by_arn(arn).is_none() {
            return Err(SqsError::SourceDoesNotExist);
        }
        let count = request.max_results.unwrap_or(1).clamp(1, LISTED_MAX);
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let results: Vec<Value> = moves
            .iter()
            .filter(|task| task.source_arn == arn)
            .take(usize::try_from(count).unwrap_or(1))
            .map(describe)
            .collect();
        Ok(json!({ "Results": results }))
    }
}

/// A task that is over as AWS describes it: without its handle, which only one that runs needs.
fn describe(task: &MoveTask) -> Value {
    let mut described = json!({
        "Status": "COMPLETED",
        "SourceArn": task.source_arn,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.moved,
        "StartedTimestamp": task.started.as_millisecond(),
    });
    if let Some(arn) = &task.destination_arn {
        described["DestinationArn"] = arn.as_str().into();
    }
    if let Some(rate) = task.rate {
        described["MaxNumberOfMessagesPerSecond"] = rate.into();
    }
    described
}
