//! Reads and writes a secret in Secrets Manager. Values are only in request bodies, never in arguments, files or logs.

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use vod_ids::uuid;

use crate::aws::service::SECRETS_MANAGER;
use crate::aws::{Aws, AwsError};
use crate::output;
use crate::stack::tokens::secret as value;

/// The tag with the time at which the active key began to sign, in seconds since the epoch.
const ACTIVATED: &str = "vod:activated";

/// The description of an existing secret by `DescribeSecret`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) arn: String,
    /// Whether it is scheduled for deletion: it cannot be read until it is restored.
    pub(super) is_deleted: bool,
    /// Time at which its active key began to sign.
    pub(super) activated: Option<i64>,
    /// The version that is read.
    pub(super) current: Option<String>,
    /// The version before.
    pub(super) previous: Option<String>,
}

impl Described {
    fn read(answer: &Value) -> Self {
        let stage = |name: &str| {
            let versions = answer["VersionIdsToStages"].as_object()?;
            let has = |stages: &Value| {
                stages
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| one == name))
            };
            let mut found = versions.iter().filter(|(_, stages)| has(stages));
            found.next().map(|(id, _)| id.clone())
        };
        let mut tags = answer["Tags"].as_array().into_iter().flatten();
        let activated = tags.find(|tag| tag["Key"] == ACTIVATED);
        Self {
            arn: answer["ARN"].as_str().unwrap_or_default().to_owned(),
            is_deleted: !answer["DeletedDate"].is_null(),
            activated: activated.and_then(|tag| tag["Value"].as_str()?.parse().ok()),
            current: stage("AWSCURRENT"),
            previous: stage("AWSPREVIOUS"),
        }
    }
}

/// Reads and changes a secret, or only prints the changes.
#[derive(Debug)]
pub(super) struct Secret<'a> {
    pub(super) aws: &'a Aws,
    pub(super) name: String,
    pub(super) plan: bool,
}

impl Secret<'_> {
    /// The secret, if it exists. Any other failure is an error, because it does not show whether the secret exists.
    pub(super) async fn describe(&self) -> Result<Option<Described>, AwsError> {
        let request = json!({ "SecretId": self.name });
        match self.aws.json(&SECRETS_MANAGER, "DescribeSecret", &request).await {
            Ok(answer) => Ok(Some(Described::read(&answer))),
            Err(AwsError::Refused(refusal)) if refusal.code == "ResourceNotFoundException" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The value of the current version.
    pub(super) async fn value(&self) -> anyhow::Result<String> {
        let read = value(self.aws, &self.name).await;
        read.with_context(|| {
            format!(
                "the secret `{}` could not be read, so nothing was changed",
                self.name
            )
        })
    }

    /// Restores the secret from its deletion.
    pub(super) async fn restore(&self) -> Result<(), AwsError> {
        let request = json!({ "SecretId": self.name });
        self.change("RestoreSecret", "restore-secret --secret-id", &request)
            .await
    }

    /// Creates the secret with this value.
    pub(super) async fn create(&self, stack: &str, about: &str, value: &str) -> Result<(), AwsError> {
        let request = json!({
            "Name": self.name, "Description": about, "SecretString": value, "ClientRequestToken": uuid(),
            "Tags": [{ "Key": "vod:stack", "Value": stack }],
        });
        self.change("CreateSecret", "create-secret --secret-string … --name", &request)
            .await
    }

    /// Writes a new version, which becomes the current one.
    pub(super) async fn put(&self, value: &str) -> Result<(), AwsError> {
        let request = json!({ "SecretId": self.name, "SecretString": value, "ClientRequestToken": uuid() });
        self.change(
            "PutSecretValue",
            "put-secret-value --secret-string … --secret-id",
            &request,
        )
        .await
    }

    /// Records that the key that becomes active begins to sign now.
    pub(super) async fn tag_activated(&self) -> Result<(), AwsError> {
        let now = Timestamp::now().as_second().to_string();
        let request = json!({ "SecretId": self.name, "Tags": [{ "Key": ACTIVATED, "Value": now }] });
        let shown = format!("tag-resource --tags Key={ACTIVATED},Value={now} --secret-id");
        self.change("TagResource", &shown, &request).await
    }

    /// Sends a request that changes something, or prints it as a command of the AWS CLI.
    async fn change(&self, operation: &str, shown: &str, request: &Value) -> Result<(), AwsError> {
        if self.plan {
            output::note(&format!("would run: aws secretsmanager {shown} {}", self.name));
            return Ok(());
        }
        self.aws
            .json(&SECRETS_MANAGER, operation, request)
            .await
            .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read() {
        let answer = json!({
            "ARN": "arn:x", "DeletedDate": 1.0, "Tags": [{"Key": "vod:activated", "Value": "17"}, {"Key": "a", "Value": "b"}],
            "VersionIdsToStages": {"v1": ["AWSPREVIOUS"], "v2": ["AWSCURRENT", "mine"], "v3": []},
        });
        let expected = Described {
            arn: "arn:x".to_owned(),
            is_deleted: true,
            activated: Some(17),
            current: Some("v2".to_owned()),
            previous: Some("v1".to_owned()),
        };
        assert_eq!(Described::read(&answer), expected);
        let plain = json!({"ARN": "arn:x", "Tags": [{"Key": "vod:activated", "Value": "soon"}]});
        let expected = Described {
            arn: "arn:x".to_owned(),
            ..Described::default()
        };
        assert_eq!(Described::read(&plain), expected);
    }
}
