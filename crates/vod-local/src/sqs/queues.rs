//! Operations about queues as a whole.

use local_base::queue::dead_letter_name;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::SqsError;
use super::{Known, MESSAGE_MAX, Sqs, unless_empty};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueUrl {
    queue_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfQueue {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
}

impl Sqs {
    pub(super) fn list_queues(&self, request: &ListQueues) -> Value {
        let names = self.known.iter().map(|known| &known.name);
        let names = names.filter(|name| name.starts_with(&request.queue_name_prefix));
        let urls: Vec<String> = names.map(|name| self.url_of(name)).collect();
        unless_empty("QueueUrls", &urls.into())
    }

    pub(super) fn queue_url(&self, request: &GetQueueUrl) -> Result<Value, SqsError> {
        let name = request.queue_name.as_deref();
        let known = self.by_name(name.ok_or(SqsError::MissingParameter("QueueName"))?);
        let known = known.ok_or(SqsError::QueueDoesNotExist)?;
        Ok(json!({ "QueueUrl": self.url_of(&known.name) }))
    }

    pub(super) async fn purge(&self, path: &str, request: &OfQueue) -> Result<Value, SqsError> {
        let known = self.known(path, request.queue_url.as_deref())?;
        let messages = self.queues.purge(&known.name).await?;
        tracing::warn!(queue = known.name, messages, "queue purged");
        Ok(json!({}))
    }

    pub(super) async fn attributes(&self, path: &str, request: &OfQueue) -> Result<Value, SqsError> {
        let known = self.known(path, request.queue_url.as_deref())?;
        let all = self.all_attributes(known).await?;
        let mut wanted = Map::new();
        for name in &request.attribute_names {
            match all.get(name) {
                _ if name == "All" => wanted.clone_from(&all),
                Some(value) => drop(wanted.insert(name.clone(), value.clone())),
                // Only of a queue that has dead letters.
                None if name == "RedrivePolicy" => {}
                None => return Err(SqsError::InvalidAttributeName(name.clone())),
            }
        }
        Ok(unless_empty("Attributes", &wanted.into()))
    }

    async fn all_attributes(&self, known: &Known) -> Result<Map<String, Value>, SqsError> {
        let counts = self.queues.counts(&known.name).await?;
        let mut all = Map::new();
        let mut add = |name: &str, value: String| drop(all.insert(name.to_owned(), Value::from(value)));
        add("QueueArn", self.arn(&known.name));
        add("ApproximateNumberOfMessages", counts.visible.to_string());
        add(
            "ApproximateNumberOfMessagesNotVisible",
            counts.in_flight.to_string(),
        );
        add("ApproximateNumberOfMessagesDelayed", "0".to_owned());
        add("DelaySeconds", "0".to_owned());
        add("MaximumMessageSize", MESSAGE_MAX.to_string());
        add("ReceiveMessageWaitTimeSeconds", "0".to_owned());
        let visibility = known.settings.visibility_timeout.as_secs();
        add("VisibilityTimeout", visibility.to_string());
        if known.source.is_none() {
            let policy = json!({
                "deadLetterTargetArn": self.arn(&dead_letter_name(&known.name)),
                "maxReceiveCount": known.settings.max_receive_count,
            });
            add("RedrivePolicy", policy.to_string());
        }
        Ok(all)
    }
}
