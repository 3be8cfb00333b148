//! Runs a plan: one ffmpeg process, its progress, and the files that came of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

pub use crate::failure::{ProbeError, TranscodeError};
pub use crate::process::Limits;
pub use crate::room::free;

use crate::bounds::Bounds;
use crate::plan::{GroupKind, Media, Plan, script_file};
use crate::process::Reach;
use crate::produced::{self, Produced};
use crate::{failure, measure, playlist, probe, process, room};

/// The progress of an encode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// Pictures encoded.
    pub frames: u64,
}

/// Runs a plan. Files arise in `work` only, which is created and from which those of an earlier try are
/// removed. `progress` is called about twice a second.
///
/// Dropping the future kills the process; cancelling the token kills and reaps it.
pub async fn run(
    plan: &Plan,
    input: &Path,
    work: &Path,
    limits: &Limits,
    cancel: &CancellationToken,
    progress: impl FnMut(Progress),
) -> Result<Produced, TranscodeError> {
    run_inputs(plan, &[input.to_owned()], work, limits, cancel, progress).await
}

/// Runs a plan with the files of all inputs, in their order. See [`run`].
pub async fn run_inputs(
    plan: &Plan,
    inputs: &[PathBuf],
    work: &Path,
    limits: &Limits,
    cancel: &CancellationToken,
    progress: impl FnMut(Progress),
) -> Result<Produced, TranscodeError> {
    let inputs = inputs.iter().map(std::path::absolute);
    let inputs: Vec<PathBuf> = inputs.collect::<Result<_, _>>().map_err(TranscodeError::Files)?;
    let work = std::path::absolute(work).map_err(TranscodeError::Files)?;
    let mut size = 0;
    for input in &inputs {
        size += tokio::fs::metadata(input).await.map_or(0, |file| file.len());
    }
    let bounds = Bounds::new(limits.play_time, size);
    bounds.check(plan)?;
    prepare(plan, &work).await.map_err(TranscodeError::Files)?;
    let first = measure::Run {
        inputs: &inputs,
        work: &work,
        limits,
        bounds,
        cancel,
    };
    let plan = &measure::loudness(plan, first).await?;
    measure::pictures(plan, first).await?;
    let arguments = plan.arguments_for(&inputs);
    tracing::debug!(command = process::quoted("ffmpeg", &arguments), "start encoder");
    let reach = Reach {
        inputs: &inputs,
        work: &work,
        file_size: limits.disk,
    };
    let mut child = process::spawn("ffmpeg", &arguments, reach, limits)
        .await
        .map_err(TranscodeError::Start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut messages = Vec::new();
    let outcome = tokio::select! {
        // In this order, so that a job that is canceled at its end counts as canceled.
        biased;
        () = cancel.cancelled() => Err(TranscodeError::Canceled),
        () = tokio::time::sleep(limits.time) => Err(TranscodeError::TimedOut(limits.time)),
        outgrown = room::outgrown(&work, limits.disk) => Err(outgrown),
        status = async {
            let messages_read = async {
                process::tail(stderr, &mut messages).await;
                Ok(())
            };
            let reported = report(stdout, plan.duration_ms, bounds, progress);
            tokio::select! {
                bounded = async { tokio::try_join!(reported, messages_read) } => { bounded?; }
                () = elapsed(limits.kill_after) => child.start_kill().map_err(TranscodeError::Start)?,
            }
            child.wait().await.map_err(TranscodeError::Start)
        } => status,
    };
    let messages = failure::redacted(&messages, &inputs, &work);
    match outcome {
        Ok(status) if status.success() => {}
        Ok(status) => {
            return Err(room::or_one_file_outgrown(
                failure::of_encoder(status, &messages),
                limits,
            ));
        }
        Err(error) => {
            // Reaped here, so that no zombie stays and nothing writes to `work` any more.
            child.kill().await.map_err(TranscodeError::Start)?;
            return Err(error);
        }
    }
    let produced = collect(plan, &work, limits).await?;
    if is_cut_short(plan, &produced, &messages) {
        return Err(TranscodeError::Truncated { length: size });
    }
    Ok(produced)
}

/// Sleeps for `time`; never returns if `None`.
async fn elapsed(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

async fn prepare(plan: &Plan, work: &Path) -> std::io::Result<()> {
    tokio::fs::create_dir_all(work).await?;
    for (index, script) in plan.scripts.iter().enumerate() {
        tokio::fs::write(work.join(script_file(index)), script).await?;
    }
    for group in &plan.groups {
        let folder = work.join(&group.folder);
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => tokio::fs::create_dir_all(&folder).await?,
        }
        let files = group
            .outputs
            .iter()
            .filter_map(|output| output.file(&group.folder));
        for parent in files.filter_map(|file| file.parent().map(|parent| work.join(parent))) {
            tokio::fs::create_dir_all(parent).await?;
        }
    }
    Ok(())
}

async fn collect(plan: &Plan, work: &Path, limits: &Limits) -> Result<Produced, TranscodeError> {
    let mut durations: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for group in &plan.groups {
        for output in &group.outputs {
            let (Media::Streams { muxer, audio, .. }, Some(path)) =
                (&output.media, output.file(&group.folder))
            else {
                continue;
            };
            let duration = match group.kind {
                GroupKind::File => probe::duration_ms(&work.join(&path), limits).await.map(Some),
                GroupKind::Hls(_) if muxer == "hls" && !audio.is_empty() => {
                    last_segment_ms(&work.join(&path), limits).await
                }
                // Measured from the segments themselves.
                _ => Ok(None),
            };
            if let Some(duration) = duration.map_err(TranscodeError::Unreadable)? {
                durations.insert(path, duration);
            }
        }
    }
    let (plan, work) = (plan.clone(), work.to_owned());
    let collected = tokio::task::spawn_blocking(move || produced::collect(&plan, &work, &durations)).await;
    collected
        .map_err(|error| TranscodeError::Files(error.into()))?
        .map_err(TranscodeError::Files)
}

/// Duration of the last segment of a playlist in milliseconds: ffmpeg's playlist counts pictures only, and audio may
/// continue after the last picture.
async fn last_segment_ms(playlist: &Path, limits: &Limits) -> Result<Option<u64>, ProbeError> {
    let text = tokio::fs::read_to_string(playlist)
        .await
        .map_err(ProbeError::Start)?;
    let segments = playlist::durations(&text).len();
    let stem = playlist.with_extension("");
    let last = format!("{}_{segments:05}.ts", stem.display());
    let seconds = probe::seconds_from_first_picture(Path::new(&last), limits).await?;
    Ok(seconds.map(produced::milliseconds))
}

/// ffmpeg ends well when its input ends in the middle; `MediaConvert` does not.
///
/// Containers are wrong about their length often enough, so the decoder must have complained as well.
fn is_cut_short(plan: &Plan, produced: &Produced, messages: &str) -> bool {
    let missing = plan.duration_ms.saturating_sub(produced.duration_ms);
    missing > 500 && missing * 20 > plan.duration_ms && !messages.is_empty()
}

/// Reads `-progress` to its end, or to where the encode goes beyond its bounds.
pub(crate) async fn report(
    stdout: Option<impl AsyncRead + Unpin>,
    duration_ms: u64,
    bounds: Bounds,
    mut progress: impl FnMut(Progress),
) -> Result<(), TranscodeError> {
    let Some(stdout) = stdout else { return Ok(()) };
    let mut lines = BufReader::new(stdout).lines();
    let (mut now, mut played) = (Progress::default(), Duration::ZERO);
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(time) = line.strip_prefix("out_time_us=") {
            // `N/A` before the first picture.
            played = time.trim().parse().map_or(played, Duration::from_micros);
        }
        if advance(&mut now, &line, duration_ms) {
            bounds.watch(now, played)?;
            progress(now);
        }
    }
    Ok(())
}

