//! `SendMessage` of SQS.

use serde_json::{Value, json};

use crate::call::{Call, Caller};
use crate::{AwsConfig, Refusal, chain};

/// A queue that messages are sent to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue {
    caller: Caller,
    url: String,
}

/// A message that could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("failed to send a message to `{url}`: {reason}")]
pub struct QueueError {
    url: String,
    reason: String,
}

impl Queue {
    /// The queue at `url`, whose host is also the endpoint.
    pub fn new(aws: &AwsConfig, url: impl Into<String>) -> Self {
        Self {
            caller: Caller::from_config(aws),
            url: url.into(),
        }
    }

    /// Sends a message.
    pub async fn send(&self, body: &Value) -> Result<(), QueueError> {
        let endpoint = crate::origin(&self.url);
        let request = json!({"QueueUrl": self.url, "MessageBody": body.to_string()});
        let call = Call::new("sqs", "SendMessage", endpoint).json("1.0", "AmazonSQS", &request);
        self.caller.send(call).await.map_err(|error| QueueError {
            url: self.url.clone(),
            reason: Refusal::of(&error).map_or_else(|| chain(&error), |refusal| refusal.to_string()),
        })?;
        Ok(())
    }
}
