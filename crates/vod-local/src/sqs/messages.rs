//! Operations about single messages.

use std::time::{Duration, Instant};

use local_base::queue::{Message, Queue, QueueSettings};
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::SqsError;
use super::{Known, MESSAGE_MAX, Sqs, unless_empty};

/// Length of the receipt handles that [`local_base::queue`] makes.
const RECEIPT_LENGTH: usize = 48;
/// SQS's longest visibility timeout, in seconds.
const VISIBILITY_MAX: u64 = 12 * 3600;
/// SQS's longest wait for a message, in seconds.
const WAIT_MAX: u64 = 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    queue_url: Option<String>,
    message_body: Option<String>,
    #[serde(default)]
    delay_seconds: u64,
    #[serde(default)]
    message_attributes: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    max_number_of_messages: Option<u64>,
    visibility_timeout: Option<u64>,
    #[serde(default)]
    wait_time_seconds: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfMessage {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<u64>,
}

impl OfMessage {
    fn receipt(&self) -> Result<&str, SqsError> {
        let receipt = self.receipt_handle.as_deref();
        let receipt = receipt.ok_or(SqsError::MissingParameter("ReceiptHandle"))?;
        let ours =
            receipt.len() == RECEIPT_LENGTH && receipt.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if ours {
            Ok(receipt)
        } else {
            Err(SqsError::ReceiptHandleIsInvalid)
        }
    }
}

impl Sqs {
    pub(super) async fn send(&self, path: &str, request: SendMessage) -> Result<Value, SqsError> {
        let known = self.known(path, request.queue_url.as_deref())?;
        let body = request
            .message_body
            .filter(|body| !body.is_empty())
            .ok_or(SqsError::MissingParameter("MessageBody"))?;
        if body.len() > MESSAGE_MAX {
            return Err(SqsError::InvalidParameterValue(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {MESSAGE_MAX} bytes."
            )));
        }
        if request.delay_seconds > 0 {
            return Err(SqsError::Unsupported("DelaySeconds".to_owned()));
        }
        if !request.message_attributes.is_empty() {
            return Err(SqsError::Unsupported("MessageAttributes".to_owned()));
        }
        let digest = md5_hex(&body);
        let id = self.queues.send(&known.name, body).await?;
        Ok(json!({ "MessageId": id, "MD5OfMessageBody": digest }))
    }

    pub(super) async fn receive(&self, path: &str, request: &ReceiveMessage) -> Result<Value, SqsError> {
        let known = self.known(path, request.queue_url.as_deref())?;
        let count = request.max_number_of_messages.unwrap_or(1);
        let count = usize::try_from(within("MaxNumberOfMessages", count, 1, 10)?).unwrap_or(1);
        let patience =
            Duration::from_secs(within("WaitTimeSeconds", request.wait_time_seconds, 0, WAIT_MAX)?);
        let visibility = match request.visibility_timeout {
            Some(seconds) => Duration::from_secs(within("VisibilityTimeout", seconds, 0, VISIBILITY_MAX)?),
            None => known.settings.visibility_timeout,
        };
        let settings = QueueSettings {
            visibility_timeout: visibility,
            ..known.settings
        };
        let queue = self.queues.queue(&known.name, settings);
        let messages = wait_for_messages(&queue, count, patience).await?;
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| self.describe(known, message, request))
            .collect();
        Ok(unless_empty("Messages", &messages.into()))
    }

    fn describe(&self, known: &Known, message: &Message, request: &ReceiveMessage) -> Value {
        let wanted = |name: &str| {
            let both = request
                .attribute_names
                .iter()
                .chain(&request.message_system_attribute_names);
            both.into_iter().any(|asked| asked == "All" || asked == name)
        };
        let ms = |time: jiff::Timestamp| time.as_millisecond().to_string();
        let attributes = [
            ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
            (
                "ApproximateFirstReceiveTimestamp",
                Some(ms(message.first_received_at)),
            ),
            ("SentTimestamp", Some(ms(message.sent_at))),
            (
                "DeadLetterQueueSourceArn",
                known.source.as_deref().map(|source| self.arn(source)),
            ),
        ];
        let attributes: Map<String, Value> = attributes
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))))
            .collect();
        let mut described = json!({
            "MessageId": message.id,
            "ReceiptHandle": message.receipt_handle,
            "MD5OfBody": md5_hex(&message.body),
            "Body": message.body,
        });
        if !attributes.is_empty() {
            described["Attributes"] = attributes.into();
        }
        described
    }

    pub(super) async fn delete(&self, path: &str, request: &OfMessage) -> Result<Value, SqsError> {
        let known = self.known(path, request.queue_url.as_deref())?;
        // As on AWS, the receipt of an earlier delivery deletes nothing and is no error.
        self.queue(known).delete(request.receipt()?).await?;
        Ok(json!({}))
    }

    pub(super) async fn change_visibility(&self, path: &str, request: &OfMessage) -> Result<Value, SqsError> {
        let known = self.known(path, request.queue_url.as_deref())?;
        let seconds = request.visibility_timeout;
        let seconds = seconds.ok_or(SqsError::MissingParameter("VisibilityTimeout"))?;
        let timeout = Duration::from_secs(within("VisibilityTimeout", seconds, 0, VISIBILITY_MAX)?);
        let receipt = request.receipt()?;
        if self.queue(known).change_visibility(receipt, timeout).await? {
            return Ok(json!({}));
        }
        Err(SqsError::InvalidParameterValue(format!(
            "Value {receipt} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not \
             available for visibility timeout change."
        )))
    }
}

/// Long polling: answers as soon as there is a message, or when `patience` is over.
async fn wait_for_messages(
    queue: &Queue,
    count: usize,
    patience: Duration,
) -> Result<Vec<Message>, SqsError> {
    let started = Instant::now();
    loop {
        let messages = queue.receive(count).await?;
        let left = patience.saturating_sub(started.elapsed());
        if !messages.is_empty() || left.is_zero() {
            return Ok(messages);
        }
        if let Ok(arrived) = tokio::time::timeout(left, queue.wait()).await {
            arrived?;
        }
    }
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<u64, SqsError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(SqsError::InvalidParameterValue(format!(
        "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."
    )))
}

fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}
