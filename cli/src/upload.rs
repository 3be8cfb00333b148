//! `vod upload`: uploads a file to `input/`, in parts and with a progress bar.

mod resume;

use std::io::IsTerminal;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use futures::{StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use vod_core::asset::AssetId;
use vod_core::keys::INPUT;
use vod_core::record::{Record, State};

use self::resume::Unfinished;
use crate::aws::{AwsError, sdk_error};
use crate::http::Api;
use crate::stack::Stack;
use crate::target::record;
use crate::{output, show};

/// S3's smallest part is 5 MiB; with 8, a failed part costs about a second on a home connection.
const PART: u64 = 8 << 20;
/// S3's maximum number of parts.
const MAX_PARTS: u64 = 10_000;
/// Concurrent parts.
const PARALLEL: usize = 4;
/// Days for which S3 keeps the parts of an unfinished upload, locally and on AWS (`infra/template.yaml`).
const KEPT_DAYS: u32 = 7;
/// Tries to send a part that S3 refuses because the clocks differ.
const CLOCK_TRIES: u32 = 3;
/// The permission that an upload needs on AWS, in one request or in parts.
const PERMISSION: &str = "s3:PutObject";
/// Interval between reads of the record.
const POLL: Duration = Duration::from_millis(500);
/// Time after which an earlier failure counts as the result.
const RETRIED: Duration = Duration::from_secs(20);

/// Upload a video and start the pipeline. An interrupted upload is resumed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The video file
    file: PathBuf,
    /// Key below input/ (default: the file's name)
    #[arg(long)]
    key: Option<String>,
    /// Wait until the video can be watched; exit with 1 if it fails
    #[arg(long)]
    wait: bool,
    /// Print the record (with --wait) or the upload as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `vod upload`.
pub(crate) async fn run(stack: &Stack, args: &Args) -> anyhow::Result<ExitCode> {
    let key = key(&args.file, args.key.as_deref())?;
    let file =
        std::fs::metadata(&args.file).with_context(|| format!("could not read `{}`", args.file.display()))?;
    if !file.is_file() {
        bail!("`{}` is not a file", args.file.display());
    }
    let bar = bar(
        file.len(),
        "upload {bar:40} {bytes}/{total_bytes} {bytes_per_sec}",
    );
    let upload = Upload {
        s3: stack.s3(),
        bucket: &stack.bucket,
        key: &key,
        file: &args.file,
        size: file.len(),
    };
    let started = Timestamp::now();
    let asset = upload.run(&bar).await?;
    bar.finish_and_clear();
    if !args.wait {
        return uploaded(stack, &key, &asset, args.json).map(|()| ExitCode::SUCCESS);
    }
    output::note(&format!("uploaded {key}, asset {asset}"));
    let api = stack.api();
    let record = tokio::select! {
        record = wait(&api, &asset, started) => record?,
        // An upload in parts has installed a handler, so the signal no longer ends the process by itself.
        _ = tokio::signal::ctrl_c() => bail!(
            "interrupted; the encode continues, and `vod show{} {asset}` shows its state",
            stack.options
        ),
    };
    if args.json {
        output::json(&record)?;
    } else {
        show::print(&record)?;
    }
    Ok(output::exit_code(record.state == State::Complete))
}

fn uploaded(stack: &Stack, key: &str, asset: &AssetId, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(&serde_json::json!({"key": key, "asset": asset}));
    }
    output::line(asset.as_str())?;
    output::note(&format!(
        "uploaded {key}; `vod show{} {asset}` shows its state",
        stack.options
    ));
    Ok(())
}

/// The object's key: always below `input/`, because nothing else starts the pipeline.
fn key(file: &Path, wanted: Option<&str>) -> anyhow::Result<String> {
    let name = match wanted {
        Some(key) => key,
        None => file
            .file_name()
            .and_then(|name| name.to_str())
            .context("the file's name is not UTF-8: choose a key with --key")?,
    };
    let name = name.strip_prefix(INPUT).unwrap_or(name);
    let key = format!("{INPUT}{name}");
    if name.is_empty() || key.len() > 1024 {
        bail!(
            "a key below {INPUT} has 1 to 1018 bytes, this one has {}",
            name.len()
        );
    }
    Ok(key)
}

