//! One bucket of S3: bounded reads and conditional writes.
//!
//! `If-None-Match: *` creates an object, `If-Match` changes or deletes the version that was read. S3 responds 412 if
//! another writer was first, 409 if two writers met, and 404 if the object to change was deleted (S3 user guide,
//! "Conditional requests"). All three mean the same here: the condition did not hold, so read again.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use vod_core::keys::CATALOG;
use vod_core::object::Head;

use crate::refusal::{Refusal, existing};

/// Largest number of keys in one `DeleteObjects` (S3 API reference).
const DELETE_MAX: usize = 1000;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// One bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(crate) s3: Client,
    pub(crate) name: String,
}

/// A value and the `ETag` under which it was read.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    pub value: T,
    pub etag: String,
}

/// An operation on a bucket that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} `{key}`")]
pub struct BucketError {
    /// The operation, as an infinitive: `read`, `write`, `list`.
    action: &'static str,
    /// The key of the object, or the prefix of a listing.
    key: String,
    kind: BucketErrorKind,
    refusal: Option<Refusal>,
    source: Source,
}

/// The reason why an operation on a bucket failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketErrorKind {
    /// S3 refused the call or could not be reached, or its response ended early.
    Call,
    /// The object is larger than its reader accepts.
    TooLarge,
    /// The object does not contain what belongs under its key.
    Damaged,
    /// Other writers changed the object at every try.
    Contended,
}

impl Bucket {
    pub fn new(s3: Client, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { s3, name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads an object of at most `limit` bytes. `None`: the object does not exist.
    pub async fn get(&self, key: &str, limit: usize) -> Result<Option<Versioned<Vec<u8>>>, BucketError> {
        let call = self.s3.get_object().bucket(&self.name).key(key);
        // Boxed here and below: the futures of the SDK are large and deeply nested.
        let failed = |error| BucketError::call("read", key, error);
        let answer = Box::pin(call.send()).await;
        let Some(object) = existing(answer, GetObjectError::is_no_such_key, failed)? else {
            return Ok(None);
        };
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let length = object.content_length();
        let length = length.and_then(|length| usize::try_from(length).ok());
        let mut value = Vec::with_capacity(length.unwrap_or(0).min(limit));
        let mut is_too_large = length.is_some_and(|length| length > limit);
        let mut body = object.body;
        while !is_too_large
            && let Some(chunk) = body
                .try_next()
                .await
                .map_err(|error| BucketError::new("read", key, BucketErrorKind::Call, error))?
        {
            is_too_large = value.len() + chunk.len() > limit;
            value.extend_from_slice(&chunk);
        }
        if is_too_large {
            let reason = format!("it has more than {limit} bytes");
            return Err(BucketError::new("read", key, BucketErrorKind::TooLarge, reason));
        }
        Ok(Some(Versioned { value, etag }))
    }

    /// Reads the first `count` bytes of an object, or all if it has fewer. `None`: the object does not exist.
    pub async fn start(&self, key: &str, count: usize) -> Result<Option<Vec<u8>>, BucketError> {
        let call = self.s3.get_object().bucket(&self.name).key(key);
        let call = call.range(format!("bytes=0-{}", count.saturating_sub(1)));
        let failed = |error| BucketError::call("read", key, error);
        let answer = Box::pin(call.send()).await;
        let Some(object) = existing(answer, GetObjectError::is_no_such_key, failed)? else {
            return Ok(None);
        };
        let body = object.body.collect().await;
        let body = body.map_err(|error| BucketError::new("read", key, BucketErrorKind::Call, error))?;
        Ok(Some(body.to_vec()))
    }

    /// Writes an object, in place of one that has its key.
    pub async fn put(&self, key: &str, content_type: &str, body: Vec<u8>) -> Result<(), BucketError> {
        let put = self.s3.put_object().bucket(&self.name).key(key);
        let put = put.content_type(content_type).body(ByteStream::from(body));
        let answer = Box::pin(put.send()).await;
        answer.map_err(|error| BucketError::call("write", key, error))?;
        Ok(())
    }

    /// Reads a JSON document of at most `limit` bytes. `None`: it does not exist.
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        key: &str,
        limit: usize,
    ) -> Result<Option<Versioned<T>>, BucketError> {
        let Some(Versioned { value, etag }) = self.get(key, limit).await? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&value)
            .map_err(|error| BucketError::new("read", key, BucketErrorKind::Damaged, error))?;
        Ok(Some(Versioned { value, etag }))
    }

    /// Writes `value` as JSON if the object still has this `ETag`, or if it does not exist yet where `etag` is `None`.
    ///
    /// Returns the new `ETag`. `None`: the condition did not hold.
    pub async fn put_if(
        &self,
        key: &str,
        etag: Option<&str>,
        value: &impl Serialize,
    ) -> Result<Option<String>, BucketError> {
        let body = serde_json::to_vec(value)
            .map_err(|error| BucketError::new("write", key, BucketErrorKind::Damaged, error))?;
        let put = self.s3.put_object().bucket(&self.name).key(key);
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        let put = put.content_type("application/json").body(ByteStream::from(body));
        match Box::pin(put.send()).await {
            Ok(written) => Ok(Some(written.e_tag().unwrap_or_default().to_owned())),
            Err(error) if is_condition(&error) => Ok(None),
            Err(error) => Err(BucketError::call("write", key, error)),
        }
    }

