//! Copies: `CopyObject` and the source side of `UploadPartCopy`.
//!
//! A copy shares the blobs of its source, so no byte moves. Bytes are read only where S3's rules give the copy
//! another `ETag` or checksum than its source has.

use std::ops::Range;
use std::sync::Arc;

use rusqlite::Transaction;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, MetadataDirective, TaggingDirective,
};
use s3s::{S3Request, S3Response, s3_error};

use super::checksum::{Algorithm, Stored, set_checksum};
use super::conditions::{ReadCondition, WriteCondition, source_condition};
use super::error::{OperationError, not_implemented};
use super::headers::{Headers, refuse_unsupported, take_headers};
use super::index::{self, Object, Segment};
use super::reader::Content;
use super::receive::MAX_BODY;
use super::request::{Answer, check_owner, check_version, refuse_customer_key, requester, strong, timestamp};
use super::store::{Origin, Store};

/// How often a copy starts again because its source was replaced while it was being hashed.
const ATTEMPTS: usize = 5;

/// The object to copy from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) condition: ReadCondition,
}

impl Source {
    pub(super) fn new(source: &CopySource, condition: ReadCondition) -> Result<Self, OperationError> {
        let CopySource::Bucket {
            bucket,
            key,
            version_id,
        } = source
        else {
            return Err(not_implemented("copying from an access point"));
        };
        check_version(version_id.as_deref())?;
        Ok(Self {
            bucket: bucket.to_string(),
            key: key.to_string(),
            condition,
        })
    }

    /// The source as it is now, with its content pinned, when the conditions hold.
    pub(super) async fn open(
        &self,
        store: &Store,
        range: Option<Range<u64>>,
    ) -> Result<(Object, Content), OperationError> {
        let (source, shared) = (self.clone(), store.clone());
        store
            .read(move |connection| {
                let object = index::get_object(connection, &source.bucket, &source.key)?;
                source.condition.check_source(&object)?;
                let range = range.unwrap_or(0..object.size);
                if range.end > object.size {
                    let text = "The x-amz-copy-source-range value is not valid for the size of the source";
                    return Err(s3_error!(InvalidArgument, "{text}: {}", object.size).into());
                }
                let segments = index::slice(&index::segments(connection, object.content)?, &range);
                Ok((object, Content::pin(&shared, connection, &segments)?))
            })
            .await
    }

    /// The segments of `range`, or None when the source is not `content` any more.
    pub(super) fn segments(
        &self,
        transaction: &Transaction<'_>,
        content: i64,
        range: &Range<u64>,
    ) -> Result<Option<Vec<Segment>>, OperationError> {
        let now = index::find_object(transaction, &self.bucket, &self.key)?;
        if now.is_none_or(|object| object.content != content) {
            return Ok(None);
        }
        Ok(Some(index::slice(&index::segments(transaction, content)?, range)))
    }
}

pub(super) async fn copy_object(
    store: &Store,
    mut request: S3Request<CopyObjectInput>,
) -> Answer<CopyObjectOutput> {
    let requester = requester(&request);
    let input = &mut request.input;
    check_owner(input.expected_source_bucket_owner.as_deref())?;
    refuse_unsupported!(input)?;
    refuse_customer_key(input.copy_source_sse_customer_algorithm.as_ref())?;
    let replaces_tags = |directive: &TaggingDirective| directive.as_str() != TaggingDirective::COPY;
    if input.tagging_directive.as_ref().is_some_and(replaces_tags) {
        return Err(not_implemented("tagging"));
    }
    let condition = conditional_headers(&request.headers)?;
    let source = Source::new(&input.copy_source, source_condition!(input))?;
    let replaces = |directive: &MetadataDirective| directive.as_str() == MetadataDirective::REPLACE;
    let headers = if input.metadata_directive.as_ref().is_some_and(replaces) {
        Some(take_headers!(input)?)
    } else {
        None
    };
    if headers.is_none() && source.bucket == input.bucket && source.key == input.key {
        let text = "This copy request is illegal because it is trying to copy an object to itself without \
            changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(s3_error!(InvalidRequest, "{text}").into());
    }
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .and_then(|name| Algorithm::from_name(name.as_str()));
    let copying = Copying {
        source,
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        headers,
        algorithm,
        origin: Origin {
            cause: "Copy",
            requester,
            condition,
        },
    };
    Ok(S3Response::new(output(&run(store, copying).await?)))
}

