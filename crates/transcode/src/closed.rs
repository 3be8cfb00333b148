//! Reads captions that ffmpeg decodes: CEA-608 in the pictures of a source, and SCC files, which hold the same bytes.
//!
//! Both become WebVTT, which the plan reads as it reads caption files.

use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use crate::failure::{self, TranscodeError};
use crate::plan::{CaptionFiles, closed_key};
use crate::probe::MediaInfo;
use crate::process::{self, Limits, PROTOCOL_WHITELIST, Reach};

/// Names in the work folder: free of characters that a filter graph would read otherwise.
const SOURCE: &str = "closed-source";
const SCC: &str = "closed.scc";
const WEBVTT: &str = "closed.vtt";
/// Bytes of the WebVTT that is written. A film has about 100,000.
const LARGEST: &str = "8000000";

/// Adds the captions embedded in the input of this number, from 0, to `files`, and turns SCC files of it among them into WebVTT.
/// `work` is a folder for this alone; it is created.
pub async fn read(
    settings: &Value,
    files: &mut CaptionFiles,
    number: usize,
    (info, input): (&MediaInfo, &Path),
    work: &Path,
    limits: &Limits,
) -> Result<(), TranscodeError> {
    let work = std::path::absolute(work).map_err(TranscodeError::Files)?;
    let input = std::path::absolute(input).map_err(TranscodeError::Files)?;
    for source in sources(settings, number) {
        tokio::fs::create_dir_all(&work)
            .await
            .map_err(TranscodeError::Files)?;
        match source["sourceType"].as_str() {
            Some("SCC") => {
                let url = source["fileSourceSettings"]["sourceFile"]
                    .as_str()
                    .unwrap_or_default();
                let Some(bytes) = files.get(url).filter(|bytes| !bytes.starts_with(b"WEBVTT")) else {
                    continue;
                };
                let file = work.join(SCC);
                tokio::fs::write(&file, bytes)
                    .await
                    .map_err(TranscodeError::Files)?;
                let webvtt = decoded(&from_file(), &file, &work, limits).await?;
                files.insert(url.to_owned(), webvtt);
            }
            Some("EMBEDDED") if info.video.is_some() => {
                let channel = source["embeddedSourceSettings"]["source608ChannelNumber"].as_u64();
                let key = closed_key(number, channel.unwrap_or(1));
                if files.contains_key(&key) {
                    continue;
                }
                link(&input, &work.join(SOURCE))
                    .await
                    .map_err(TranscodeError::Files)?;
                let arguments = from_pictures(&info.container, channel.unwrap_or(1));
                let webvtt = decoded(&arguments, &input, &work, limits).await?;
                files.insert(key, webvtt);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The caption sources of an input.
fn sources(settings: &Value, number: usize) -> impl Iterator<Item = &Value> {
    let selectors = settings["inputs"][number]["captionSelectors"].as_object();
    let selectors = selectors.into_iter().flat_map(|selectors| selectors.values());
    selectors.map(|selector| &selector["sourceSettings"])
}

fn from_file() -> Vec<String> {
    let options = ["-protocol_whitelist", PROTOCOL_WHITELIST, "-f", "scc", "-i"];
    let mut arguments: Vec<String> = options.map(str::to_owned).to_vec();
    arguments.push(format!("file:{SCC}"));
    arguments
}

/// The decoder hands out captions beside pictures only through this filter. It opens one file, of the container that the
/// probe has found.
fn from_pictures(container: &str, channel: u64) -> Vec<String> {
    let format = container.split(',').next().unwrap_or_default();
    let field = if channel > 2 { "second" } else { "first" };
    let graph = format!("movie=filename={SOURCE}:f={format}:format_opts=protocol_whitelist=file[out0+subcc]");
    let options = ["-data_field", field, "-f", "lavfi", "-i", &graph, "-map", "0:s"];
    options.map(str::to_owned).to_vec()
}

async fn link(input: &Path, link: &Path) -> std::io::Result<()> {
    match tokio::fs::remove_file(link).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    tokio::fs::symlink(input, link).await
}

/// Runs the decoder in `work` and returns what it has written.
async fn decoded(
    from: &[String],
    input: &Path,
    work: &Path,
    limits: &Limits,
) -> Result<Vec<u8>, TranscodeError> {
    let inputs = &[input.to_owned()];
    let before = ["-nostdin", "-v", "error", "-y"].map(str::to_owned);
    let after = ["-f", "webvtt", "-fs", LARGEST].map(str::to_owned);
    let output = format!("file:{WEBVTT}");
    let arguments = before.iter().chain(from).chain(&after).chain([&output]);
    let arguments: Vec<OsString> = arguments.map(OsString::from).collect();
    let reach = Reach {
        inputs,
        work,
        file_size: limits.disk,
    };
    let mut child = process::spawn("ffmpeg", &arguments, reach, limits)
        .await
        .map_err(TranscodeError::Start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut nothing, mut messages) = (Vec::new(), Vec::new());
    let status = tokio::select! {
        status = async {
            tokio::join!(process::tail(stdout, &mut nothing), process::tail(stderr, &mut messages));
            child.wait().await
        } => status.map_err(TranscodeError::Start)?,
        () = tokio::time::sleep(limits.time) => return Err(TranscodeError::TimedOut(limits.time)),
    };
    if !status.success() {
        let messages = failure::redacted(&messages, inputs, work);
        return Err(failure::of_encoder(status, &messages));
    }
    tokio::fs::read(work.join(WEBVTT))
        .await
        .map_err(TranscodeError::Files)
}
