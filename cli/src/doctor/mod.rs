//! `vod doctor`: walks the chain of a stack link by link, and says which one is broken and how to mend it.
//!
//! Looking changes nothing: the local functions get events that are nothing to them, `reconcile` only looks, and on AWS
//! only what describes things is called.

mod alarms;
mod cloud;
mod distribution;
mod events;
mod functions;
mod local;
mod policy;
mod queues;
mod replication;
mod storage;
mod uploads;
mod viewers;

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use crate::aws::AwsError;
use crate::output;
use crate::stack::Choice;

/// No link may keep us waiting for longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Check every link of a stack, and say how to mend what is broken
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Broken,
    /// We may not look, or nobody answers us.
    Unknown,
}

/// What was found at a link that is well.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    detail: String,
    /// What a person can do about something that does not break the link.
    advice: Option<String>,
}

impl From<String> for Told {
    fn from(detail: String) -> Self {
        Self { detail, advice: None }
    }
}

/// What was found at one link.
#[derive(Debug, Serialize)]
struct Finding {
    link: &'static str,
    state: State,
    ok: bool,
    detail: String,
    /// How to correct what is broken, or what to do about something that does not break the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// The permission without which nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_permission: Option<String>,
}

/// Runs `vod doctor`. Exit code 1 unless every link is known to be well.
pub(crate) async fn run(choice: &Choice, args: &Args) -> anyhow::Result<ExitCode> {
    let findings = match &choice.stack {
        None => Box::pin(local::examine(choice)).await,
        Some(name) => Box::pin(cloud::examine(choice, name)).await,
    };
    if args.json {
        output::json(&findings)?;
    } else {
        for finding in &findings {
            tell(finding)?;
        }
    }
    let well = findings.iter().all(|finding| finding.ok);
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell(finding: &Finding) -> anyhow::Result<()> {
    let word = match finding.state {
        State::Ok => "ok",
        State::Broken => "BROKEN",
        State::Unknown => "UNKNOWN",
    };
    let detail = output::plain(&finding.detail);
    output::line(&format!("{word:7} {:14} {detail}", finding.link))?;
    match &finding.remedy {
        Some(remedy) if finding.ok => output::line(&format!("{:22} you can: {remedy}", "")),
        Some(remedy) => output::line(&format!("{:22} to mend it: {remedy}", "")),
        None => Ok(()),
    }
}

/// Looks at one link. The look fails with what is wrong; where AWS would not let us look, the link is unknown.
async fn link<T: Into<Told>>(
    name: &'static str,
    remedy: impl Into<String>,
    look: impl Future<Output = anyhow::Result<T>>,
) -> Finding {
    let mut advice = None;
    let (state, detail, missing_permission) = match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(told)) => {
            let told = told.into();
            advice = told.advice;
            (State::Ok, told.detail, None)
        }
        Ok(Err(error)) => {
            let (state, permission) = judge(&error);
            (state, format!("{error:#}"), permission)
        }
        Err(_) => {
            let late = format!("no response within {} seconds", PATIENCE.as_secs());
            (State::Broken, late, None)
        }
    };
    let remedy = match (&missing_permission, state) {
        (_, State::Ok) => advice,
        (Some(permission), _) => Some(format!("let these credentials do {permission}, then look again")),
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
        // What does not exist or answer is broken; what AWS does not tell us is not known.
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
            what: "IAM GetRole".to_owned(),
            permission: "iam:GetRole".to_owned(),
            status,
            code: code.to_owned(),
            message: String::new(),
        })))
    }

    #[tokio::test]
    async fn what_may_not_be_seen_is_unknown() {
        for (error, state, permission) in [
            (anyhow::anyhow!("wrong"), State::Broken, None),
            (refused("NoSuchEntity", 404), State::Broken, None),
            (refused("AccessDenied", 403), State::Unknown, Some("iam:GetRole")),
            (
                refused("AccessDenied", 403).context("the role"),
                State::Unknown,
                Some("iam:GetRole"),
            ),
            (refused("InternalError", 500), State::Unknown, None),
        ] {
            let finding = link("role", "mend it", async { Err::<String, _>(error) }).await;
            assert_eq!(finding.state, state, "{finding:?}");
            assert_eq!(finding.missing_permission.as_deref(), permission);
            let remedy = finding.remedy.unwrap();
            assert!(remedy.contains(permission.unwrap_or("mend it")), "{remedy}");
        }
        let well = link("role", "mend it", async { Ok("well".to_owned()) }).await;
        assert!(well.ok && well.remedy.is_none());
        let told = Told {
            detail: "well".to_owned(),
            advice: Some("look".to_owned()),
        };
        let noted = link("role", "mend it", async { Ok(told) }).await;
        assert_eq!((noted.ok, noted.remedy.as_deref()), (true, Some("look")));
    }
}
