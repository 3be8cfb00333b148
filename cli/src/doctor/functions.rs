//! The functions: locally whether they answer, on AWS whether what is live is whole.

use anyhow::{Context, bail, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::policy::lets;
use crate::aws::service::LAMBDA;
use crate::aws::{AwsError, encoded};
use crate::stack::outputs::Outputs;
use crate::stack::{ALIAS, Stack};

pub(super) async fn invoke(stack: &Stack, function: &str, event: Value) -> anyhow::Result<String> {
    stack.invoke(function, &event).await?;
    Ok("answers".to_owned())
}

/// What S3 sends when a notification is set up.
pub(super) fn test_event() -> Value {
    json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "vod"})
}

/// The event of a job that is not ours.
pub(super) fn foreign_event() -> Value {
    json!({"source": "aws.mediaconvert", "detail-type": "MediaConvert Job State Change",
        "detail": {"jobId": "doctor", "status": "PROGRESSING", "userMetadata": {"application": "vod-doctor"}}})
}

/// Whether a function on AWS exists, its alias points at a version that can run, and that has all it must know.
pub(super) async fn deployed(stack: &Stack, outputs: &Outputs, name: &str) -> anyhow::Result<String> {
    let function = outputs.function(name);
    configuration(stack, function, "").await?;
    let live = configuration(stack, function, &format!("?Qualifier={ALIAS}")).await;
    let live = match live {
        Err(error) if error.is_missing() => {
            bail!("function `{function}` has no alias `{ALIAS}`, which events go to")
        }
        live => live?,
    };
    let version = live["Version"].as_str().unwrap_or("unknown");
    let text = |name: &str| live[name].as_str().unwrap_or_default();
    ensure!(
        matches!(text("State"), "Active" | "Inactive" | ""),
        "version {version} of `{function}` is {}: {}",
        text("State"),
        text("StateReason")
    );
    ensure!(
        matches!(text("LastUpdateStatus"), "Successful" | ""),
        "the last update of `{function}` is {}: {}",
        text("LastUpdateStatus"),
        text("LastUpdateStatusReason")
    );
    let faults = faults(name, &live["Environment"]["Variables"], outputs);
    ensure!(
        faults.is_empty(),
        "version {version} of `{function}`: {}",
        faults.join("; ")
    );
    Ok(format!("version {version} of `{function}` is live"))
}

async fn configuration(stack: &Stack, function: &str, query: &str) -> Result<Value, AwsError> {
    let path = format!("/2015-03-31/functions/{}/configuration{query}", encoded(function));
    let operation = "GetFunctionConfiguration";
    stack.aws.rest(&LAMBDA, operation, Method::GET, path).await
}

/// The variables that are missing or of another stack. No value is told but those of the stack's outputs.
fn faults(name: &str, variables: &Value, outputs: &Outputs) -> Vec<String> {
    let encoder = [
        ("MEDIACONVERT_ROLE_ARN", outputs.mediaconvert_role.as_str()),
        ("MEDIACONVERT_QUEUE", &outputs.mediaconvert_queue),
        ("APPLICATION", &outputs.stack),
    ];
    let mut wanted = vec![("BUCKET", outputs.bucket.as_str())];
    if outputs.output_bucket != outputs.bucket && name != "complete" {
        wanted.push(("OUTPUT_BUCKET", &outputs.output_bucket));
    }
    match name {
        "submit" | "reconcile" => wanted.extend(encoder),
        "complete" => wanted.push(("APPLICATION", &outputs.stack)),
        _ => wanted.push(("SIGNING_SECRET", &outputs.signing_secret)),
    }
    let mut faults = Vec::new();
    for (variable, value) in wanted {
        match variables[variable].as_str() {
            None | Some("") => faults.push(format!("{variable} is not set")),
            Some(found) if found != value => faults.push(format!("{variable} is not `{value}`")),
            Some(_) => {}
        }
    }
    let is_set = |variable: &str| {
        variables[variable]
            .as_str()
            .is_some_and(|value| !value.is_empty())
    };
    if name == "signer" && !is_set("AUTH_JWT_SECRET") && !is_set("AUTH_JWKS_URL") {
        faults.push("neither AUTH_JWT_SECRET nor AUTH_JWKS_URL is set".to_owned());
    }
    faults
}

