//! Facts about media, as ffprobe and ffmpeg see them.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::tools;

/// ffprobe's streams and format.
pub fn probe(input: impl AsRef<OsStr>) -> anyhow::Result<Value> {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-of", "json", "-show_streams", "-show_format"])
        .arg(input);
    serde_json::from_str(&tools::run(&mut command)?).context("ffprobe gave no JSON")
}

/// The first stream of a kind: `video` or `audio`.
pub fn stream<'a>(probe: &'a Value, kind: &str) -> Option<&'a Value> {
    let streams = probe["streams"].as_array()?;
    streams.iter().find(|stream| stream["codec_type"] == kind)
}

/// Width and height of the picture.
pub fn size(probe: &Value) -> Option<(u64, u64)> {
    let video = stream(probe, "video")?;
    Some((video["width"].as_u64()?, video["height"].as_u64()?))
}

/// Seconds of the whole.
pub fn duration(probe: &Value) -> Option<f64> {
    probe["format"]["duration"].as_str()?.parse().ok()
}

/// The times of the keyframes, in seconds from the first frame.
pub fn keyframes(input: impl AsRef<OsStr>) -> anyhow::Result<Vec<f64>> {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-select_streams", "v:0", "-skip_frame", "nokey"])
        .args(["-show_entries", "frame=pts_time", "-of", "json"])
        .arg(input);
    let frames: Value = serde_json::from_str(&tools::run(&mut command)?).context("ffprobe gave no JSON")?;
    let times: Option<Vec<f64>> = frames["frames"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|frame| frame["pts_time"].as_str()?.parse().ok())
        .collect();
    let times = times.context("a frame without a time")?;
    let first = *times.first().context("no keyframes")?;
    Ok(times.iter().map(|time| time - first).collect())
}

/// Plays something to its end, as a player would; the seconds that were shown.
pub fn play(url: &str) -> anyhow::Result<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-xerror"]);
    if url.contains(".mpd") {
        // ffmpeg's DASH demuxer does not know the suffixes of CMAF.
        command.args(["-allowed_extensions", "ALL"]);
    }
    command
        .args(["-i", url])
        .args(["-f", "null", "-progress", "pipe:1", "-"]);
    let progress = tools::run(&mut command)?;
    ensure!(
        progress.trim_end().ends_with("progress=end"),
        "it broke off: {progress}"
    );
    let micros = progress
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("out_time_us="))
        .context("ffmpeg showed nothing")?;
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a short clip")]
    Ok(micros.trim().parse::<i64>()? as f64 / 1e6)
}

/// The mean volume in decibels of the audio in a language (ISO 639-2).
pub fn volume(input: &str, language: &str) -> anyhow::Result<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i", input]);
    command.args(["-map", &format!("0:a:m:language:{language}"), "-af"]);
    // Of the whole, after each frame: the last line counts.
    command.arg("astats=metadata=1,ametadata=mode=print:key=lavfi.astats.Overall.RMS_level:file=-");
    command.args(["-f", "null", "-"]);
    let printed = tools::run(&mut command)?;
    let last = printed
        .lines()
        .rev()
        .find_map(|line| line.split_once("RMS_level="));
    let (_, level) = last.context("ffmpeg heard nothing")?;
    level.trim().parse().context("not a number")
}

/// Whether two times are within a tenth of a second.
pub fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.1
}
