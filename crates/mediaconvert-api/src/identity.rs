//! The names of a service and of what it creates.

use std::sync::Arc;

use crate::ServiceError;

/// What a service is called in ARNs and events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Such as `us-east-1`.
    pub region: Arc<str>,
    /// The AWS account id, 12 digits.
    pub account: Arc<str>,
    /// `source` of its events: `aws.mediaconvert` on AWS.
    pub source: Arc<str>,
    /// The name of its one queue: `Default` on AWS.
    pub queue: Arc<str>,
}

impl Identity {
    /// `arn:aws:mediaconvert:<region>:<account>:<kind>/<name>`.
    pub fn arn(&self, kind: &str, name: &str) -> String {
        let Self { region, account, .. } = self;
        format!("arn:aws:mediaconvert:{region}:{account}:{kind}/{name}")
    }

    /// The ARN of the queue with this name or ARN. There is one queue, which an ARN of any account may name.
    pub(crate) fn queue_arn(&self, name: &str) -> Result<String, ServiceError> {
        let short = if name.starts_with("arn:") {
            name.rsplit('/').next().unwrap_or_default()
        } else {
            name
        };
        if *short != *self.queue {
            return Err(ServiceError::NotFound(format!(
                "The queue {name} does not exist."
            )));
        }
        Ok(self.arn("queues", short))
    }
}