/// Takes in one `key=value` line; true at the end of a block.
fn advance(now: &mut Progress, line: &str, duration_ms: u64) -> bool {
    match line.split_once('=') {
        Some(("frame", frames)) => now.frames = frames.trim().parse().unwrap_or(now.frames),
        // Microseconds; `N/A` before the first picture.
        Some(("out_time_us", time)) => {
            let done_ms = time.trim().parse::<u64>().unwrap_or(0) / 1000;
            // Never backwards, and 100 only at the end.
            let percent = (done_ms * 100).checked_div(duration_ms).unwrap_or(0).min(99);
            now.percent = now.percent.max(u8::try_from(percent).unwrap_or(99));
        }
        Some(("progress", state)) => {
            if state.trim() == "end" {
                now.percent = 100;
            }
            return true;
        }
        _ => {}
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_line_by_line() {
        let mut now = Progress::default();
        for (line, ends, percent, frames) in [
            ("frame=10", false, 0, 10),
            ("out_time_us=N/A", false, 0, 10),
            ("progress=continue", true, 0, 10),
            ("out_time_us=5000000", false, 50, 10),
            ("out_time_us=4000000", false, 50, 10),
            ("out_time_us=20000000", false, 99, 10),
            ("frame= 300", false, 99, 300),
            ("speed=1.2x", false, 99, 300),
            ("progress=end", true, 100, 300),
        ] {
            assert_eq!(advance(&mut now, line, 10_000), ends, "{line}");
            assert_eq!(now, Progress { percent, frames }, "{line}");
        }
        let mut unknown = Progress::default();
        advance(&mut unknown, "out_time_us=5000000", 0);
        assert_eq!(unknown.percent, 0);
    }
}
