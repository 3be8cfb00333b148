//! Changes one parameter of a stack on AWS, and waits until CloudFormation is done.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use vod_ids::uuid;

use super::cloud::{Description, describe};
use crate::aws::service::CLOUDFORMATION;
use crate::aws::{Aws, AwsError};
use crate::output;

/// Interval between checks of a stack update.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Time limit of an update, the same as the AWS CLI's.
const LONGEST: Duration = Duration::from_hours(1);
/// Number of failures that are printed: the first ones are the cause of the others.
const REASONS: usize = 3;

/// Changes parameters, or only prints the changes.
#[derive(Debug)]
pub(crate) struct Update<'a> {
    pub(crate) aws: &'a Aws,
    pub(crate) plan: bool,
}

impl Update<'_> {
    /// Sets one parameter; template and all other parameters stay. Returns the stack after the change.
    pub(crate) async fn set(
        &self,
        stack: &Description,
        parameter: &str,
        value: &str,
    ) -> anyhow::Result<Description> {
        if self.plan {
            return Ok(self.shown(stack, parameter, value));
        }
        let token = uuid();
        let query = query(stack, parameter, value, &token);
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        match self.aws.query(&CLOUDFORMATION, "UpdateStack", &query).await {
            Ok(_) => {}
            Err(AwsError::Refused(refusal)) if refusal.message.contains("No updates are to be performed") => {
            }
            Err(error) => return Err(error.into()),
        }
        let late = || {
            format!(
                "CloudFormation has not changed stack `{}` within an hour",
                stack.name
            )
        };
        let waited = tokio::time::timeout(LONGEST, self.changed(&stack.name)).await;
        let changed = waited.with_context(late)??;
        if changed.status.ends_with("ROLLBACK_COMPLETE") || changed.status.ends_with("_FAILED") {
            bail!(self.reasons(&stack.name, &token).await);
        }
        Ok(changed)
    }

    /// With --plan: prints the call, and returns the stack as it would be.
    fn shown(&self, stack: &Description, parameter: &str, value: &str) -> Description {
        let shown = if value.is_empty() { "" } else { "…" };
        output::note(&format!(
            "would run: aws cloudformation update-stack --stack-name {} --use-previous-template --region {} \
             --parameters {parameter}={shown}",
            stack.name,
            self.aws.region()
        ));
        let mut after = stack.clone();
        after.parameters.insert(parameter.to_owned(), value.to_owned());
        let id = format!("{}Id", parameter.trim_start_matches("Public"));
        after
            .outputs
            .insert(id, "the-id-that-cloudfront-gives".to_owned());
        after
    }

    /// Waits until the stack is no longer being changed.
    async fn changed(&self, name: &str) -> anyhow::Result<Description> {
        loop {
            let found = describe(self.aws, name).await?;
            let found = found.with_context(|| format!("stack `{name}` was deleted meanwhile"))?;
            if !found.status.ends_with("_IN_PROGRESS") {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The reasons why an update was rolled back.
    async fn reasons(&self, name: &str, token: &str) -> String {
        let events = self
            .aws
            .query(&CLOUDFORMATION, "DescribeStackEvents", &[("StackName", name)])
            .await;
        let reasons = events.map_or_else(|_| Vec::new(), |events| failures(&events, token));
        let reasons = if reasons.is_empty() {
            "  no reason given".to_owned()
        } else {
            reasons.join("\n")
        };
        format!(
            "CloudFormation could not update stack `{name}` and has rolled back its changes:\n{reasons}\n  Correct that, \
             then start again."
        )
    }
}

/// The parameters of `UpdateStack`. The token makes a repeated request the same request.
fn query(stack: &Description, parameter: &str, value: &str, token: &str) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut query = vec![
        pair("StackName", &stack.name),
        pair("UsePreviousTemplate", "true"),
        pair("Capabilities.member.1", "CAPABILITY_IAM"),
        pair("ClientRequestToken", token),
    ];
    for (index, name) in stack.parameters.keys().enumerate() {
        let at = format!("Parameters.member.{}", index + 1);
        query.push((format!("{at}.ParameterKey"), name.clone()));
        query.push(if name == parameter {
            (format!("{at}.ParameterValue"), value.to_owned())
        } else {
            (format!("{at}.UsePreviousValue"), "true".to_owned())
        });
    }
    query
}

/// The first failures of this update, in the order in which they happened. AWS lists the latest first.
fn failures(events: &Value, token: &str) -> Vec<String> {
    let text = |event: &Value, name: &str| output::plain(event[name].as_str().unwrap_or_default());
    let is_cause = |event: &&Value| {
        let (status, reason) = (text(event, "ResourceStatus"), text(event, "ResourceStatusReason"));
        let of_this = event["ClientRequestToken"].as_str().is_none_or(|of| of == token);
        of_this
            && status.ends_with("_FAILED")
            && !["cancelled", "The following resource"]
                .iter()
                .any(|words| reason.contains(words))
    };
    let events = events["StackEvents"].as_array().into_iter().flatten();
    let failed: Vec<_> = events.filter(is_cause).collect();
    let first = failed.into_iter().rev().take(REASONS);
    first
        .map(|event| {
            format!(
                "  {}: {}",
                text(event, "LogicalResourceId"),
                text(event, "ResourceStatusReason")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_parameter_changes_and_the_others_stay() {
        let parameters = [("A", "1"), ("PublicKeyTwo", ""), ("Z", "2")];
        let stack = Description {
            name: "film".to_owned(),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Description::default()
        };
        let query = query(&stack, "PublicKeyTwo", "a key", "t");
        let value = |name: &str| {
            query
                .iter()
                .find(|(of, _)| of == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("Parameters.member.1.UsePreviousValue"), Some("true"));
        assert_eq!(value("Parameters.member.2.ParameterKey"), Some("PublicKeyTwo"));
        assert_eq!(value("Parameters.member.2.ParameterValue"), Some("a key"));
        assert_eq!(value("Parameters.member.2.UsePreviousValue"), None);
        assert_eq!(value("Parameters.member.4.ParameterKey"), None);
        assert_eq!(value("ClientRequestToken"), Some("t"));
    }

    #[test]
    fn the_first_failures_of_this_update_say_why() {
        let event = |name: &str, status: &str, reason: &str, token: &str| json!({"LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason, "ClientRequestToken": token});
        let events = json!({"StackEvents": [
            event("film", "UPDATE_ROLLBACK_COMPLETE", "", "t"),
            event("Later", "UPDATE_FAILED", "Resource update cancelled", "t"),
            event("Keys", "UPDATE_FAILED", "follows", "t"),
            event("KeyTwo", "CREATE_FAILED", "bad key", "t"),
            event("Old", "CREATE_FAILED", "long ago", "another"),
        ]});
        assert_eq!(failures(&events, "t"), ["  KeyTwo: bad key", "  Keys: follows"]);
    }
}
