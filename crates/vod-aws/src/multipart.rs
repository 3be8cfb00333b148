//! Multipart uploads of a bucket, whose parts others send with presigned URLs.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Part};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use vod_core::upload::StoredPart;

use crate::bucket::{Bucket, BucketError, BucketErrorKind, real_version, size, unquoted};
use crate::refusal::existing;

/// A new multipart upload.
#[derive(Debug, Clone, Copy)]
pub struct NewUpload<'a> {
    pub key: &'a str,
    pub content_type: Option<&'a str>,
    /// Name and value of one entry of the object's metadata.
    pub metadata: (&'a str, &'a str),
}

/// An object, as far as its asset id depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub etag: String,
    pub version: Option<String>,
}

/// The outcome of completing an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    Done(Finished),
    /// The upload does not exist, or an object has its key already. Nothing was changed.
    Refused,
}

impl Bucket {
    /// Starts a multipart upload. Returns its id.
    pub async fn start_upload(&self, new: NewUpload<'_>) -> Result<String, BucketError> {
        let call = self.s3.create_multipart_upload().bucket(&self.name).key(new.key);
        let call = call
            .metadata(new.metadata.0, new.metadata.1)
            .set_content_type(new.content_type.map(str::to_owned));
        let answer = Box::pin(call.send()).await;
        let answer = answer.map_err(|error| BucketError::call("write", new.key, error))?;
        Ok(answer.upload_id().unwrap_or_default().to_owned())
    }

    /// A URL that takes part `number` by PUT for as long as `valid`, if it has exactly `length` bytes.
    pub async fn presign_part(
        &self,
        key: &str,
        upload: &str,
        number: u32,
        length: u64,
        valid: Duration,
    ) -> Result<String, BucketError> {
        let failed = |error: Box<dyn Error + Send + Sync>| {
            BucketError::new("presign", key, BucketErrorKind::Call, error)
        };
        let (part, length) = (i32::try_from(number), i64::try_from(length));
        let part = part.map_err(|error| failed(error.into()))?;
        let length = length.map_err(|error| failed(error.into()))?;
        let call = self.s3.upload_part().bucket(&self.name).key(key);
        let call = call.upload_id(upload).part_number(part).content_length(length);
        let presigning = PresigningConfig::expires_in(valid).map_err(|error| failed(error.into()))?;
        let presigned = Box::pin(call.presigned(presigning)).await;
        Ok(presigned.map_err(|error| failed(error.into()))?.uri().to_owned())
    }

    /// The parts that S3 has of an upload, in order. `None`: the upload does not exist.
    pub async fn parts(&self, key: &str, upload: &str) -> Result<Option<Vec<StoredPart>>, BucketError> {
        let (mut parts, mut marker) = (Vec::new(), None);
        loop {
            let call = self.s3.list_parts().bucket(&self.name).key(key).upload_id(upload);
            let answer = Box::pin(call.set_part_number_marker(marker).send()).await;
            let page = match answer {
                Ok(page) => page,
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => return Err(BucketError::call("list the parts of", key, error)),
            };
            parts.extend(page.parts().iter().map(stored));
            marker = page.next_part_number_marker().map(str::to_owned);
            if !page.is_truncated().unwrap_or(false) || marker.is_none() {
                return Ok(Some(parts));
            }
        }
    }

    /// Makes one object of all `parts`, on condition that none has its key.
    pub async fn complete_upload(
        &self,
        key: &str,
        upload: &str,
        parts: &[StoredPart],
    ) -> Result<Completion, BucketError> {
        let parts = parts.iter().map(|part| {
            let number = i32::try_from(part.part_number).ok();
            let completed = CompletedPart::builder().set_part_number(number);
            completed.e_tag(&part.etag).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect()));
        let call = self.s3.complete_multipart_upload().bucket(&self.name).key(key);
        let call = call.upload_id(upload).multipart_upload(parts.build());
        match Box::pin(call.if_none_match("*").send()).await {
            Ok(done) => Ok(Completion::Done(Finished {
                etag: unquoted(done.e_tag()),
                version: real_version(done.version_id()),
            })),
            Err(error) if is_missing(&error) || is_taken(&error) => Ok(Completion::Refused),
            Err(error) => Err(BucketError::call("write", key, error)),
        }
    }

    /// Aborts an upload and deletes its parts. It may have been aborted before.
    pub async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), BucketError> {
        let call = self.s3.abort_multipart_upload().bucket(&self.name).key(key);
        let answer = Box::pin(call.upload_id(upload).send()).await;
        let failed = |error| BucketError::call("abort the upload of", key, error);
        existing(answer, AbortMultipartUploadError::is_no_such_upload, failed)?;
        Ok(())
    }

    /// The object `key` and one entry of its metadata. `None`: it does not exist.
    pub async fn marked(
        &self,
        key: &str,
        name: &str,
    ) -> Result<Option<(Finished, Option<String>)>, BucketError> {
        let call = self.s3.head_object().bucket(&self.name).key(key);
        let failed = |error| BucketError::call("read the head of", key, error);
        let found = existing(Box::pin(call.send()).await, HeadObjectError::is_not_found, failed)?;
        Ok(found.map(|found| {
            let finished = Finished {
                etag: unquoted(found.e_tag()),
                version: real_version(found.version_id()),
            };
            let value = found.metadata().and_then(|metadata| metadata.get(name));
            (finished, value.cloned())
        }))
    }
}

fn stored(part: &Part) -> StoredPart {
    StoredPart {
        part_number: part
            .part_number()
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(0),
        size: size(part.size()),
        etag: part.e_tag().unwrap_or_default().to_owned(),
    }
}

fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> bool {
    let code = error.as_service_error().and_then(|error| error.code());
    code == Some("NoSuchUpload")
}

/// 412: an object has the key. 409: one is being written at the same time.
fn is_taken<E>(error: &SdkError<E, Response>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    matches!(status, Some(409 | 412))
}
