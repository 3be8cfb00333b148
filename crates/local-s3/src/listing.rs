//! Listing objects: both versions of `ListObjects`.

use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    ObjectStorageClass,
};
use s3s::{S3Request, S3Response, s3_error};

use super::buckets::owner;
use super::checksum::Stored;
use super::error::{OperationError, not_implemented};
use super::events::encode_key;
use super::index::Object;
use super::pages::{Query, page};
use super::request::{Answer, size, strong, whole_seconds};
use super::store::Store;

/// The most entries in one page, and the default.
const MAX_ENTRIES: i32 = 1000;

/// The encoding of names in the answer.
pub(super) struct Encoding(pub(super) Option<EncodingType>);

impl Encoding {
    pub(super) fn new(asked: Option<EncodingType>) -> Result<Self, OperationError> {
        match asked {
            Some(kind) if kind.as_str() != EncodingType::URL => {
                Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request").into())
            }
            asked => Ok(Self(asked)),
        }
    }

    pub(super) fn name(&self, name: &str) -> String {
        if self.0.is_some() {
            encode_key(name)
        } else {
            name.to_owned()
        }
    }

    pub(super) fn some(&self, name: Option<&str>) -> Option<String> {
        name.map(|name| self.name(name))
    }

    fn prefixes(&self, prefixes: &[String]) -> Option<Vec<CommonPrefix>> {
        let entry = |prefix: &String| CommonPrefix {
            prefix: Some(self.name(prefix)),
        };
        (!prefixes.is_empty()).then(|| prefixes.iter().map(entry).collect())
    }

    fn objects(&self, objects: Vec<Object>, with_owner: bool) -> Option<Vec<s3s::dto::Object>> {
        let entry = |listed: Object| s3s::dto::Object {
            checksum_algorithm: listed
                .checksum
                .as_ref()
                .map(|stored| vec![stored.algorithm.dto()]),
            checksum_type: listed.checksum.as_ref().map(Stored::checksum_type),
            e_tag: Some(strong(&listed.etag)),
            key: Some(self.name(&listed.key)),
            last_modified: Some(whole_seconds(listed.modified_ms)),
            owner: with_owner.then(owner),
            size: Some(size(listed.size)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..s3s::dto::Object::default()
        };
        (!objects.is_empty()).then(|| objects.into_iter().map(entry).collect())
    }
}

/// The number of entries in a page that asks for so many by the parameter `name`.
pub(super) fn page_size(asked: Option<i32>, name: &str) -> Result<usize, OperationError> {
    let text = "must be an integer between 0 and 2147483647";
    usize::try_from(asked.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES))
        .map_err(|_| s3_error!(InvalidArgument, "Argument {name} {text}").into())
}

/// S3 takes an empty delimiter for none.
pub(super) fn delimiter(asked: Option<&String>) -> Option<String> {
    asked.filter(|delimiter| !delimiter.is_empty()).cloned()
}

pub(super) async fn list_v2(
    store: &Store,
    request: S3Request<ListObjectsV2Input>,
) -> Answer<ListObjectsV2Output> {
    let input = request.input;
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
        max: page_size(input.max_keys, "maxKeys")?,
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

/// The first version differs in what it calls the position, and gives the owner of each object.
pub(super) async fn list_v1(
    store: &Store,
    request: S3Request<ListObjectsInput>,
) -> Answer<ListObjectsOutput> {
    let marker = request.input.marker.clone().unwrap_or_default();
    let mut request = request.map_input(ListObjectsV2Input::from);
    request.input.fetch_owner = Some(true);
    let listed = list_v2(store, request).await?.output;
    let encoding = Encoding(listed.encoding_type);
    // Only with a delimiter; without one the last key is the marker.
    let has_delimiter = listed
        .delimiter
        .as_ref()
        .is_some_and(|delimiter| !delimiter.is_empty());
    let next = listed.next_continuation_token.filter(|_| has_delimiter);
    let next = next.as_deref().map(decode_token).transpose()?;
    Ok(S3Response::new(ListObjectsOutput {
        name: listed.name,
        prefix: listed.prefix,
        marker: Some(encoding.name(&marker)),
        max_keys: listed.max_keys,
        is_truncated: listed.is_truncated,
        next_marker: encoding.some(next.as_deref()),
        contents: listed.contents,
        common_prefixes: listed.common_prefixes,
        delimiter: listed.delimiter,
        encoding_type: encoding.0,
        request_charged: None,
    }))
}

/// Tokens are encoded, so that no client builds one itself.
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
