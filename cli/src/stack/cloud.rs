//! Describes a stack on AWS by CloudFormation, and searches other regions for a missing stack.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use futures::future::join_all;
use serde_json::Value;

use crate::aws::service::CLOUDFORMATION;
use crate::aws::{Aws, AwsError};

/// Regions that every account has (AWS Regions, "enabled by default"): in which a missing stack is searched.
const REGIONS: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
];
/// Time limit of the search for a missing stack.
const SEARCH: Duration = Duration::from_secs(8);
/// Maximum number of pages of stacks that are searched.
const PAGES: usize = 5;

/// The description of a stack by `DescribeStacks`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Description {
    fn read(stack: &Value) -> Self {
        let pairs = |list: &Value, kind: &str| {
            let pair = |pair: &Value| {
                let text = |name: String| pair[name].as_str().map(str::to_owned);
                Some((text(format!("{kind}Key"))?, text(format!("{kind}Value"))?))
            };
            list.as_array().into_iter().flatten().filter_map(pair).collect()
        };
        let text = |name: &str| stack[name].as_str().unwrap_or_default().to_owned();
        Self {
            name: text("StackName"),
            status: text("StackStatus"),
            outputs: pairs(&stack["Outputs"], "Output"),
            parameters: pairs(&stack["Parameters"], "Parameter"),
        }
    }

    /// `None` if the stack is healthy; a note for the user if it works nevertheless; an error if it does not.
    pub(crate) fn oddity(&self) -> anyhow::Result<Option<String>> {
        let Self { name, status, .. } = self;
        let sentence = |text: &str| format!("stack `{name}` is {status}: {text}").replace("NAME", name);
        Ok(Some(match status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => {
                return Ok(None);
            }
            "UPDATE_ROLLBACK_COMPLETE" => {
                sentence("its last update failed and was rolled back; the previous version is running")
            }
            "UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED" | "IMPORT_ROLLBACK_FAILED" => sentence(
                "it is stuck in the middle of an update: run `aws cloudformation continue-update-rollback \
                 --stack-name NAME`, then infra/deploy.sh --stack NAME",
            ),
            "CREATE_IN_PROGRESS" => bail!(sentence("it is still being created: wait until that has ended")),
            "REVIEW_IN_PROGRESS" => {
                bail!(sentence("it was never created: run infra/deploy.sh --stack NAME"))
            }
            "ROLLBACK_IN_PROGRESS" => bail!(sentence(
                "its creation failed and is being rolled back: wait, then run infra/deploy.sh --stack NAME, which \
                 says why"
            )),
            "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => bail!(sentence(
                "its creation failed, and no part of it is running: run infra/deploy.sh --stack NAME, which clears it away \
                 and starts again"
            )),
            status if status.starts_with("DELETE_") => bail!(sentence(
                "it is being deleted, or half deleted: run infra/destroy.sh --stack NAME again, or infra/deploy.sh \
                 --stack NAME to have it back"
            )),
            _ => sentence("it is being updated; results may be from before or after"),
        }))
    }
}

impl Description {
    /// Whether the stack exists and can be changed now; false if it was never created or its creation failed.
    pub(crate) fn changeable(&self) -> anyhow::Result<bool> {
        let Self { name, status, .. } = self;
        match status.as_str() {
            "REVIEW_IN_PROGRESS" | "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED"
            | "DELETE_COMPLETE" => Ok(false),
            "UPDATE_ROLLBACK_FAILED" => bail!(
                "stack `{name}` is stuck in {status}: run `aws cloudformation continue-update-rollback --stack-name \
                 {name}`, then start again"
            ),
            "DELETE_FAILED" => bail!(
                "stack `{name}` is half deleted ({status}): run `infra/destroy.sh --stack {name}` again first"
            ),
            status if status.ends_with("_IN_PROGRESS") => bail!(
                "another update is running (stack `{name}` is {status}): wait until it has ended, then start again"
            ),
            _ => Ok(true),
        }
    }
}

/// The stack with this name, or an error that names alternatives.
pub(crate) async fn existing(aws: &Aws, name: &str) -> anyhow::Result<Description> {
    match describe(aws, name).await? {
        Some(description) => Ok(description),
        None => bail!(elsewhere(aws, name).await),
    }
}

