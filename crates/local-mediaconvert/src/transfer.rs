//! Copies objects to files and files to objects over S3's HTTP API, as MediaConvert does with its role.

use std::io;
use std::ops::Range;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mediaconvert_api::Location;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _, SeekFrom};

use super::inspect::ObjectFacts;

/// Larger files go up in parts of this many bytes.
const PART: u64 = 16 * 1024 * 1024;
/// Parts of one file under way at a time.
const PARALLEL_PARTS: usize = 2;
/// Bytes per read of a file that goes up.
const READ: usize = 512 * 1024;

/// The kind of a failure. It determines MediaConvert's error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    NotFound,
    Denied,
    DiskFull,
    Other,
}

/// A transfer that failed after the retries of the SDK.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {object}: {reason}")]
pub(super) struct TransferError {
    pub(super) kind: Kind,
    action: &'static str,
    object: Location,
    reason: String,
}

impl TransferError {
    fn new(object: &Location, action: &'static str, kind: Kind, reason: String) -> Self {
        Self {
            kind,
            action,
            object: object.clone(),
            reason,
        }
    }

    fn sdk<E>(object: &Location, action: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let kind = match (status, error.code()) {
            (Some(507), _) => Kind::DiskFull,
            (Some(404), _) => Kind::NotFound,
            (Some(403), _) => Kind::Denied,
            _ => Kind::Other,
        };
        let reason = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            _ => DisplayErrorContext(error).to_string(),
        };
        Self::new(object, action, kind, reason)
    }

    pub(super) fn io(object: &Location, action: &'static str, error: &io::Error) -> Self {
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        let kind = if full { Kind::DiskFull } else { Kind::Other };
        Self::new(object, action, kind, error.to_string())
    }
}

/// What S3 says about an object.
pub(super) async fn head(s3: &Client, from: &Location) -> Result<ObjectFacts, TransferError> {
    let answer = s3.head_object().bucket(&from.bucket).key(&from.key).send().await;
    let answer = answer.map_err(|error| TransferError::sdk(from, "read", &error))?;
    Ok(ObjectFacts {
        etag: answer.e_tag().map(str::to_owned),
        size: answer.content_length(),
        last_modified: answer.last_modified().map(aws_sdk_s3::primitives::DateTime::secs),
        content_type: answer.content_type().map(str::to_owned),
    })
}

/// Copies an object into a new file at `path`.
pub(super) async fn fetch(s3: &Client, from: &Location, path: &Path) -> Result<ObjectFacts, TransferError> {
    let answer = s3.get_object().bucket(&from.bucket).key(&from.key).send().await;
    let answer = answer.map_err(|error| TransferError::sdk(from, "read", &error))?;
    let facts = facts(&answer);
    let mut file = File::create(path)
        .await
        .map_err(|error| TransferError::io(from, "read", &error))?;
    copy(from, answer.body, &mut file).await?;
    Ok(facts)
}

