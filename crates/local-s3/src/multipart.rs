//! Multipart uploads, with S3's rules ("Amazon S3 multipart upload limits").

use std::ops::Range;

use rusqlite::{OptionalExtension as _, Transaction, params};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType, CopyPartResult,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, s3_error};

use super::checksum::{self, Algorithm, checksum_type, set_checksum};
use super::conditions::source_condition;
use super::copy::Source;
use super::error::{OperationError, not_implemented};
use super::headers::{refuse_unsupported, take_headers};
use super::index::{self, to_json};
use super::parts::{PartRow, Upload, drop_upload, get_upload};
use super::receive::{MAX_BODY, promise, receive, too_large};
use super::request::{Answer, check_owner, refuse_customer_key, strong, timestamp};
use super::store::{Aftermath, Store};

pub(super) const MAX_PARTS: i32 = 10_000;

pub(super) async fn create(
    store: &Store,
    mut request: S3Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let input = &mut request.input;
    refuse_unsupported!(input)?;
    let headers = take_headers!(input)?;
    let checksum = chosen_checksum(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
    let (bucket, key) = (input.bucket.clone(), input.key.clone());
    let (id, now) = (vod_ids::letters(96), store.now().as_millisecond());
    let output = CreateMultipartUploadOutput {
        bucket: Some(bucket.clone()),
        key: Some(key.clone()),
        upload_id: Some(id.clone()),
        checksum_algorithm: checksum.map(|chosen| chosen.algorithm.dto()),
        checksum_type: checksum.map(|chosen| checksum_type(chosen.full_object)),
        ..CreateMultipartUploadOutput::default()
    };
    store
        .write(move |transaction, _| {
            index::require_bucket(transaction, &bucket)?;
            transaction.execute(
                "INSERT INTO s3_upload (id, bucket, key, initiated_ms, headers, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![id, bucket, key, now, to_json(&headers), to_json(&checksum)],
            )?;
            Ok(())
        })
        .await?;
    Ok(S3Response::new(output))
}

fn chosen_checksum(
    algorithm: Option<&ChecksumAlgorithm>,
    kind: Option<&ChecksumType>,
) -> Result<Option<checksum::Multipart>, OperationError> {
    match (algorithm, kind) {
        (Some(name), kind) => {
            let algorithm = Algorithm::from_name(name.as_str()).ok_or_else(|| {
                let text = "Checksum algorithm provided is unsupported. Please try again with any of the valid types:";
                OperationError::from(s3_error!(InvalidRequest, "{text} [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"))
            })?;
            checksum::Multipart::choose(algorithm, kind).map(Some)
        }
        (None, Some(_)) => {
            let text =
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.";
            Err(s3_error!(InvalidRequest, "{text}").into())
        }
        (None, None) => Ok(None),
    }
}

pub(super) async fn upload_part(
    store: &Store,
    mut request: S3Request<UploadPartInput>,
) -> Answer<UploadPartOutput> {
    let input = &mut request.input;
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    check_number(input.part_number)?;
    let promise = promise!(input, request)?;
    let place = Place::new(&input.bucket, &input.key, &input.upload_id, input.part_number);
    let upload = place.clone().find(store).await?;
    check_algorithm(upload.checksum, promise.algorithm())?;
    let received = receive(&store.blobs, input.body.take(), &promise).await?;

    let shared = store.clone();
    let part = store
        .write(move |transaction, after| {
            let now = shared.now().as_millisecond();
            let part = PartRow {
                number: place.number,
                content: index::next_number(transaction, now)?,
                size: received.size,
                etag: hex::encode(received.md5),
                modified_ms: now,
                checksum: received.checksum,
            };
            index::add_content(transaction, after, part.content, part.size, received.content)?;
            place.put(transaction, after, &part)?;
            Ok(part)
        })
        .await?;
    let mut output = UploadPartOutput {
        e_tag: Some(strong(&part.etag)),
        ..UploadPartOutput::default()
    };
    set_checksum!(output, part.checksum.as_ref());
    Ok(S3Response::new(output))
}

fn check_number(number: i32) -> Result<(), OperationError> {
    if (1..=MAX_PARTS).contains(&number) {
        return Ok(());
    }
    let text = "Part number must be an integer between 1 and 10000, inclusive";
    Err(s3_error!(InvalidArgument, "{text}").into())
}

/// A part has to come with the checksum that was chosen for the upload.
fn check_algorithm(
    chosen: Option<checksum::Multipart>,
    given: Option<Algorithm>,
) -> Result<(), OperationError> {
    let Some(expected) = chosen.map(|chosen| chosen.algorithm) else {
        return Ok(());
    };
    if given == Some(expected) {
        return Ok(());
    }
    let (expected, given) = (
        expected.lower(),
        given.map_or_else(|| "null".to_owned(), Algorithm::lower),
    );
    let text = format!("expected checksum Type: {expected}, actual checksum Type: {given}");
    Err(s3_error!(InvalidRequest, "Checksum Type mismatch occurred, {text}").into())
}

/// Where a part belongs.
#[derive(Clone)]
struct Place {
    bucket: String,
    key: String,
    upload: String,
    number: i32,
}

impl Place {
    fn new(bucket: &str, key: &str, upload: &str, number: i32) -> Self {
        Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            upload: upload.to_owned(),
            number,
        }
    }

    async fn find(self, store: &Store) -> Result<Upload, OperationError> {
        store
            .read(move |connection| get_upload(connection, &self.bucket, &self.key, &self.upload))
            .await
    }

    /// Writes the part, replacing the one of that number.
    fn put(
        &self,
        transaction: &Transaction<'_>,
        after: &mut Aftermath,
        part: &PartRow,
    ) -> Result<(), OperationError> {
        // It may have been completed or aborted while the body arrived.
        get_upload(transaction, &self.bucket, &self.key, &self.upload)?;
        let replaced: Option<i64> = transaction
            .prepare_cached("DELETE FROM s3_part WHERE upload = ?1 AND number = ?2 RETURNING content")?
            .query_row(params![self.upload, self.number], |row| row.get(0))
            .optional()?;
        if let Some(content) = replaced {
            index::drop_content(transaction, after, content)?;
        }
        transaction.execute(
            "INSERT INTO s3_part (upload, number, content, size, etag, modified_ms, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                self.upload,
                part.number,
                part.content,
                part.size,
                part.etag,
                part.modified_ms,
                to_json(&part.checksum)
            ],
        )?;
        Ok(())
    }
}