/// The content type by the suffix, for other tools; the pipeline probes the content.
fn content_type(file: &Path) -> &'static str {
    let suffix = file.extension().and_then(|suffix| suffix.to_str()).unwrap_or("");
    match suffix.to_ascii_lowercase().as_str() {
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

struct Upload<'a> {
    s3: Client,
    bucket: &'a str,
    key: &'a str,
    file: &'a Path,
    size: u64,
}

impl Upload<'_> {
    async fn run(&self, bar: &ProgressBar) -> anyhow::Result<AssetId> {
        if self.size <= PART {
            return self.whole(bar).await;
        }
        if let Some(started) = resume::find(self).await? {
            let (there, all) = (started.parts.len(), self.numbers().count());
            output::note(&format!(
                "resuming an interrupted upload: {there} of {all} parts exist"
            ));
            let went_on = self.in_parts(&started, bar).await;
            // Completed or aborted meanwhile, by another `vod upload` of the same file perhaps.
            if !went_on.as_ref().is_err_and(is_gone) {
                return went_on;
            }
            output::note("that upload no longer exists: starting over");
            bar.reset();
        }
        let id = self.create().await?;
        let parts = std::collections::HashMap::new();
        self.in_parts(&Unfinished { id, parts }, bar).await
    }

    async fn create(&self) -> anyhow::Result<String> {
        let created = self
            .s3
            .create_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .content_type(content_type(self.file))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(|error| sdk_error("could not start the upload", PERMISSION, error))?;
        Ok(created
            .upload_id()
            .context("S3 returned no upload id")?
            .to_owned())
    }

    /// Sends the missing parts. If that fails, S3 keeps the parts for the next `vod upload`.
    async fn in_parts(&self, started: &Unfinished, bar: &ProgressBar) -> anyhow::Result<AssetId> {
        let result = tokio::select! {
            result = self.parts(started, bar) => result,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        if result.as_ref().is_err_and(|error| !is_gone(error)) {
            output::note(&format!(
                "the parts that were sent are kept for {KEPT_DAYS} days: run the same command to send the rest"
            ));
        }
        result
    }

    async fn whole(&self, bar: &ProgressBar) -> anyhow::Result<AssetId> {
        let put = self
            .s3
            .put_object()
            .bucket(self.bucket)
            .key(self.key)
            .content_type(content_type(self.file))
            .body(self.read(0, self.size).await?)
            .send()
            .await
            .map_err(|error| sdk_error("could not upload", PERMISSION, error))?;
        bar.inc(self.size);
        self.asset(put.version_id(), put.e_tag())
    }

    async fn parts(&self, started: &Unfinished, bar: &ProgressBar) -> anyhow::Result<AssetId> {
        let mut parts: Vec<CompletedPart> = started.parts.values().cloned().collect();
        bar.inc(started.parts.keys().map(|&number| self.place(number).1).sum());
        let missing = self
            .numbers()
            .filter(|number| !started.parts.contains_key(number));
        let id = started.id.as_str();
        let sent: Vec<_> = futures::stream::iter(missing)
            .map(|number| self.part(id, number, bar))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        parts.extend(sent);
        parts.sort_by_key(CompletedPart::part_number);
        let done = self
            .s3
            .complete_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await
            .map_err(|error| sdk_error("could not complete the upload", PERMISSION, error))?;
        self.asset(done.version_id(), done.e_tag())
    }

    /// The numbers of the parts.
    fn numbers(&self) -> RangeInclusive<i32> {
        let count = self.size.div_ceil(part_size(self.size));
        1..=i32::try_from(count).unwrap_or(i32::MAX)
    }

    /// Offset and length of a part in the file, in bytes.
    fn place(&self, number: i32) -> (u64, u64) {
        let part = part_size(self.size);
        let offset = u64::from(number.unsigned_abs().saturating_sub(1)) * part;
        (offset, part.min(self.size.saturating_sub(offset)))
    }

    async fn part(&self, id: &str, number: i32, bar: &ProgressBar) -> anyhow::Result<CompletedPart> {
        let (offset, length) = self.place(number);
        let mut tries = 1;
        let sent = loop {
            let part = self.s3.upload_part().bucket(self.bucket).key(self.key);
            let part = part.upload_id(id).part_number(number);
            match part.body(self.read(offset, length).await?).send().await {
                Ok(sent) => break sent,
                // The clock was set while the part was under way. The SDK takes that for a clock that is wrong, and signs
                // its own retries with another that is.
                Err(error) if error.code() == Some("RequestTimeTooSkewed") && tries < CLOCK_TRIES => {
                    tries += 1;
                }
                Err(error) => {
                    let what = format!("could not upload part {number}");
                    return Err(sdk_error(&what, PERMISSION, error));
                }
            }
        };
        bar.inc(length);
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }

    async fn read(&self, offset: u64, length: u64) -> anyhow::Result<ByteStream> {
        ByteStream::read_from()
            .path(self.file)
            .offset(offset)
            .length(Length::Exact(length))
            .build()
            .await
            .with_context(|| format!("could not read `{}`", self.file.display()))
    }

    /// Derives the asset's id from S3's response.
    fn asset(&self, version: Option<&str>, etag: Option<&str>) -> anyhow::Result<AssetId> {
        let etag = etag.context("S3 returned no ETag")?;
        Ok(AssetId::new(self.bucket, self.key, version, etag))
    }
}

