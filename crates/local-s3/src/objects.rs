//! PUT, GET and HEAD of objects.

use std::ops::Range;

use s3s::dto::{
    ChecksumMode, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, PutObjectInput,
    PutObjectOutput,
};
use s3s::{S3Request, S3Response, s3_error};

use super::checksum::{Stored, set_checksum};
use super::conditions::{ReadCondition, WriteCondition};
use super::error::{OperationError, not_implemented, refusal};
use super::headers::{refuse_unsupported, set_headers, take_headers};
use super::index::{self, Object};
use super::reader::Content;
use super::receive::{promise, receive};
use super::request::{Answer, check_version, refuse_customer_key, requester, size, strong, timestamp};
use super::store::{Origin, Store};

pub(super) async fn put(store: &Store, mut request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
    let requester = requester(&request);
    let cause = if request.method == http::Method::POST {
        "Post"
    } else {
        "Put"
    };
    let input = &mut request.input;
    let condition = WriteCondition::new(input.if_match.take(), input.if_none_match.take())?;
    let origin = Origin {
        cause,
        requester,
        condition,
    };
    refuse_unsupported!(input)?;
    if input.write_offset_bytes.is_some() {
        return Err(not_implemented("appending to an object"));
    }
    let headers = take_headers!(input)?;
    let promise = promise!(input, request)?;
    // A missing bucket is cheaper to say before the body than after it.
    let (bucket, key) = (std::mem::take(&mut input.bucket), std::mem::take(&mut input.key));
    let named = bucket.clone();
    store
        .read(move |connection| index::require_bucket(connection, &named))
        .await?;
    let received = receive(&store.blobs, input.body.take(), &promise).await?;

    let shared = store.clone();
    let object = store
        .write(move |transaction, after| {
            let modified_ms = shared.now().as_millisecond();
            let object = Object {
                key,
                content: index::next_number(transaction, modified_ms)?,
                size: received.size,
                etag: hex::encode(received.md5),
                modified_ms,
                headers,
                checksum: received.checksum,
                part_sizes: Vec::new(),
            };
            index::add_content(transaction, after, object.content, object.size, received.content)?;
            shared.commit_object(transaction, after, &bucket, &object, &origin)?;
            Ok(object)
        })
        .await?;
    let mut output = PutObjectOutput {
        e_tag: Some(strong(&object.etag)),
        ..PutObjectOutput::default()
    };
    set_checksum!(output, object.checksum.as_ref());
    output.checksum_type = object.checksum.as_ref().map(Stored::checksum_type);
    Ok(S3Response::new(output))
}

/// Refuses what a GET or HEAD asks for and this store does not do; gives the conditions of the others.
macro_rules! read_condition {
    ($input:ident) => {{
        check_version($input.version_id.as_deref())?;
        refuse_customer_key($input.sse_customer_algorithm.as_ref())?;
        ReadCondition {
            if_match: $input.if_match,
            if_none_match: $input.if_none_match,
            if_modified_since: $input.if_modified_since,
            if_unmodified_since: $input.if_unmodified_since,
        }
    }};
}

/// Says in the output of a GET or HEAD, two structures with the same fields, what the object is.
macro_rules! describe {
    ($output:ident, $object:ident, $window:ident, $mode:expr) => {
        $output.accept_ranges = Some("bytes".to_owned());
        $output.content_length = Some(size($window.length()));
        $output.content_range = $window.content_range(&$object);
        $output.e_tag = Some(strong(&$object.etag));
        $output.last_modified = Some(timestamp($object.modified_ms));
        $output.parts_count = $window.parts_count(&$object);
        if !$window.partial && wants_checksum($mode.as_ref()) {
            set_checksum!($output, $object.checksum.as_ref());
            $output.checksum_type = $object.checksum.as_ref().map(Stored::checksum_type);
        }
        set_headers!($output, $object.headers);
    };
}

pub(super) async fn get(store: &Store, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
    let input = request.input;
    let condition = read_condition!(input);
    let (range, number) = (input.range, input.part_number);
    let (bucket, key, shared) = (input.bucket, input.key, store.clone());
    let (object, window, content) = store
        .read(move |connection| {
            let object = index::get_object(connection, &bucket, &key)?;
            condition.check(&object)?;
            let window = window(&object, range, number)?;
            let segments = index::slice(&index::segments(connection, object.content)?, &window.bytes);
            let content = Content::pin(&shared, connection, &segments)?;
            Ok((object, window, content))
        })
        .await?;

    let mut output = GetObjectOutput {
        body: Some(content.checked().await?.into_blob()),
        ..GetObjectOutput::default()
    };
    describe!(output, object, window, input.checksum_mode);
    Ok(S3Response::new(output))
}

