//! `vod explain-error` (hidden): explains a failure of the AWS CLI, so that the scripts of `infra/` and this command have
//! one set of explanations.

use std::io::Read as _;

use crate::aws::{AwsError, Refusal};
use crate::output;

/// Longest text that is read, in bytes.
const TEXT_MAX: u64 = 64 << 10;

/// Reads what the AWS CLI wrote to its standard error, and prints what it means.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut text = Vec::new();
    std::io::stdin().take(TEXT_MAX).read_to_end(&mut text)?;
    output::line(&explain(String::from_utf8_lossy(&text).trim()))
}

fn explain(text: &str) -> String {
    if let Some(refusal) = refusal(text) {
        let advice = bucket_advice(&refusal);
        return advice.unwrap_or_else(|| AwsError::Refused(Box::new(refusal)).to_string());
    }
    let has = |words: &str| text.contains(words);
    let last_line = || output::plain(text.lines().next_back().unwrap_or_default());
    if has("Unable to locate credentials") {
        return AwsError::NoCredentials("none were found".to_owned()).to_string();
    }
    if has("SSO") && has("expired") || has("Error loading SSO Token") {
        return AwsError::BadCredentials(last_line()).to_string();
    }
    if let Some((_, endpoint)) = text.split_once("Could not connect to the endpoint URL: ") {
        let endpoint = output::plain(endpoint.lines().next().unwrap_or_default().trim_matches('"'));
        return format!("AWS cannot be reached at {endpoint}: check the region's name and the network");
    }
    // The scripts print it; a second line may hold a hint of AWS.
    text.to_owned()
}

/// `An error occurred (CODE) when calling the OPERATION operation: MESSAGE`
fn refusal(text: &str) -> Option<Refusal> {
    let (_, rest) = text.split_once("An error occurred (")?;
    let (code, rest) = rest.split_once(") when calling the ")?;
    let (operation, rest) = rest.split_once(" operation")?;
    let (_, message) = rest.split_once(": ")?;
    // HEAD requests have no error code, so the CLI puts the status in its place.
    let status = code.parse().ok();
    Some(Refusal {
        what: operation.to_owned(),
        permission: operation.to_owned(),
        status: status.unwrap_or(0),
        code: if status.is_some() { "" } else { code }.to_owned(),
        message: message.to_owned(),
    })
}

/// What to change at a bucket that S3 does not accept as it is.
fn bucket_advice(refusal: &Refusal) -> Option<String> {
    let says = |words: &str| refusal.message.contains(words);
    let shown = "`aws s3api get-bucket-notification-configuration --bucket …` shows it";
    Some(match refusal.code.as_str() {
        "BucketAlreadyExists" => {
            "that bucket's name is taken by another account: choose one with --bucket".to_owned()
        }
        _ if says("Unable to validate the following destination") => format!(
            "a notification of the bucket's own leads to a queue, topic or function that does not exist any more or does \
             not let S3 in: {shown}. Remove it with put-bucket-notification-configuration, then start again"
        ),
        _ if says("ambiguously defined") || says("Configurations overlap") => format!(
            "the bucket has a notification of its own for new objects under input/, and S3 sends such an event to one \
             target only: {shown}. Limit it to another prefix, then start again"
        ),
        _ if says("Versioning must be 'Enabled'") => {
            "S3 copies from versioned buckets only: turn versioning on (`aws s3api put-bucket-versioning \
             --versioning-configuration Status=Enabled --bucket …`), then start again"
                .to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_the_aws_cli_are_explained() {
        let refused = |code: &str, operation: &str, message: &str| {
            format!("\nAn error occurred ({code}) when calling the {operation} operation: {message}")
        };
        for (text, words) in [
            (
                "Unable to locate credentials. You can configure credentials by running \"aws configure\".".to_owned(),
                "there are no AWS credentials",
            ),
            (
                "Error when retrieving token from sso: Token has expired and refresh failed\nThe SSO session has expired"
                    .to_owned(),
                "aws sso login",
            ),
            (
                "Could not connect to the endpoint URL: \"https://sts.mars.amazonaws.com/\"".to_owned(),
                "AWS cannot be reached at https://sts.mars.amazonaws.com/: check",
            ),
            (refused("ExpiredToken", "GetCallerIdentity", "x"), "sign in again"),
            (
                refused(
                    "AccessDenied",
                    "CreateChangeSet",
                    "User: u is not authorized to perform: cloudformation:CreateChangeSet on resource: r",
                ),
                "lack the permission cloudformation:CreateChangeSet",
            ),
            (
                refused("403", "HeadBucket", "Forbidden"),
                "HeadBucket: these credentials lack the permission",
            ),
            (
                refused("Throttling", "CreateChangeSet", "Rate exceeded"),
                "throttling",
            ),
            (
                "An error occurred (SlowDown) when calling the PutObject operation (reached max retries: 4): slower".to_owned(),
                "throttling",
            ),
            (
                refused("OperationAborted", "PutBucketPolicy", "conflicting"),
                "another update is running",
            ),
            (
                refused("BucketAlreadyExists", "CreateBucket", "x"),
                "taken by another account",
            ),
            (
                refused(
                    "InvalidArgument",
                    "PutBucketNotificationConfiguration",
                    "Unable to validate the following destination configurations",
                ),
                "does not exist any more",
            ),
            (
                refused(
                    "InvalidArgument",
                    "PutBucketNotificationConfiguration",
                    "Configurations overlap.",
                ),
                "a notification of its own for new objects under input/",
            ),
            (
                refused(
                    "InvalidRequest",
                    "PutBucketReplication",
                    "Versioning must be 'Enabled' on the bucket",
                ),
                "turn versioning on",
            ),
            (
                refused("ValidationError", "CreateChangeSet", "Template error: x"),
                "CreateChangeSet: Template error: x (ValidationError)",
            ),
            ("something else\nof two lines".to_owned(), "something else\nof two lines"),
        ] {
            let explained = explain(text.trim());
            assert!(explained.contains(words), "{text}: {explained}");
        }
    }
}
