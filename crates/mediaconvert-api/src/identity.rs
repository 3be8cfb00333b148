//! The names of a service and of what it creates.

use std::sync::Arc;

/// What a service is called in ARNs and events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Such as `us-east-1`.
    pub region: Arc<str>,
    /// The AWS account id, 12 digits.
    pub account: Arc<str>,
    /// `source` of its events: `aws.mediaconvert` on AWS.
    pub source: Arc<str>,
    /// The name of the queue that always exists: `Default` on AWS.
    pub queue: Arc<str>,
}

impl Identity {
    /// `arn:aws:mediaconvert:<region>:<account>:<kind>/<name>`.
    pub fn arn(&self, kind: &str, name: &str) -> String {
        let Self { region, account, .. } = self;
        format!("arn:aws:mediaconvert:{region}:{account}:{kind}/{name}")
    }
}