pub(super) async fn upload_part_copy(
    store: &Store,
    mut request: S3Request<UploadPartCopyInput>,
) -> Answer<UploadPartCopyOutput> {
    let input = &mut request.input;
    check_owner(input.expected_source_bucket_owner.as_deref())?;
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    refuse_customer_key(input.copy_source_sse_customer_algorithm.as_ref())?;
    check_number(input.part_number)?;
    let source = Source::new(&input.copy_source, source_condition!(input))?;
    let range = input
        .copy_source_range
        .as_deref()
        .map(parse_copy_range)
        .transpose()?;
    let place = Place::new(&input.bucket, &input.key, &input.upload_id, input.part_number);
    let upload = place.clone().find(store).await?;

    let (from, content) = source.open(store, range.clone()).await?;
    let range = range.unwrap_or(0..from.size);
    if range.end - range.start > MAX_BODY {
        return Err(too_large());
    }
    let algorithm = upload.checksum.map(|chosen| chosen.algorithm);
    let (md5, checksum) = content.checked().await?.digest(algorithm).await?;
    let shared = store.clone();
    let part = store
        .write(move |transaction, after| {
            let Some(segments) = source.segments(transaction, from.content, &range)? else {
                let text = "The copy source was replaced while it was being copied. Try again.";
                return Err(s3_error!(OperationAborted, "{text}").into());
            };
            let now = shared.now().as_millisecond();
            let content = index::next_number(transaction, now)?;
            index::add_segments(transaction, content, &segments)?;
            let (number, size) = (place.number, range.end - range.start);
            let part = PartRow {
                number,
                content,
                size,
                etag: hex::encode(md5),
                modified_ms: now,
                checksum,
            };
            place.put(transaction, after, &part)?;
            Ok(part)
        })
        .await?;
    let mut result = CopyPartResult {
        e_tag: Some(strong(&part.etag)),
        last_modified: Some(timestamp(part.modified_ms)),
        ..CopyPartResult::default()
    };
    set_checksum!(result, part.checksum.as_ref());
    let output = UploadPartCopyOutput {
        copy_part_result: Some(result),
        ..UploadPartCopyOutput::default()
    };
    Ok(S3Response::new(output))
}

/// `bytes=first-last`, both ends given: the only form that S3 takes here.
fn parse_copy_range(text: &str) -> Result<Range<u64>, OperationError> {
    let parsed = s3s::dto::Range::parse(text);
    if let Ok(s3s::dto::Range::Int {
        first,
        last: Some(last),
    }) = parsed
    {
        return Ok(first..last + 1);
    }
    let text = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are \
        the zero-based offsets of the first and last bytes to copy";
    Err(s3_error!(InvalidArgument, "{text}").into())
}

pub(super) async fn abort(
    store: &Store,
    request: S3Request<AbortMultipartUploadInput>,
) -> Answer<AbortMultipartUploadOutput> {
    let input = request.input;
    if input.if_match_initiated_time.is_some() {
        return Err(not_implemented("a conditional abort"));
    }
    store
        .write_delete(move |transaction, after| {
            let upload = get_upload(transaction, &input.bucket, &input.key, &input.upload_id)?;
            Ok(drop_upload(transaction, after, &upload.id)?)
        })
        .await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_ranges_need_both_ends() {
        assert_eq!(parse_copy_range("bytes=0-9").unwrap(), 0..10);
        for text in ["bytes=5-", "bytes=-5", "0-9", "bytes=9-0"] {
            assert!(parse_copy_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_has_the_checksum_of_its_upload() {
        let chosen = Some(checksum::Multipart {
            algorithm: Algorithm::Crc32,
            full_object: false,
        });
        assert!(check_algorithm(chosen, Some(Algorithm::Crc32)).is_ok());
        assert!(check_algorithm(chosen, None).is_err());
        assert!(check_algorithm(chosen, Some(Algorithm::Sha1)).is_err());
        assert!(check_algorithm(None, Some(Algorithm::Sha1)).is_ok());
    }
}
