//! `vod doctor`: checks the links of a stack one by one, and says which one is broken and how to fix it.
//!
//! It changes nothing: the local functions get events that they ignore, `reconcile` makes a dry run, and on AWS only
//! read operations are called.

mod cloud;
mod local;
mod queues;
mod uploads;
mod viewers;

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use crate::aws::AwsError;
use crate::output;
use crate::stack::Choice;

/// Longest time for one link.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Check every link of a stack, and say how to fix what is broken
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// The state of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Broken,
    /// The credentials do not permit the check, or AWS did not respond to it.
    Unknown,
}

/// The result of a check that succeeded.
#[derive(Debug, PartialEq, Eq)]
struct Passed {
    detail: String,
    /// An action for something that does not break the link.
    advice: Option<String>,
}

impl From<String> for Passed {
    fn from(detail: String) -> Self {
        Self { detail, advice: None }
    }
}

/// The result of the check of one link.
#[derive(Debug, Serialize)]
struct Finding {
    link: &'static str,
    state: State,
    ok: bool,
    detail: String,
    /// How to fix what is broken, or an action for something that does not break the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// The permission that the check lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_permission: Option<String>,
}

/// Runs `vod doctor`. The exit code is 1 unless every link is ok.
pub(crate) async fn run(choice: &Choice, args: &Args) -> anyhow::Result<ExitCode> {
    let findings = match &choice.stack {
        None => Box::pin(local::examine(choice)).await,
        Some(name) => Box::pin(cloud::examine(choice, name)).await,
    };
    if args.json {
        output::json(&findings)?;
    } else {
        for finding in &findings {
            print(finding)?;
        }
    }
    Ok(output::exit_code(findings.iter().all(|finding| finding.ok)))
}

fn print(finding: &Finding) -> anyhow::Result<()> {
    let word = match finding.state {
        State::Ok => "ok",
        State::Broken => "BROKEN",
        State::Unknown => "UNKNOWN",
    };
    let detail = output::plain(&finding.detail);
    output::line(&format!("{word:7} {:14} {detail}", finding.link))?;
    match &finding.remedy {
        Some(remedy) if finding.ok => output::line(&format!("{:22} you can: {remedy}", "")),
        Some(remedy) => output::line(&format!("{:22} to fix it: {remedy}", "")),
        None => Ok(()),
    }
}

/// Checks one link. If AWS refuses the check itself, the state of the link is unknown.
async fn link<T: Into<Passed>>(
    name: &'static str,
    remedy: impl Into<String>,
    check: impl Future<Output = anyhow::Result<T>>,
) -> Finding {
    let mut advice = None;
    let (state, detail, missing_permission) = match tokio::time::timeout(TIMEOUT, check).await {
        Ok(Ok(passed)) => {
            let passed = passed.into();
            advice = passed.advice;
            (State::Ok, passed.detail, None)
        }
        Ok(Err(error)) => {
            let (state, permission) = judge(&error);
            (state, format!("{error:#}"), permission)
        }
        Err(_) => {
            let late = format!("no response within {} seconds", TIMEOUT.as_secs());
            (State::Broken, late, None)
        }
    };
    let remedy = match (&missing_permission, state) {
        (_, State::Ok) => advice,
        (Some(permission), _) => Some(format!(
            "give these credentials the permission {permission}, then check again"
        )),
        (None, _) => Some(remedy.into()),
    };
    Finding {
        link: name,
        state,
        ok: state == State::Ok,
        detail,
        remedy,
        missing_permission,
    }
}

fn judge(error: &anyhow::Error) -> (State, Option<String>) {
    let aws = error.chain().find_map(|cause| cause.downcast_ref::<AwsError>());
    match aws {
        // A part that does not exist or respond is broken. If AWS does not give an answer, its state is unknown.
        None | Some(AwsError::Unreachable { .. }) => (State::Broken, None),
        Some(error) if error.is_missing() => (State::Broken, None),
        Some(error) => (State::Unknown, error.missing_permission()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Refusal;

    fn refused(code: &str, status: u16) -> anyhow::Error {
        anyhow::Error::new(AwsError::Refused(Box::new(Refusal {
            what: "SQS GetQueueAttributes".to_owned(),
            permission: "sqs:GetQueueAttributes".to_owned(),
            status,
            code: code.to_owned(),
            message: String::new(),
        })))
    }

    #[tokio::test]
    async fn a_check_that_is_not_permitted_is_unknown() {
        for (error, state, permission) in [
            (anyhow::anyhow!("wrong"), State::Broken, None),
            (refused("QueueDoesNotExist", 404), State::Broken, None),
            (
                refused("AccessDenied", 403),
                State::Unknown,
                Some("sqs:GetQueueAttributes"),
            ),
            (
                refused("AccessDenied", 403).context("the queue"),
                State::Unknown,
                Some("sqs:GetQueueAttributes"),
            ),
            (refused("InternalError", 500), State::Unknown, None),
        ] {
            let finding = link("queue", "fix it", async { Err::<String, _>(error) }).await;
            assert_eq!(finding.state, state, "{finding:?}");
            assert_eq!(finding.missing_permission.as_deref(), permission);
            let remedy = finding.remedy.unwrap();
            assert!(remedy.contains(permission.unwrap_or("fix it")), "{remedy}");
        }
        let well = link("queue", "fix it", async { Ok("well".to_owned()) }).await;
        assert!(well.ok && well.remedy.is_none());
        let passed = Passed {
            detail: "well".to_owned(),
            advice: Some("look".to_owned()),
        };
        let noted = link("queue", "fix it", async { Ok(passed) }).await;
        assert_eq!((noted.ok, noted.remedy.as_deref()), (true, Some("look")));
    }
}
