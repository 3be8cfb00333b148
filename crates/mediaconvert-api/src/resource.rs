//! Stores the service's resources beside jobs: queues, job templates, presets, tags and the policy.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Identity, ServiceError};

/// A kind of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Queue,
    JobTemplate,
    Preset,
    /// The tags of a job, under the job's id. The body is empty.
    Job,
    /// The policy for inputs. There is one, with the name `policy`.
    Policy,
}

impl Kind {
    /// The name in ARNs, in paths and in stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queues",
            Self::JobTemplate => "jobTemplates",
            Self::Preset => "presets",
            Self::Job => "jobs",
            Self::Policy => "policy",
        }
    }

    /// The most of a kind in one account: AWS's quotas per Region
    /// (<https://docs.aws.amazon.com/general/latest/gr/mediaconvert.html>).
    pub(crate) fn most(self) -> usize {
        match self {
            Self::Queue => 10,
            Self::JobTemplate | Self::Preset => 100,
            Self::Job | Self::Policy => usize::MAX,
        }
    }

    /// The kind in the words of messages.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Queue => ("queue", "queueArn"),
            Self::JobTemplate => ("job template", "jobTemplateArn"),
            Self::Preset => ("preset", "presetArn"),
            Self::Job => ("job", "jobArn"),
            Self::Policy => ("policy", "policyArn"),
        }
    }

    /// AWS's text for a job template or a preset that does not exist, applied to all kinds
    /// (<https://github.com/aws-solutions/video-on-demand-on-aws/issues/122>).
    pub(crate) fn not_found(self, identity: &Identity, name: &str) -> ServiceError {
        ServiceError::NotFound(self.not_found_text(identity, name))
    }

    pub(crate) fn not_found_text(self, identity: &Identity, name: &str) -> String {
        let (words, member) = self.words();
        let arn = identity.arn(self.as_str(), short(name));
        format!("The specified {words} was not found: {member}={arn}.")
    }

    /// The text is ours.
    pub(crate) fn exists(self, identity: &Identity, name: &str) -> ServiceError {
        let (words, member) = self.words();
        let arn = identity.arn(self.as_str(), name);
        ServiceError::Conflict(format!("The specified {words} already exists: {member}={arn}."))
    }

    /// The text is ours.
    pub(crate) fn too_many(self) -> ServiceError {
        let (words, _) = self.words();
        ServiceError::QuotaExceeded(format!(
            "You have reached the quota of {} for {words}s.",
            self.most()
        ))
    }
}

/// One resource as stores keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    pub name: String,
    /// Members of the API's shape, with `name` and without what is computed.
    pub body: Value,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The result of storing a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Yes,
    /// One of its kind has its name.
    Exists,
    /// There are as many of its kind as may be.
    Full,
}

impl Resource {
    /// A new resource of the account with the members of a request.
    pub(crate) fn new(
        kind: Kind,
        name: &str,
        mut members: Map<String, Value>,
        identity: &Identity,
        now: Timestamp,
    ) -> Self {
        let tags = members
            .remove("tags")
            .map(|tags| strings(&tags))
            .unwrap_or_default();
        members.retain(|_, value| !value.is_null());
        let own = [
            ("name", json!(name)),
            ("arn", json!(identity.arn(kind.as_str(), name))),
            ("type", json!("CUSTOM")),
            ("createdAt", json!(now.as_second())),
            ("lastUpdated", json!(now.as_second())),
        ];
        members.extend(own.map(|(member, value)| (member.to_owned(), value)));
        Self {
            name: name.to_owned(),
            body: Value::Object(members),
            tags,
        }
    }

    /// Replaces the members that an update gives.
    pub(crate) fn update(&mut self, members: Map<String, Value>, now: Timestamp) {
        if let Value::Object(body) = &mut self.body {
            body.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
            body.insert("lastUpdated".to_owned(), now.as_second().into());
        }
    }

    /// Seconds since the epoch.
    pub(crate) fn created_at(&self) -> i64 {
        self.body["createdAt"].as_i64().unwrap_or_default()
    }
}

/// The name in a name or an ARN. ARNs of any account and Region are taken.
pub(crate) fn short(name: &str) -> &str {
    if name.starts_with("arn:") {
        name.split_once('/').map_or("", |(_, name)| name)
    } else {
        name
    }
}

/// A map of strings, as the model has checked it.
pub(crate) fn strings(value: &Value) -> BTreeMap<String, String> {
    let members = value.as_object().into_iter().flatten();
    members
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns() {
        for (given, expected) in [
            ("hd", "hd"),
            ("arn:aws:mediaconvert:us-east-1:000000000000:presets/hd", "hd"),
            ("arn:aws:mediaconvert:us-east-1:000000000000:presets/a/b", "a/b"),
            ("arn:", ""),
        ] {
            assert_eq!(short(given), expected);
        }
    }
}