/// The stack with this name in this region, if it exists.
pub(crate) async fn describe(aws: &Aws, name: &str) -> Result<Option<Description>, AwsError> {
    let query = [("StackName", name)];
    match aws.query(&CLOUDFORMATION, "DescribeStacks", &query).await {
        Ok(answer) => Ok(answer["Stacks"].get(0).map(Description::read)),
        Err(AwsError::Refused(refusal)) if refusal.message.contains("does not exist") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Explains a missing stack: names the stacks in this region, and the regions with a stack of this name.
async fn elsewhere(aws: &Aws, name: &str) -> String {
    let (here, there) = tokio::join!(ours(aws), regions_with(aws, name));
    let region = aws.region();
    let mut text = format!("there is no stack `{name}` in {region}");
    if !there.is_empty() {
        let options: Vec<_> = there.iter().map(|region| format!("--region {region}")).collect();
        text = format!("{text}, but it exists elsewhere: pass {}", options.join(" or "));
    }
    if !here.is_empty() {
        text = format!("{text}; stacks in {region}: {}", here.join(", "));
    }
    if there.is_empty() && here.is_empty() {
        text = format!(
            "{text}, nor another stack of this project: check --region and --profile, or create it with \
             `infra/deploy.sh --stack {name}`"
        );
    }
    text
}

/// The names of this project's stacks in this region; empty if listing is not permitted.
async fn ours(aws: &Aws) -> Vec<String> {
    let (mut names, mut next) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let page: Vec<_> = next
            .as_deref()
            .map(|token| ("NextToken", token))
            .into_iter()
            .collect();
        let Ok(answer) = aws.query(&CLOUDFORMATION, "DescribeStacks", &page).await else {
            break;
        };
        let stacks = answer["Stacks"]
            .as_array()
            .into_iter()
            .flatten()
            .map(Description::read);
        let is_ours = |stack: &Description| {
            ["SigningSecretArn", "UploadQueueUrl"]
                .iter()
                .all(|name| stack.outputs.contains_key(*name))
        };
        names.extend(stacks.filter(is_ours).map(|stack| stack.name));
        next = answer["NextToken"]
            .as_str()
            .filter(|token| !token.is_empty())
            .map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    names
}

/// The other regions with a stack of this name.
async fn regions_with(aws: &Aws, name: &str) -> Vec<&'static str> {
    let others = REGIONS.into_iter().filter(|region| *region != aws.region());
    let look = async |region: &'static str| {
        let there = aws.in_region(region);
        let found = tokio::time::timeout(SEARCH, describe(&there, name)).await;
        matches!(found, Ok(Ok(Some(_)))).then_some(region)
    };
    let found = join_all(others.map(look)).await;
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_description_is_read() {
        let stack = json!({"StackName": "film", "StackStatus": "CREATE_COMPLETE",
            "Outputs": [{"OutputKey": "Bucket", "OutputValue": "b"}, {"OutputKey": "Url"}],
            "Parameters": [{"ParameterKey": "AuthIssuer", "ParameterValue": ""}]});
        let description = Description::read(&stack);
        assert_eq!(
            description.outputs,
            BTreeMap::from([("Bucket".to_owned(), "b".to_owned())])
        );
        assert_eq!(description.parameters["AuthIssuer"], "");
        // No outputs at all: an empty element.
        assert!(Description::read(&json!({"Outputs": ""})).outputs.is_empty());
    }

    #[test]
    fn a_stack_is_changed_in_some_states_only() {
        for (status, expected) in [
            ("CREATE_COMPLETE", Ok(true)),
            ("UPDATE_COMPLETE", Ok(true)),
            ("UPDATE_ROLLBACK_COMPLETE", Ok(true)),
            ("REVIEW_IN_PROGRESS", Ok(false)),
            ("ROLLBACK_COMPLETE", Ok(false)),
            ("UPDATE_IN_PROGRESS", Err("another update is running")),
            (
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
                Err("another update is running"),
            ),
            (
                "UPDATE_ROLLBACK_FAILED",
                Err("continue-update-rollback --stack-name film`"),
            ),
            ("DELETE_FAILED", Err("infra/destroy.sh --stack film`")),
        ] {
            let description = Description {
                name: "film".to_owned(),
                status: status.to_owned(),
                ..Description::default()
            };
            match (description.changeable(), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{status}"),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (found, _) => panic!("{status}: {found:?}"),
            }
        }
    }

    #[test]
    fn states_of_a_stack() {
        for (status, works, words) in [
            ("CREATE_COMPLETE", true, ""),
            ("UPDATE_COMPLETE", true, ""),
            ("UPDATE_IN_PROGRESS", true, "being updated"),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", true, "being updated"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", true, "being updated"),
            ("UPDATE_ROLLBACK_COMPLETE", true, "rolled back"),
            (
                "UPDATE_ROLLBACK_FAILED",
                true,
                "continue-update-rollback --stack-name film",
            ),
            ("CREATE_IN_PROGRESS", false, "still being created"),
            ("ROLLBACK_IN_PROGRESS", false, "being rolled back"),
            ("ROLLBACK_COMPLETE", false, "infra/deploy.sh --stack film"),
            ("ROLLBACK_FAILED", false, "no part of it is running"),
            ("DELETE_IN_PROGRESS", false, "being deleted"),
            ("DELETE_FAILED", false, "infra/destroy.sh --stack film"),
            ("REVIEW_IN_PROGRESS", false, "never created"),
        ] {
            let description = Description {
                name: "film".to_owned(),
                status: status.to_owned(),
                ..Description::default()
            };
            let oddity = description.oddity();
            assert_eq!(oddity.is_ok(), works, "{status}");
            let text = oddity.map_or_else(|error| error.to_string(), Option::unwrap_or_default);
            assert!(
                text.contains(words) && text.is_empty() == words.is_empty(),
                "{status}: {text}"
            );
        }
    }
}
