//! Running ffprobe.

use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::Semaphore;

use crate::failure::{self, ProbeError};
use crate::process::{self, FORMAT_WHITELIST, Limits, PROTOCOL_WHITELIST, Reach};

/// Probers at one time. Each may take all the memory of its limit, and uploads come in any number.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Runs ffprobe and returns what it was asked to `show`, as JSON.
pub(super) async fn run(path: &Path, show: &[&str], limits: &Limits) -> Result<Value, ProbeError> {
    let path = std::path::absolute(path).map_err(ProbeError::Start)?;
    let mut file = std::ffi::OsString::from("file:");
    file.push(&path);
    let options = ["-v", "error", "-of", "json"];
    let safety = [
        "-protocol_whitelist",
        PROTOCOL_WHITELIST,
        "-format_whitelist",
        FORMAT_WHITELIST,
        "-i",
    ];
    let arguments: Vec<_> = options
        .iter()
        .chain(show)
        .copied()
        .chain(safety)
        .map(Into::into)
        .chain([file])
        .collect();
    let work = path.parent().unwrap_or(Path::new("/"));
    let reach = Reach {
        inputs: std::slice::from_ref(&path),
        work,
        file_size: 0,
    };
    let _turn = TURNS.acquire().await;
    let mut child = process::spawn("ffprobe", &arguments, reach, limits)
        .await
        .map_err(ProbeError::Start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut json, mut messages) = (Vec::new(), Vec::new());
    let status = tokio::select! {
        status = async {
            tokio::join!(all(stdout, &mut json), process::tail(stderr, &mut messages));
            child.wait().await
        } => status.map_err(ProbeError::Start)?,
        () = tokio::time::sleep(limits.time) => {
            child.kill().await.map_err(ProbeError::Start)?;
            return Err(ProbeError::TimedOut(limits.time));
        }
    };
    if status.success() {
        return serde_json::from_slice(&json).map_err(|_| ProbeError::NoAnswer);
    }
    Err(failure::of_probe(
        status,
        &failure::redacted(&messages, std::slice::from_ref(&path), work),
    ))
}

async fn all(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    // ffprobe describes a file in some kilobytes; a file with a million streams must not fill our memory.
    const LARGEST: u64 = 16 << 20;
    let Some(stream) = stream else { return };
    // An answer that is cut off is no JSON, which the caller reports.
    let _ = stream.take(LARGEST).read_to_end(kept).await;
}
