//! Encoding: MediaConvert's queue and role, and the rules that tell of jobs and call reconcile.

use anyhow::{Context, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::functions::may_call;
use super::policy::lets;
use crate::aws::encoded;
use crate::aws::service::{EVENTBRIDGE, IAM};
use crate::stack::outputs::Outputs;
use crate::stack::{ALIAS, Stack};

/// Whether MediaConvert's queue takes jobs.
pub(super) async fn encoder(stack: &Stack, queue: &str) -> anyhow::Result<String> {
    let path = format!("queues/{}", encoded(queue));
    let answer = stack.aws.mediaconvert("GetQueue", Method::GET, &path).await?;
    let queue = &answer["queue"];
    ensure!(queue["status"] == "ACTIVE", "the queue is {}", queue["status"]);
    Ok(format!(
        "queue ACTIVE, {} jobs waiting, {} running",
        queue["submittedJobsCount"], queue["progressingJobsCount"]
    ))
}

/// Whether MediaConvert may take on the role that reads uploads and writes outputs.
pub(super) async fn role(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let name = last(&outputs.mediaconvert_role, '/');
    let answer = stack.aws.query(&IAM, "GetRole", &[("RoleName", name)]).await?;
    let trust = answer["Role"]["AssumeRolePolicyDocument"]
        .as_str()
        .unwrap_or_default();
    // The query protocol gives it percent-encoded (IAM API, GetRole).
    let trust = form_urlencoded::parse(format!("t={}", trust.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(String::new, |(_, text)| text.into_owned());
    let trust: Value = serde_json::from_str(&trust).context("the role's trust policy is no JSON")?;
    ensure!(
        lets(&trust, "mediaconvert.amazonaws.com", "sts:AssumeRole", ""),
        "role `{name}` does not trust mediaconvert.amazonaws.com"
    );
    Ok(format!("MediaConvert may take on `{name}`"))
}

/// Whether what MediaConvert says of this stack's jobs goes to complete.
pub(super) async fn job_events(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let (rule, arn) = rule(stack, &outputs.job_events_rule).await?;
    let pattern = rule["EventPattern"].as_str().unwrap_or_default();
    let pattern: Value = serde_json::from_str(pattern).context("the rule's event pattern is no JSON")?;
    let names = |value: &Value, wanted: &str| {
        value
            .as_array()
            .is_some_and(|list| list.iter().any(|item| item == wanted))
    };
    ensure!(
        names(&pattern["source"], "aws.mediaconvert")
            && names(&pattern["detail"]["userMetadata"]["application"], &outputs.stack),
        "the rule does not fit the events of this stack's jobs"
    );
    for status in ["COMPLETE", "ERROR", "CANCELED"] {
        let statuses = &pattern["detail"]["status"];
        ensure!(
            statuses.is_null() || names(statuses, status),
            "the rule leaves out jobs that end as {status}"
        );
    }
    target(stack, &outputs.job_events_rule, &outputs.complete).await?;
    let actions = ["lambda:InvokeFunction"];
    may_call(stack, &outputs.complete, "events.amazonaws.com", &actions, &arn).await?;
    Ok(format!("the events of jobs go to `{}`", outputs.complete))
}

/// Whether reconcile is called from time to time.
pub(super) async fn schedule(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let (rule, arn) = rule(stack, &outputs.reconcile_rule).await?;
    target(stack, &outputs.reconcile_rule, &outputs.reconcile).await?;
    let actions = ["lambda:InvokeFunction"];
    may_call(stack, &outputs.reconcile, "events.amazonaws.com", &actions, &arn).await?;
    let schedule = rule["ScheduleExpression"].as_str().unwrap_or("no schedule");
    Ok(format!("`{}` is called: {schedule}", outputs.reconcile))
}

/// A rule that is enabled, and its ARN.
async fn rule(stack: &Stack, name: &str) -> anyhow::Result<(Value, String)> {
    let request = json!({ "Name": name });
    let rule = stack.aws.json(&EVENTBRIDGE, "DescribeRule", &request).await?;
    let state = rule["State"].as_str().unwrap_or("unknown");
    ensure!(state.starts_with("ENABLED"), "rule `{name}` is {state}");
    let arn = rule["Arn"].as_str().unwrap_or_default().to_owned();
    Ok((rule, arn))
}

async fn target(stack: &Stack, rule: &str, function: &str) -> anyhow::Result<()> {
    let request = json!({ "Rule": rule });
    let answer = stack
        .aws
        .json(&EVENTBRIDGE, "ListTargetsByRule", &request)
        .await?;
    let wanted = format!(":function:{function}:{ALIAS}");
    let mut targets = answer["Targets"].as_array().into_iter().flatten();
    ensure!(
        targets.any(|target| target["Arn"].as_str().is_some_and(|arn| arn.ends_with(&wanted))),
        "rule `{rule}` does not call `{function}` (alias `{ALIAS}`)"
    );
    Ok(())
}

/// What follows the last separator: the name in an ARN.
pub(super) fn last(text: &str, separator: char) -> &str {
    text.rsplit(separator).next().unwrap_or(text)
}