/// Whether the queue's messages go to submit.
pub(super) async fn event_source(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let source = encoded(&outputs.upload_queue_arn);
    let path = format!("/2015-03-31/event-source-mappings?EventSourceArn={source}");
    let operation = "ListEventSourceMappings";
    let answer = stack.aws.rest(&LAMBDA, operation, Method::GET, path).await?;
    let mappings = answer["EventSourceMappings"].as_array().into_iter().flatten();
    let target = format!(":function:{}:{ALIAS}", outputs.submit);
    let mapping = mappings
        .filter(|mapping| {
            mapping["FunctionArn"]
                .as_str()
                .is_some_and(|arn| arn.ends_with(&target))
        })
        .find(|mapping| mapping["EventSourceArn"] == outputs.upload_queue_arn.as_str());
    let mapping = mapping.with_context(|| {
        format!(
            "the queue's messages go to nobody: it is no event source of `{}`",
            outputs.submit
        )
    })?;
    let state = mapping["State"].as_str().unwrap_or("unknown");
    ensure!(
        matches!(state, "Enabled" | "Enabling" | "Updating" | "Creating"),
        "the event source is {state}: messages wait in the queue"
    );
    Ok(format!("the queue's messages go to `{}`", outputs.submit))
}

/// Whether a service may call a function's alias; `actions` are all that it takes.
pub(super) async fn may_call(
    stack: &Stack,
    function: &str,
    service: &str,
    actions: &[&str],
    source: &str,
) -> anyhow::Result<()> {
    let path = format!(
        "/2015-03-31/functions/{}/policy?Qualifier={ALIAS}",
        encoded(function)
    );
    let answer = match stack.aws.rest(&LAMBDA, "GetPolicy", Method::GET, path).await {
        Err(error) if error.is_missing() => json!({"Policy": "{}"}),
        answer => answer?,
    };
    let policy = answer["Policy"].as_str().unwrap_or_default();
    let policy: Value = serde_json::from_str(policy).context("the function's policy is no JSON")?;
    for action in actions {
        ensure!(
            lets(&policy, service, action, source),
            "`{function}` does not let {service} do {action} for {source}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::cloud::testing::outputs;

    #[test]
    fn variables_must_be_there_and_of_this_stack() {
        let outputs = outputs();
        let whole = json!({"BUCKET": "films", "APPLICATION": "film", "MEDIACONVERT_ROLE_ARN": outputs.mediaconvert_role,
            "MEDIACONVERT_QUEUE": outputs.mediaconvert_queue, "SIGNING_SECRET": outputs.signing_secret,
            "AUTH_JWT_SECRET": outputs.jwt_secret});
        for name in ["submit", "complete", "signer", "reconcile"] {
            assert_eq!(faults(name, &whole, &outputs), Vec::<String>::new(), "{name}");
        }
        let without = |variable: &str| {
            let mut variables = whole.clone();
            variables.as_object_mut().unwrap().remove(variable);
            variables
        };
        for (name, variable, fault) in [
            ("submit", "BUCKET", "BUCKET is not set"),
            ("submit", "MEDIACONVERT_QUEUE", "MEDIACONVERT_QUEUE is not set"),
            ("complete", "APPLICATION", "APPLICATION is not set"),
            ("signer", "SIGNING_SECRET", "SIGNING_SECRET is not set"),
            (
                "signer",
                "AUTH_JWT_SECRET",
                "neither AUTH_JWT_SECRET nor AUTH_JWKS_URL is set",
            ),
            (
                "reconcile",
                "MEDIACONVERT_ROLE_ARN",
                "MEDIACONVERT_ROLE_ARN is not set",
            ),
        ] {
            assert_eq!(faults(name, &without(variable), &outputs), [fault], "{name}");
        }
        let mut other = whole.clone();
        other["BUCKET"] = json!("other");
        assert_eq!(faults("complete", &other, &outputs), ["BUCKET is not `films`"]);
        let two = Outputs {
            output_bucket: "watched".to_owned(),
            ..outputs.clone()
        };
        assert_eq!(
            faults("signer", &without("x"), &two),
            ["OUTPUT_BUCKET is not set"]
        );
    }
}
