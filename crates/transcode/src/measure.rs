//! Measures the loudness of audio that is to be normalized, before it is encoded.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::failure::{self, TranscodeError};
use crate::plan::Plan;
use crate::process::{self, Limits, Reach};

/// The plan with the gain of each audio encode that is normalized.
pub(crate) async fn loudness(
    plan: &Plan,
    inputs: &[PathBuf],
    work: &Path,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Plan, TranscodeError> {
    let mut plan = plan.clone();
    for index in 0..plan.audio.len() {
        let Some(loudness) = plan.audio[index].loudness else {
            continue;
        };
        let arguments = plan.measuring(index, inputs);
        let measured = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(TranscodeError::Canceled),
            () = tokio::time::sleep(limits.time) => return Err(TranscodeError::TimedOut(limits.time)),
            measured = run(&arguments, inputs, work, limits) => measured?,
        };
        plan.audio[index].loudness = Some(loudness.measured(measured));
    }
    Ok(plan)
}

/// Runs a measurement. Dropping the future kills it.
async fn run(
    arguments: &[OsString],
    inputs: &[PathBuf],
    work: &Path,
    limits: &Limits,
) -> Result<f64, TranscodeError> {
    let reach = Reach {
        inputs,
        work,
        file_size: limits.disk,
    };
    tracing::debug!(command = process::quoted("ffmpeg", arguments), "measure loudness");
    let mut child = process::spawn("ffmpeg", arguments, reach, limits)
        .await
        .map_err(TranscodeError::Start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut progress, mut messages) = (Vec::new(), Vec::new());
    tokio::join!(
        process::tail(stdout, &mut progress),
        process::tail(stderr, &mut messages)
    );
    let status = child.wait().await.map_err(TranscodeError::Start)?;
    if !status.success() {
        return Err(failure::of_encoder(
            status,
            &failure::redacted(&messages, inputs, work),
        ));
    }
    // Audio without a sample has no summary; nothing is to be corrected then.
    Ok(integrated(&String::from_utf8_lossy(&messages)).unwrap_or(f64::NEG_INFINITY))
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
