//! Copies within S3: the bytes never pass through this program.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::bucket::{Bucket, BucketError, unquoted};

/// The characters that stay as they are in the header `x-amz-copy-source`, which is URL-encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');
/// The largest object that one `CopyObject` takes, in bytes (S3 user guide, "Copying objects").
const WHOLE_MAX: u64 = 5 << 30;
/// The size of a part of a larger one: S3 takes 10,000 parts, and objects of 5 TiB.
const PART: u64 = 1 << 30;
/// Parts that are copied at the same time.
const PARTS_AT_ONCE: usize = 8;

impl Bucket {
    /// Copies an object of `size` bytes from the bucket `from` to `key`, with its metadata unless it has more than 5 GiB.
    /// Returns the `ETag` of the copy. An object that changes in the meantime ends in an error.
    pub async fn copy(
        &self,
        from: &Bucket,
        source: &str,
        key: &str,
        size: u64,
        etag: &str,
    ) -> Result<String, BucketError> {
        let copy_source = format!("{}/{}", from.name, utf8_percent_encode(source, ENCODED));
        if size > WHOLE_MAX {
            return self.copy_in_parts(&copy_source, key, size, etag).await;
        }
        let call = self.s3.copy_object().bucket(&self.name).key(key);
        let call = call
            .copy_source(copy_source)
            .copy_source_if_match(format!("\"{etag}\""));
        let answer = Box::pin(call.send()).await;
        let answer = answer.map_err(|error| BucketError::call("copy", source, error))?;
        Ok(unquoted(
            answer.copy_object_result().and_then(|result| result.e_tag()),
        ))
    }

    async fn copy_in_parts(
        &self,
        copy_source: &str,
        key: &str,
        size: u64,
        etag: &str,
    ) -> Result<String, BucketError> {
        let call = self.s3.create_multipart_upload().bucket(&self.name).key(key);
        let started = Box::pin(call.send()).await;
        let started = started.map_err(|error| BucketError::call("copy to", key, error))?;
        let upload = started.upload_id().unwrap_or_default();
        // A copy that is interrupted here ends with the bucket's rule for unfinished uploads.
        let parts = stream::iter((0..size.div_ceil(PART)).zip(1..))
            .map(|(index, number)| {
                let range = index * PART..size.min((index + 1) * PART);
                self.copy_part(copy_source, key, upload, number, range, etag)
            })
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let call = self.s3.complete_multipart_upload().bucket(&self.name).key(key);
        let answer = Box::pin(call.upload_id(upload).multipart_upload(parts).send()).await;
        let answer = answer.map_err(|error| BucketError::call("copy to", key, error))?;
        Ok(unquoted(answer.e_tag()))
    }

    async fn copy_part(
        &self,
        copy_source: &str,
        key: &str,
        upload: &str,
        number: i32,
        range: std::ops::Range<u64>,
        etag: &str,
    ) -> Result<CompletedPart, BucketError> {
        let call = self.s3.upload_part_copy().bucket(&self.name).key(key);
        let call = call
            .upload_id(upload)
            .part_number(number)
            .copy_source(copy_source)
            .copy_source_if_match(format!("\"{etag}\""))
            .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1));
        let answer = Box::pin(call.send()).await;
        let answer = answer.map_err(|error| BucketError::call("copy to", key, error))?;
        let etag = answer.copy_part_result().and_then(|result| result.e_tag());
        let part = CompletedPart::builder().part_number(number);
        Ok(part.set_e_tag(etag.map(str::to_owned)).build())
    }
}