pub(super) async fn head(store: &Store, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
    let input = request.input;
    let condition = read_condition!(input);
    let (bucket, key) = (input.bucket, input.key);
    let object = store
        .read(move |connection| index::get_object(connection, &bucket, &key))
        .await?;
    condition.check(&object)?;
    let window = window(&object, input.range, input.part_number)?;

    let mut output = HeadObjectOutput::default();
    describe!(output, object, window, input.checksum_mode);
    let mut response = S3Response::new(output);
    response.status = window.partial.then_some(http::StatusCode::PARTIAL_CONTENT);
    Ok(response)
}

fn wants_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

/// The bytes of an object that a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    bytes: Range<u64>,
    partial: bool,
    by_number: bool,
}

fn window(
    object: &Object,
    range: Option<s3s::dto::Range>,
    number: Option<i32>,
) -> Result<Window, OperationError> {
    let bytes = match (range, number) {
        (Some(_), Some(_)) => {
            let text = "Cannot specify both Range header and partNumber query parameter";
            return Err(s3_error!(InvalidRequest, "{text}").into());
        }
        (None, None) => 0..object.size,
        (Some(_), None) if object.size == 0 => return Err(unsatisfiable()),
        (Some(range), None) => range.check(object.size).map_err(|_| unsatisfiable())?,
        (None, Some(number)) => part_bytes(object, number)?,
    };
    Ok(Window {
        bytes,
        partial: range.is_some() || number.is_some(),
        by_number: number.is_some(),
    })
}

/// The bytes of one part of a multipart object; any other object is its own part 1.
fn part_bytes(object: &Object, number: i32) -> Result<Range<u64>, OperationError> {
    let whole = [object.size];
    let sizes = if object.part_sizes.is_empty() {
        &whole[..]
    } else {
        &object.part_sizes
    };
    let position = usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(1));
    let Some(length) = position.and_then(|position| sizes.get(position)) else {
        let mut error = refusal("InvalidPartNumber", http::StatusCode::RANGE_NOT_SATISFIABLE);
        error.set_message("The requested partnumber is not satisfiable");
        return Err(error.into());
    };
    let start: u64 = sizes[..position.unwrap_or(0)].iter().sum();
    Ok(start..start + length)
}

fn unsatisfiable() -> OperationError {
    s3_error!(InvalidRange, "The requested range is not satisfiable").into()
}

impl Window {
    fn length(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    fn content_range(&self, object: &Object) -> Option<String> {
        let Range { start, end } = self.bytes;
        (self.partial && start < end).then(|| format!("bytes {start}-{}/{}", end - 1, object.size))
    }

    /// Said only to those who ask by part number.
    fn parts_count(&self, object: &Object) -> Option<i32> {
        let count = i32::try_from(object.part_sizes.len()).ok()?;
        (self.by_number && count > 0).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(size: u64, part_sizes: &[u64]) -> Object {
        Object {
            key: "k".to_owned(),
            content: 1,
            size,
            etag: "e".to_owned(),
            modified_ms: 0,
            headers: super::super::headers::Headers::default(),
            checksum: None,
            part_sizes: part_sizes.to_vec(),
        }
    }

    fn window(size: u64, range: &str) -> Option<Range<u64>> {
        let range = Some(s3s::dto::Range::parse(range).unwrap());
        super::window(&object(size, &[]), range, None)
            .ok()
            .map(|window| window.bytes)
    }

    #[test]
    fn ranges() {
        let table = [
            (10, "bytes=0-0", Some(0..1)),
            (10, "bytes=2-5", Some(2..6)),
            (10, "bytes=5-", Some(5..10)),
            (10, "bytes=5-100", Some(5..10)),
            (10, "bytes=-3", Some(7..10)),
            (10, "bytes=-100", Some(0..10)),
            (10, "bytes=10-", None),
            (10, "bytes=-0", None),
            (0, "bytes=0-", None),
            (0, "bytes=-1", None),
        ];
        for (size, range, expected) in table {
            assert_eq!(window(size, range), expected, "{range} of {size}");
        }
    }

    #[test]
    fn part_numbers() {
        let multipart = object(12, &[5, 5, 2]);
        assert_eq!(part_bytes(&multipart, 1).unwrap(), 0..5);
        assert_eq!(part_bytes(&multipart, 3).unwrap(), 10..12);
        assert!(part_bytes(&multipart, 4).is_err());
        assert!(part_bytes(&multipart, 0).is_err());
        assert_eq!(part_bytes(&object(7, &[]), 1).unwrap(), 0..7);
        assert!(part_bytes(&object(7, &[]), 2).is_err());
    }
}
