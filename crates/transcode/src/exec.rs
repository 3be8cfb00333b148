//! The only place that starts processes: ffprobe and ffmpeg, under limits.
//!
//! What parses an upload must be able to crash alone, and must not be able to do anything else. So:
//! - it may open one file, of a known container format ([`PROTOCOL_WHITELIST`], [`FORMAT_WHITELIST`]);
//! - it has a time limit and a limit of address space, and dies with us ([`process`]);
//! - it starts without our environment, without a shell, without a terminal, in its own work directory;
//! - it is killed and reaped when the job is cancelled or the future is dropped.

mod failure;
mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio_util::sync::CancellationToken;

pub use self::failure::{ProbeError, TranscodeError};
use crate::plan::{Media, Plan};
use crate::probe;
use crate::produced::{self, Produced};

/// Protocols that ffmpeg may use while it reads an upload.
pub const PROTOCOL_WHITELIST: &str = "file,pipe";

/// Containers that an upload may have. No playlists (`hls`, `dash`, `concat`): they name other files.
pub const FORMAT_WHITELIST: &str =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,asf,mxf,ogg,wav,mp3,aac";

/// Largest picture that is decoded, in pixels: 8192x8192.
pub const MAX_PIXELS: &str = "67108864";

/// Bytes of ffmpeg's messages that are kept.
const MESSAGES: usize = 8 << 10;

/// What a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall clock.
    pub time: Duration,
    /// Address space in bytes. An encode of 1080p takes about 1 GiB, one of 4K about 3.
    pub memory: u64,
    /// SIGKILL for the encoder so long after its start: for those who want to see what comes of it.
    pub kill_after: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_hours(6),
            memory: 8 << 30,
            kill_after: None,
        }
    }
}

/// How far an encode is.
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
    let input = std::path::absolute(input).map_err(TranscodeError::Files)?;
    prepare(plan, work).await.map_err(TranscodeError::Files)?;
    let arguments = plan.arguments(&input);
    tracing::debug!(command = process::quoted("ffmpeg", &arguments), "start encoder");
    let mut child = process::spawn("ffmpeg", &arguments, work, limits)
        .await
        .map_err(TranscodeError::Start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut messages = Vec::new();
    let outcome = tokio::select! {
        // In this order, so that a job which was cancelled at its end counts as cancelled.
        biased;
        () = cancel.cancelled() => Err(TranscodeError::Canceled),
        () = tokio::time::sleep(limits.time) => Err(TranscodeError::TimedOut(limits.time)),
        status = async {
            tokio::select! {
                _ = async { tokio::join!(report(stdout, plan.duration_ms, progress), tail(stderr, &mut messages)) } => {}
                () = elapsed(limits.kill_after) => child.start_kill()?,
            }
            child.wait().await
        } => status.map_err(TranscodeError::Start),
    };
    let messages = failure::redacted(&messages, &input, work);
    match outcome {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(failure::of_encoder(status, &messages)),
        Err(error) => {
            // Reaped here, so that no zombie stays and nothing writes to `work` any more.
            child.kill().await.map_err(TranscodeError::Start)?;
            return Err(error);
        }
    }
    let produced = collect(plan, work, limits).await?;
    if is_cut_short(plan, &produced, &messages) {
        let length = tokio::fs::metadata(&input)
            .await
            .map_err(TranscodeError::Files)?
            .len();
        return Err(TranscodeError::Truncated { length });
    }
    Ok(produced)
}

/// Waits so long, or for ever.
async fn elapsed(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Runs ffprobe and returns its JSON.
pub(crate) async fn run_ffprobe(path: &Path, limits: &Limits) -> Result<Vec<u8>, ProbeError> {
    let path = std::path::absolute(path).map_err(ProbeError::Start)?;
    let mut file = std::ffi::OsString::from("file:");
    file.push(&path);
    let options = ["-v", "error", "-show_format", "-show_streams", "-of", "json"];
    let safety = [
        "-protocol_whitelist",
        PROTOCOL_WHITELIST,
        "-format_whitelist",
        FORMAT_WHITELIST,
        "-i",
    ];
    let arguments: Vec<_> = options
        .into_iter()
        .chain(safety)
        .map(Into::into)
        .chain([file])
        .collect();
    let work = path.parent().unwrap_or(Path::new("/"));
    let mut child = process::spawn("ffprobe", &arguments, work, limits)
        .await
        .map_err(ProbeError::Start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut json, mut messages) = (Vec::new(), Vec::new());
    let status = tokio::select! {
        status = async {
            tokio::join!(all(stdout, &mut json), tail(stderr, &mut messages));
            child.wait().await
        } => status.map_err(ProbeError::Start)?,
        () = tokio::time::sleep(limits.time) => {
            child.kill().await.map_err(ProbeError::Start)?;
            return Err(ProbeError::TimedOut(limits.time));
        }
    };
    if status.success() {
        return Ok(json);
    }
    Err(failure::of_probe(
        status,
        &failure::redacted(&messages, &path, work),
    ))
}

async fn prepare(plan: &Plan, work: &Path) -> std::io::Result<()> {
    for group in &plan.groups {
        let folder = work.join(&group.folder);
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => tokio::fs::create_dir_all(&folder).await?,
        }
    }
    Ok(())
}

async fn collect(plan: &Plan, work: &Path, limits: &Limits) -> Result<Produced, TranscodeError> {
    let mut durations: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for group in &plan.groups {
        for output in &group.outputs {
            if let (Media::Streams { muxer, .. }, Some(path)) = (&output.media, output.file(&group.folder))
                && *muxer != "hls"
            {
                let info = probe::probe(&work.join(&path), limits)
                    .await
                    .map_err(TranscodeError::Unreadable)?;
                durations.insert(path, info.duration_ms);
            }
        }
    }
    let (plan, work) = (plan.clone(), work.to_owned());
    let collected = tokio::task::spawn_blocking(move || produced::collect(&plan, &work, &durations)).await;
    collected
        .map_err(|error| TranscodeError::Files(error.into()))?
        .map_err(TranscodeError::Files)
}

/// ffmpeg ends well when its input ends in the middle; `MediaConvert` does not.
///
/// Containers are wrong about their length often enough, so the decoder must have complained as well.
fn is_cut_short(plan: &Plan, produced: &Produced, messages: &str) -> bool {
    let missing = plan.duration_ms.saturating_sub(produced.duration_ms);
    missing > 500 && missing * 20 > plan.duration_ms && !messages.is_empty()
}

/// Reads `-progress` to its end.
async fn report(
    stdout: Option<impl AsyncRead + Unpin>,
    duration_ms: u64,
    mut progress: impl FnMut(Progress),
) {
    let Some(stdout) = stdout else { return };
    let mut lines = BufReader::new(stdout).lines();
    let mut now = Progress::default();
    while let Ok(Some(line)) = lines.next_line().await {
        if advance(&mut now, &line, duration_ms) {
            progress(now);
        }
    }
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

/// Reads to the end and keeps the last bytes.
async fn tail(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut chunk = [0; 4 << 10];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        let surplus = kept.len().saturating_sub(MESSAGES);
        kept.drain(..surplus);
    }
}

async fn all(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    // ffprobe describes a file in some kilobytes; a file with a million streams must not fill our memory.
    const LARGEST: u64 = 16 << 20;
    let Some(stream) = stream else { return };
    // An answer that is cut off is no JSON, which the caller reports.
    let _ = stream.take(LARGEST).read_to_end(kept).await;
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