    /// Deletes the object if it still has this `ETag`. `false`: the condition did not hold.
    pub async fn delete_if(&self, key: &str, etag: &str) -> Result<bool, BucketError> {
        let delete = self.s3.delete_object().bucket(&self.name).key(key);
        match Box::pin(delete.if_match(etag).send()).await {
            Ok(_) => Ok(true),
            Err(error) if is_condition(&error) => Ok(false),
            Err(error) => Err(BucketError::call("delete", key, error)),
        }
    }

    /// Deletes objects. Those that do not exist are skipped.
    pub async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        for keys in keys.chunks(DELETE_MAX) {
            let first = keys.first().map_or("", String::as_str);
            let invalid = |error| BucketError::new("delete", first, BucketErrorKind::Call, error);
            let objects = keys
                .iter()
                .map(|key| ObjectIdentifier::builder().key(key).build());
            let objects = objects.collect::<Result<Vec<_>, _>>().map_err(invalid)?;
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let delete = delete.map_err(invalid)?;
            let call = self.s3.delete_objects().bucket(&self.name).delete(delete);
            let answer = Box::pin(call.send()).await;
            let answer = answer.map_err(|error| BucketError::call("delete", first, error))?;
            // S3 responds 200 even if it refuses to delete single objects.
            if let Some(error) = answer.errors().first() {
                let (key, reason) = (error.key(), error.message());
                let reason = reason.unwrap_or("no reason given");
                return Err(BucketError::new(
                    "delete",
                    key.unwrap_or(first),
                    BucketErrorKind::Call,
                    reason,
                ));
            }
        }
        Ok(())
    }

    /// Reads the metadata of an object. `None`: it does not exist.
    pub async fn head(&self, key: &str) -> Result<Option<Head>, BucketError> {
        let call = self.s3.head_object().bucket(&self.name).key(key);
        let failed = |error| BucketError::call("read the head of", key, error);
        let answer = Box::pin(call.send()).await;
        let found = existing(answer, HeadObjectError::is_not_found, failed)?;
        Ok(found.map(|found| Head {
            size: size(found.content_length()),
            etag: unquoted(found.e_tag()),
            version: real_version(found.version_id()),
            modified: time(found.last_modified()),
        }))
    }
}

impl BucketError {
    pub(crate) fn new(
        action: &'static str,
        key: &str,
        kind: BucketErrorKind,
        source: impl Into<Source>,
    ) -> Self {
        Self {
            action,
            key: key.to_owned(),
            kind,
            refusal: None,
            source: source.into(),
        }
    }

    pub(crate) fn call<E>(action: &'static str, key: &str, error: SdkError<E, Response>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let refusal = Refusal::of(&error);
        let error = Self::new(action, key, BucketErrorKind::Call, error);
        Self { refusal, ..error }
    }

    /// The key of the object, or the prefix of the listing.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn kind(&self) -> BucketErrorKind {
        self.kind
    }

    /// The refusal by S3. `None`: the operation failed for another reason.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// The permission that the operation needs on AWS.
    pub fn permission(&self) -> &'static str {
        match self.action {
            "write" | "presign" | "copy to" => "s3:PutObject",
            "delete" => "s3:DeleteObject",
            "list" => "s3:ListBucket",
            "abort the upload of" => "s3:AbortMultipartUpload",
            "list the parts of" => "s3:ListMultipartUploadParts",
            "read the versioning of" => "s3:GetBucketVersioning",
            _ => "s3:GetObject",
        }
    }

    /// Whether the local S3 refused a write because its disk is full (507).
    pub fn is_disk_full(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.status() == 507)
    }

    /// Whether the object was read, but cannot be used. Reading it again does not help.
    pub fn is_damaged(&self) -> bool {
        matches!(self.kind, BucketErrorKind::TooLarge | BucketErrorKind::Damaged)
    }

    /// The type of this error in a function's response. Alarms and people search for it, so it never changes.
    pub fn error_type(&self) -> &'static str {
        if self.key.starts_with(CATALOG) || self.key.starts_with("ops/") {
            "CatalogUnavailable"
        } else {
            "BucketUnavailable"
        }
    }
}

/// Whether a conditional write failed because of its condition.
fn is_condition<E>(error: &SdkError<E, Response>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    matches!(status, Some(404 | 409 | 412))
}

pub(crate) fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
}

pub(crate) fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

/// The version id, without the `null` of objects that were stored while versioning was off.
pub(crate) fn real_version(version: Option<&str>) -> Option<String> {
    version.filter(|version| *version != "null").map(str::to_owned)
}

pub(crate) fn time(time: Option<&aws_smithy_types::DateTime>) -> Timestamp {
    time.and_then(|time| Timestamp::new(time.secs(), 0).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