/// The conditions of a copy's target, which the DTO of s3s does not have.
fn conditional_headers(headers: &http::HeaderMap) -> Result<WriteCondition, OperationError> {
    let read = |name: http::HeaderName| {
        let value = headers.get(&name)?.as_bytes();
        let parsed = s3s::dto::ETagCondition::parse_http_header(value);
        Some(parsed.map_err(|_| OperationError::from(s3_error!(InvalidArgument, "invalid header: {name}"))))
    };
    WriteCondition::new(
        read(http::header::IF_MATCH).transpose()?,
        read(http::header::IF_NONE_MATCH).transpose()?,
    )
}

/// A source and its target.
struct Copying {
    source: Source,
    bucket: String,
    key: String,
    /// None: those of the source.
    headers: Option<Headers>,
    /// None: the checksum of the source.
    algorithm: Option<Algorithm>,
    origin: Origin,
}

async fn run(store: &Store, copying: Copying) -> Result<Object, OperationError> {
    let copying = Arc::new(copying);
    for _ in 0..ATTEMPTS {
        let (from, content) = copying.source.open(store, None).await?;
        if from.size > MAX_BODY {
            let text =
                "The specified copy source is larger than the maximum allowable size for a copy source";
            return Err(s3_error!(InvalidRequest, "{text}: {MAX_BODY}").into());
        }
        let (etag, checksum) = identity(&from, copying.algorithm, content).await?;
        let (shared, copying) = (store.clone(), Arc::clone(&copying));
        let copied = store
            .write(move |transaction, after| {
                let all = 0..from.size;
                let Some(segments) = copying.source.segments(transaction, from.content, &all)? else {
                    return Ok(None);
                };
                let modified_ms = shared.now().as_millisecond();
                let object = Object {
                    key: copying.key.clone(),
                    content: index::next_number(transaction, modified_ms)?,
                    size: from.size,
                    etag,
                    modified_ms,
                    headers: copying.headers.clone().unwrap_or(from.headers),
                    checksum,
                    part_sizes: Vec::new(),
                };
                index::add_segments(transaction, object.content, &segments)?;
                shared.commit_object(transaction, after, &copying.bucket, &object, &copying.origin)?;
                Ok(Some(object))
            })
            .await?;
        if let Some(object) = copied {
            return Ok(object);
        }
    }
    let text =
        "A conflicting conditional operation is currently in progress against this resource. Try again.";
    Err(s3_error!(OperationAborted, "{text}").into())
}

/// `ETag` and checksum of the copy, which is one object however many parts its source had.
async fn identity(
    from: &Object,
    algorithm: Option<Algorithm>,
    content: Content,
) -> Result<(String, Option<Stored>), OperationError> {
    let kept = from.checksum.as_ref().filter(|stored| stored.full_object);
    let algorithm = algorithm.or(from.checksum.as_ref().map(|stored| stored.algorithm));
    let same = kept.map(|stored| stored.algorithm) == algorithm;
    if from.part_sizes.is_empty() && same {
        return Ok((from.etag.clone(), kept.cloned()));
    }
    let (md5, checksum) = content.checked().await?.digest(algorithm).await?;
    Ok((hex::encode(md5), checksum))
}

fn output(object: &Object) -> CopyObjectOutput {
    let mut result = CopyObjectResult {
        e_tag: Some(strong(&object.etag)),
        last_modified: Some(timestamp(object.modified_ms)),
        ..CopyObjectResult::default()
    };
    set_checksum!(result, object.checksum.as_ref());
    result.checksum_type = object.checksum.as_ref().map(Stored::checksum_type);
    CopyObjectOutput {
        copy_object_result: Some(result),
        ..CopyObjectOutput::default()
    }
}