/// Copies a part of an object to the same place in `file`, provided that the object is still that of `facts`.
pub(super) async fn fetch_range(
    s3: &Client,
    from: &Location,
    facts: &ObjectFacts,
    file: &mut File,
    range: Range<u64>,
) -> Result<(), TransferError> {
    let get = s3
        .get_object()
        .bucket(&from.bucket)
        .key(&from.key)
        .set_if_match(facts.etag.clone());
    let get = get.range(format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
    let answer = get
        .send()
        .await
        .map_err(|error| TransferError::sdk(from, "read", &error))?;
    file.seek(SeekFrom::Start(range.start))
        .await
        .map_err(|error| TransferError::io(from, "read", &error))?;
    copy(from, answer.body, file).await
}

async fn copy(from: &Location, mut body: ByteStream, file: &mut File) -> Result<(), TransferError> {
    while let Some(chunk) = body.next().await {
        let chunk =
            chunk.map_err(|error| TransferError::new(from, "read", Kind::Other, error.to_string()))?;
        file.write_all(&chunk)
            .await
            .map_err(|error| TransferError::io(from, "read", &error))?;
    }
    file.flush()
        .await
        .map_err(|error| TransferError::io(from, "read", &error))
}

fn facts(answer: &GetObjectOutput) -> ObjectFacts {
    ObjectFacts {
        etag: answer.e_tag().map(str::to_owned),
        size: answer.content_length(),
        last_modified: answer.last_modified().map(aws_sdk_s3::primitives::DateTime::secs),
        content_type: answer.content_type().map(str::to_owned),
    }
}

/// Writes a file to an object, whole or not at all.
pub(super) async fn store(s3: &Client, path: &Path, to: &Location) -> Result<(), TransferError> {
    const ACTION: &str = "write";
    let metadata = tokio::fs::metadata(path)
        .await
        .map_err(|error| TransferError::io(to, ACTION, &error))?;
    if metadata.len() > PART {
        return store_in_parts(s3, path, to, metadata.len()).await;
    }
    let body = ByteStream::read_from().path(path).buffer_size(READ).build().await;
    let body = body.map_err(|error| TransferError::new(to, ACTION, Kind::Other, error.to_string()))?;
    let put = s3
        .put_object()
        .bucket(&to.bucket)
        .key(&to.key)
        .content_type(content_type(&to.key))
        .body(body);
    put.send()
        .await
        .map_err(|error| TransferError::sdk(to, ACTION, &error))?;
    Ok(())
}

async fn store_in_parts(s3: &Client, path: &Path, to: &Location, size: u64) -> Result<(), TransferError> {
    const ACTION: &str = "write";
    let create = s3
        .create_multipart_upload()
        .bucket(&to.bucket)
        .key(&to.key)
        .content_type(content_type(&to.key));
    let created = create
        .send()
        .await
        .map_err(|error| TransferError::sdk(to, ACTION, &error))?;
    let upload = created.upload_id().unwrap_or_default();
    let parts = parts(size)
        .map(|(number, offset, length)| store_part(s3, path, to, upload, (number, offset, length)));
    let stored: Result<Vec<_>, _> = stream::iter(parts).buffered(PARALLEL_PARTS).try_collect().await;
    let finished = match stored {
        Ok(parts) => {
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            let complete = s3
                .complete_multipart_upload()
                .bucket(&to.bucket)
                .key(&to.key)
                .upload_id(upload);
            complete
                .multipart_upload(parts)
                .send()
                .await
                .map(drop)
                .map_err(|error| TransferError::sdk(to, ACTION, &error))
        }
        Err(error) => Err(error),
    };
    if finished.is_err() {
        // Best effort: parts that stay behind are invisible, only their room is lost.
        let abort = s3
            .abort_multipart_upload()
            .bucket(&to.bucket)
            .key(&to.key)
            .upload_id(upload);
        if let Err(error) = abort.send().await {
            tracing::warn!(key = to.key, error = %DisplayErrorContext(&error), "failed to abort upload");
        }
    }
    finished
}

/// Number (from 1), offset and length of each part.
fn parts(size: u64) -> impl Iterator<Item = (i32, u64, u64)> {
    let offsets = (0..size.div_ceil(PART)).map(|index| index * PART);
    (1..)
        .zip(offsets)
        .map(move |(number, offset)| (number, offset, PART.min(size - offset)))
}

async fn store_part(
    s3: &Client,
    path: &Path,
    to: &Location,
    upload: &str,
    (number, offset, length): (i32, u64, u64),
) -> Result<CompletedPart, TransferError> {
    const ACTION: &str = "write";
    let body = ByteStream::read_from()
        .path(path)
        .buffer_size(READ)
        .offset(offset)
        .length(Length::Exact(length))
        .build()
        .await;
    let body = body.map_err(|error| TransferError::new(to, ACTION, Kind::Other, error.to_string()))?;
    let part = s3
        .upload_part()
        .bucket(&to.bucket)
        .key(&to.key)
        .upload_id(upload)
        .part_number(number)
        .body(body);
    let stored = part
        .send()
        .await
        .map_err(|error| TransferError::sdk(to, ACTION, &error))?;
    let completed = CompletedPart::builder().part_number(number);
    Ok(completed
        .set_e_tag(stored.e_tag)
        .set_checksum_crc32(stored.checksum_crc32)
        .set_checksum_crc64_nvme(stored.checksum_crc64_nvme)
        .build())
}

/// By suffix, what players and browsers expect (RFC 8216 section 4, IANA).
fn content_type(key: &str) -> &'static str {
    match key.rsplit('.').next().unwrap_or_default() {
        "m3u8" => "application/vnd.apple.mpegurl",
        "mpd" => "application/dash+xml",
        "ts" | "m2ts" => "video/mp2t",
        "mp4" | "cmfv" | "m4s" => "video/mp4",
        "m4a" | "cmfa" => "audio/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "jpg" => "image/jpeg",
        "vtt" => "text/vtt",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_file() {
        for size in [PART + 1, 2 * PART, 5 * PART + 7] {
            let parts: Vec<_> = parts(size).collect();
            assert_eq!(parts[0], (1, 0, PART));
            assert!(parts.iter().all(|(_, _, length)| *length > 0));
            assert_eq!(parts.iter().map(|(_, _, length)| length).sum::<u64>(), size);
            assert!(
                parts
                    .windows(2)
                    .all(|pair| pair[0].0 + 1 == pair[1].0 && pair[0].1 + PART == pair[1].1)
            );
        }
    }

    #[test]
    fn a_full_disk_has_its_own_kind() {
        let location = Location {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
        };
        let full = TransferError::io(&location, "read", &io::ErrorKind::StorageFull.into());
        assert_eq!(full.kind, Kind::DiskFull);
        assert!(
            full.to_string().starts_with("failed to read s3://b/k: "),
            "{full}"
        );
    }
}
