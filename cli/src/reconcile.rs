//! `vod reconcile`: finds and repairs lost uploads and events now, instead of at the next scheduled run.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use pipeline::Summary;
use serde_json::json;

use crate::aws::AwsError;
use crate::output;
use crate::stack::Stack;

/// Time limit for waiting for a scheduled run to end.
const TIMEOUT: Duration = Duration::from_mins(6);

/// Find and repair lost uploads and events
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only print the findings, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `vod reconcile`.
pub(crate) async fn run(stack: &Stack, args: &Args) -> anyhow::Result<ExitCode> {
    // A person who calls this does not want to wait for what may still be on its way.
    let event = json!({ "dry_run": args.dry_run, "grace_seconds": 0 });
    let mut summary = invoke(stack, &event).await?;
    // A dry run keeps no place: what did not fit into one invocation is left out, and said so.
    while !summary.finished && !args.dry_run {
        summary = invoke(stack, &event).await?;
    }
    if args.json {
        output::json(&summary)?;
    } else {
        for line in text(&summary) {
            output::line(&line)?;
        }
    }
    Ok(output::exit_code(summary.given_up == 0 && summary.failed == 0))
}

/// The function's findings about uploads of at least this age. Nothing is changed.
pub(crate) async fn dry_run(stack: &Stack, grace_seconds: u32) -> anyhow::Result<Summary> {
    let event = json!({ "dry_run": true, "grace_seconds": grace_seconds });
    invoke(stack, &event).await
}

async fn invoke(stack: &Stack, event: &serde_json::Value) -> anyhow::Result<Summary> {
    let started = Instant::now();
    loop {
        match stack.invoke("reconcile", event).await {
            Ok(summary) => return serde_json::from_value(summary).context("could not read the summary"),
            Err(error) if is_throttled(&error) && started.elapsed() < TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Err(error) => return Err(error).context("could not reconcile"),
        }
    }
}

fn is_throttled(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<AwsError>()
        .is_some_and(AwsError::is_throttled)
}

fn text(summary: &Summary) -> Vec<String> {
    let mut lines: Vec<String> = summary
        .notes
        .iter()
        .map(|note| {
            let subject = note.key.as_deref().unwrap_or(&note.asset);
            let (found, outcome) = (output::plain(&note.found), output::plain(&note.outcome));
            format!("{}: {found}: {outcome}", output::plain(subject))
        })
        .collect();
    let Summary {
        looked_at,
        lost,
        mended,
        given_up,
        waiting,
        failed,
        ..
    } = summary;
    let end = if summary.finished {
        ""
    } else {
        " (incomplete: out of time)"
    };
    lines.push(format!(
        "checked {looked_at}{end}: {lost} lost, {mended} repaired, {given_up} given up, {waiting} in progress, {failed} failed"
    ));
    lines
}

#[cfg(test)]
mod tests {
    use pipeline::Note;

    use super::*;

    #[test]
    fn findings_come_before_the_figures() {
        let summary = Summary {
            looked_at: 3,
            lost: 1,
            mended: 1,
            finished: true,
            notes: vec![Note {
                asset: "a".into(),
                key: Some("input/\u{1b}a.mp4".into()),
                found: "it has no record".into(),
                outcome: "repaired".into(),
            }],
            ..Summary::default()
        };
        assert_eq!(
            text(&summary),
            [
                "input/\u{fffd}a.mp4: it has no record: repaired",
                "checked 3: 1 lost, 1 repaired, 0 given up, 0 in progress, 0 failed",
            ]
        );
    }
}
