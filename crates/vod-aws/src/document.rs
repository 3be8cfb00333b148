//! A small JSON document of ours under `ops/`, changed with conditional puts only.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::http::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// One document. Remembers under which `ETag` it was last seen.
#[derive(Debug)]
pub struct Document {
    s3: Client,
    bucket: String,
    key: String,
    etag: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to {action} `{key}`")]
pub struct DocumentError {
    action: &'static str,
    key: String,
    source: Source,
}

impl DocumentError {
    /// Whether the local S3 has refused a write because its disk is full (507).
    pub fn is_disk_full(&self) -> bool {
        let refused = self.source.downcast_ref::<SdkError<PutObjectError, Response>>();
        refused.and_then(status) == Some(507)
    }
}

impl Document {
    pub fn new(s3: Client, bucket: &str, key: &str) -> Self {
        Self {
            s3,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            etag: None,
        }
    }

    /// Reads it. `None`: there is none, or it is none of this form (of an older release, say).
    pub async fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, DocumentError> {
        let answer = match self
            .s3
            .get_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .send()
            .await
        {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetObjectError::is_no_such_key) =>
            {
                self.etag = None;
                return Ok(None);
            }
            Err(error) => return Err(self.failed("read", error)),
        };
        self.etag = answer.e_tag().map(str::to_owned);
        let body = answer
            .body
            .collect()
            .await
            .map_err(|error| self.failed("read", error))?;
        let parsed = serde_json::from_slice(&body.into_bytes());
        if let Err(error) = &parsed {
            tracing::warn!(key = %self.key, %error, "a document cannot be read and is begun anew");
        }
        Ok(parsed.ok())
    }

    /// Writes it, if it still is as it was last seen. `false`: someone else has changed it.
    pub async fn write<T: Serialize>(&mut self, value: &T) -> Result<bool, DocumentError> {
        let body = serde_json::to_vec(value).map_err(|error| self.failed("write", error))?;
        let put = self.s3.put_object().bucket(&self.bucket).key(&self.key);
        let put = match &self.etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put
            .content_type("application/json")
            .body(ByteStream::from(body))
            .send()
            .await
        {
            Ok(answer) => {
                self.etag = answer.e_tag().map(str::to_owned);
                Ok(true)
            }
            Err(error) if matches!(status(&error), Some(404 | 409 | 412)) => Ok(false),
            Err(error) => Err(self.failed("write", error)),
        }
    }

    fn failed(&self, action: &'static str, source: impl Into<Source>) -> DocumentError {
        DocumentError {
            action,
            key: self.key.clone(),
            source: source.into(),
        }
    }
}

fn status<E>(error: &SdkError<E, Response>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
