//! A small JSON document under `ops/`, changed with conditional puts only.

use aws_sdk_s3::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bucket::{Bucket, BucketError};

/// Largest document that is read, in bytes.
const DOCUMENT_MAX: usize = 4 << 20;

/// One document, and the `ETag` under which it was last read or written.
#[derive(Debug)]
pub struct Document {
    bucket: Bucket,
    key: String,
    etag: Option<String>,
}

impl Document {
    pub fn new(s3: Client, bucket: &str, key: &str) -> Self {
        Self {
            bucket: Bucket::new(s3, bucket),
            key: key.to_owned(),
            etag: None,
        }
    }

    /// Reads the document. `None`: it does not exist, or it has another form, for example of an older release.
    pub async fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, BucketError> {
        let Some(found) = self.bucket.get(&self.key, DOCUMENT_MAX).await? else {
            self.etag = None;
            return Ok(None);
        };
        self.etag = Some(found.etag);
        let parsed = serde_json::from_slice(&found.value);
        if let Err(error) = &parsed {
            tracing::warn!(key = %self.key, %error, "a document cannot be parsed and will be replaced");
        }
        Ok(parsed.ok())
    }

    /// Writes the document if it has not changed since it was last read. `false`: another writer changed it.
    pub async fn write<T: Serialize>(&mut self, value: &T) -> Result<bool, BucketError> {
        let etag = self.bucket.put_if(&self.key, self.etag.as_deref(), value).await?;
        let is_written = etag.is_some();
        self.etag = etag.or(self.etag.take());
        Ok(is_written)
    }
}