/// Whether the error says that the upload no longer exists.
fn is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<AwsError>().is_some_and(AwsError::is_missing)
}

/// Large files need larger parts to stay below S3's count.
fn part_size(size: u64) -> u64 {
    PART.max(size.div_ceil(MAX_PARTS))
}

/// Waits until the asset is in a terminal state, with a progress bar.
///
/// If the same bytes are uploaded again, the asset has the record of the first upload, and starts over if that failed: a
/// failure from before this upload counts only after [`RETRIED`].
async fn wait(api: &Api, asset: &AssetId, started: Timestamp) -> anyhow::Result<Record> {
    let waiting = Instant::now();
    let bar = bar(100, "{prefix:11} {bar:40} {pos} %");
    let mut said = String::new();
    loop {
        if let Some(record) = record(api, asset).await? {
            bar.set_prefix(record.state.as_str().to_ascii_lowercase());
            bar.set_position(record.progress.into());
            let is_old =
                matches!(record.state, State::Error | State::Canceled) && record.updated_at < started;
            if record.state.is_terminal() && !(is_old && waiting.elapsed() < RETRIED) {
                bar.finish_and_clear();
                return Ok(record);
            }
            // Without a terminal there is no bar: one line for each state.
            if bar.is_hidden() && said != record.state.as_str() {
                record.state.as_str().clone_into(&mut said);
                output::note(&said);
            }
        } else {
            bar.set_prefix("queued");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A progress bar on standard error, hidden if that is not a terminal.
fn bar(total: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    // The templates are ours; a fault in one would show the default bar.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_below_input() -> anyhow::Result<()> {
        let file = Path::new("/films/한국 & café+1.mp4");
        assert_eq!(key(file, None)?, "input/한국 & café+1.mp4");
        assert_eq!(key(file, Some("a/b.mp4"))?, "input/a/b.mp4");
        assert_eq!(key(file, Some("input/b.mp4"))?, "input/b.mp4");
        assert!(key(file, Some("")).is_err());
        assert!(key(file, Some("input/")).is_err());
        assert!(key(file, Some(&"x".repeat(1019))).is_err());
        assert!(key(Path::new("/"), None).is_err());
        Ok(())
    }

    #[test]
    fn no_upload_has_more_parts_than_s3_takes() {
        for size in [
            PART + 1,
            100 << 20,
            PART * MAX_PARTS,
            PART * MAX_PARTS + 1,
            5 << 40,
        ] {
            assert!(size.div_ceil(part_size(size)) <= MAX_PARTS, "{size}");
        }
        assert_eq!(part_size(100 << 20), PART);
    }
}
