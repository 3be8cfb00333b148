//! Listing objects: both versions of `ListObjects`.

use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ObjectStorageClass, Timestamp,
};
use s3s::{S3Request, S3Response, s3_error};

use super::buckets::owner;
use super::checksum::Stored;
use super::error::{OperationError, not_implemented};
use super::events::encode_key;
use super::pages::{Listed, Query, page};
use super::request::{Answer, check_owner, size, strong, timestamp};
use super::store::Store;

/// The most entries in one page, and the default.
const MAX_KEYS: i32 = 1000;

/// How names are written into the answer.
struct Encoding(Option<EncodingType>);

impl Encoding {
    fn new(asked: Option<EncodingType>) -> Result<Self, OperationError> {
        match asked {
            Some(kind) if kind.as_str() != EncodingType::URL => {
                Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request").into())
            }
            asked => Ok(Self(asked)),
        }
    }

    fn name(&self, name: &str) -> String {
        if self.0.is_some() {
            encode_key(name)
        } else {
            name.to_owned()
        }
    }

    fn some(&self, name: Option<&str>) -> Option<String> {
        name.map(|name| self.name(name))
    }

    fn prefixes(&self, prefixes: &[String]) -> Option<Vec<CommonPrefix>> {
        let entry = |prefix: &String| CommonPrefix {
            prefix: Some(self.name(prefix)),
        };
        (!prefixes.is_empty()).then(|| prefixes.iter().map(entry).collect())
    }

    fn objects(&self, objects: Vec<Listed>, with_owner: bool) -> Option<Vec<s3s::dto::Object>> {
        let entry = |listed: Listed| s3s::dto::Object {
            checksum_algorithm: listed
                .checksum
                .as_ref()
                .map(|stored| vec![ChecksumAlgorithm::from_static(stored.algorithm.name())]),
            checksum_type: listed.checksum.as_ref().map(Stored::checksum_type),
            e_tag: Some(strong(&listed.etag)),
            key: Some(self.name(&listed.key)),
            last_modified: Some(modified(listed.modified_ms)),
            owner: with_owner.then(owner),
            size: Some(size(listed.size)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..s3s::dto::Object::default()
        };
        (!objects.is_empty()).then(|| objects.into_iter().map(entry).collect())
    }
}

/// Listings give whole seconds, as `Last-Modified` does.
fn modified(ms: i64) -> Timestamp {
    timestamp(ms - ms.rem_euclid(1000))
}

fn max_keys(asked: Option<i32>) -> Result<usize, OperationError> {
    usize::try_from(asked.unwrap_or(MAX_KEYS).min(MAX_KEYS)).map_err(|_| {
        s3_error!(
            InvalidArgument,
            "Argument maxKeys must be an integer between 0 and 2147483647"
        )
        .into()
    })
}

/// S3 takes an empty delimiter for none.
fn delimiter(asked: Option<&String>) -> Option<String> {
    asked.filter(|delimiter| !delimiter.is_empty()).cloned()
}

pub(super) async fn list_v2(
    store: &Store,
    request: S3Request<ListObjectsV2Input>,
) -> Answer<ListObjectsV2Output> {
    let input = request.input;
    check_owner(input.expected_bucket_owner.as_deref())?;
    if input.optional_object_attributes.is_some() {
        return Err(not_implemented("optional object attributes"));
    }
    let encoding = Encoding::new(input.encoding_type)?;
    let after = match &input.continuation_token {
        Some(token) => decode_token(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let query = Query {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter(input.delimiter.as_ref()),
        after,
        max: max_keys(input.max_keys)?,
    };
    let max = query.max;
    let page = store.read(move |connection| page(connection, &query)).await?;
    let count = page.objects.len() + page.prefixes.len();
    let output = ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.name(input.prefix.as_deref().unwrap_or_default())),
        max_keys: i32::try_from(max).ok(),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(encode_token),
        contents: encoding.objects(page.objects, input.fetch_owner == Some(true)),
        common_prefixes: encoding.prefixes(&page.prefixes),
        delimiter: encoding.some(input.delimiter.as_deref()),
        start_after: encoding.some(input.start_after.as_deref()),
        encoding_type: encoding.0,
        request_charged: None,
    };
    Ok(S3Response::new(output))
}

pub(super) async fn list_v1(
    store: &Store,
    request: S3Request<ListObjectsInput>,
) -> Answer<ListObjectsOutput> {
    let input = request.input;
    check_owner(input.expected_bucket_owner.as_deref())?;
    if input.optional_object_attributes.is_some() {
        return Err(not_implemented("optional object attributes"));
    }
    let encoding = Encoding::new(input.encoding_type)?;
    let query = Query {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter(input.delimiter.as_ref()),
        after: input.marker.clone().unwrap_or_default(),
        max: max_keys(input.max_keys)?,
    };
    let (max, has_delimiter) = (query.max, query.delimiter.is_some());
    let page = store.read(move |connection| page(connection, &query)).await?;
    let output = ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.name(input.prefix.as_deref().unwrap_or_default())),
        marker: Some(encoding.name(input.marker.as_deref().unwrap_or_default())),
        max_keys: i32::try_from(max).ok(),
        is_truncated: Some(page.next.is_some()),
        // Only with a delimiter; without one the last key is the marker.
        next_marker: encoding.some(page.next.as_deref().filter(|_| has_delimiter)),
        contents: encoding.objects(page.objects, true),
        common_prefixes: encoding.prefixes(&page.prefixes),
        delimiter: encoding.some(input.delimiter.as_deref()),
        encoding_type: encoding.0,
        request_charged: None,
    };
    Ok(S3Response::new(output))
}

/// Clients pass tokens on as they are; encoded, so that nobody builds one.
fn encode_token(entry: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE.encode(entry)
}

fn decode_token(token: &str) -> Result<String, OperationError> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        assert_eq!(decode_token(&encode_token("a/é")).unwrap(), "a/é");
        assert!(decode_token("not a token").is_err());
    }
}
