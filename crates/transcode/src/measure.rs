//! Looks at a source before it is encoded: the loudness of audio that is to be normalized, and the pictures of encodes with two
//! passes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::bounds::Bounds;
use crate::exec::report;
use crate::failure::{self, TranscodeError};
use crate::plan::{Plan, pass_file};
use crate::process::{self, Limits, Reach};

/// The limits of a run of ffmpeg.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) inputs: &'a [PathBuf],
    pub(crate) work: &'a Path,
    pub(crate) limits: &'a Limits,
    pub(crate) bounds: Bounds,
    pub(crate) cancel: &'a CancellationToken,
}

/// The plan with the gain of each audio encode that is normalized.
pub(crate) async fn loudness(plan: &Plan, with: Run<'_>) -> Result<Plan, TranscodeError> {
    let mut plan = plan.clone();
    for index in 0..plan.audio.len() {
        let Some(loudness) = plan.audio[index].loudness else {
            continue;
        };
        let messages = run(&plan.measuring(index, with.inputs), with).await?;
        // Audio without a sample has no summary; nothing is to be corrected then.
        let measured = integrated(&String::from_utf8_lossy(&messages)).unwrap_or(f64::NEG_INFINITY);
        plan.audio[index].loudness = Some(loudness.measured(measured));
    }
    Ok(plan)
}

/// Makes the first pass of the encodes that have two, and leaves what it found where the second looks for it.
pub(crate) async fn pictures(plan: &Plan, with: Run<'_>) -> Result<(), TranscodeError> {
    let (Some(arguments), Some((_, video))) = (plan.first_pass(with.inputs), plan.two_passes().next()) else {
        return Ok(());
    };
    // The encoder writes nothing in this pass, so that its pictures are all that it tells.
    let bounds = with.bounds.counting(video.rate);
    run(&arguments, Run { bounds, ..with }).await?;
    let work = with.work;
    for (first, (second, _)) in plan.two_passes().enumerate() {
        let (from, to) = (work.join(pass_file(1, first)), work.join(pass_file(2, second)));
        tokio::fs::rename(from, to).await.map_err(TranscodeError::Files)?;
    }
    Ok(())
}

/// Runs ffmpeg and returns the end of its messages. Dropping the future kills it; on any other way out it is reaped.
async fn run(arguments: &[OsString], with: Run<'_>) -> Result<Vec<u8>, TranscodeError> {
    let Run {
        inputs, work, limits, ..
    } = with;
    let reach = Reach {
        inputs,
        work,
        file_size: limits.disk,
    };
    tracing::debug!(
        command = process::quoted("ffmpeg", arguments),
        "look at the source"
    );
    let mut child = process::spawn("ffmpeg", arguments, reach, limits)
        .await
        .map_err(TranscodeError::Start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut messages = Vec::new();
    let outcome = tokio::select! {
        biased;
        () = with.cancel.cancelled() => Err(TranscodeError::Canceled),
        () = tokio::time::sleep(limits.time) => Err(TranscodeError::TimedOut(limits.time)),
        status = async {
            let messages_read = async {
                process::tail(stderr, &mut messages).await;
                Ok(())
            };
            tokio::try_join!(report(stdout, 0, with.bounds, |_| {}), messages_read)?;
            child.wait().await.map_err(TranscodeError::Start)
        } => status,
    };
    match outcome {
        Ok(status) if status.success() => Ok(messages),
        Ok(status) => {
            let messages = failure::redacted(&messages, inputs, work);
            Err(failure::of_encoder(status, &messages))
        }
        Err(error) => {
            child.kill().await.map_err(TranscodeError::Start)?;
            Err(error)
        }
    }
}

/// The integrated loudness in the summary of ffmpeg's filter `ebur128`, in LUFS.
fn integrated(messages: &str) -> Option<f64> {
    let (_, summary) = messages.rsplit_once("Integrated loudness:")?;
    let (_, value) = summary.split_once("I:")?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read() {
        let messages = "[Parsed_ebur128_2 @ 0x5] Summary:\n\n  Integrated loudness:\n    I:         -21.8 LUFS\n    \
                        Threshold: -31.8 LUFS\n\n  Loudness range:\n    LRA: 0.0 LU\n";
        assert_eq!(integrated(messages), Some(-21.8));
        assert_eq!(
            integrated("Integrated loudness:\n I: -inf LUFS"),
            Some(f64::NEG_INFINITY)
        );
        assert_eq!(integrated("Conversion failed!"), None);
    }
}
