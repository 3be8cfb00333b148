//! Our side of the `s3s` trait: each operation goes to its room, and its error becomes S3's error.
//!
//! What is not here answers 501 `NotImplemented`, which is the default of the trait.

#[allow(clippy::wildcard_imports, reason = "the input and output of every operation")]
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};
use tracing::Dispatch;

use super::error::OperationError;
use super::request::Answer;
use super::store::Store;
use super::{buckets, complete, copy, delete, listing, multipart, objects, uploads};

/// The operations of the local S3.
pub(super) struct Operations {
    pub(super) store: Store,
    /// Where our own errors are logged, see [`super::S3Service`].
    pub(super) log: Dispatch,
}

impl Operations {
    fn answer<T>(&self, answer: Answer<T>) -> S3Result<S3Response<T>> {
        answer.map_err(|error| {
            if error.is_ours() {
                tracing::dispatcher::with_default(&self.log, || log(&error));
            }
            error.into()
        })
    }
}

fn log(error: &OperationError) {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(%error, cause, "s3 operation failed");
}

/// One method of the trait: its name, its DTO, and the function that does it.
macro_rules! operations {
    ($($method:ident($input:ident) -> $output:ident = $function:expr;)*) => {
        #[async_trait::async_trait]
        impl S3 for Operations {
            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.answer($function(&self.store, request).await)
            })*
        }
    };
}

operations! {
    // Also a browser's form upload: the trait turns `post_object` into this.
    put_object(PutObjectInput) -> PutObjectOutput = objects::put;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = buckets::create;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = buckets::head;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets::list;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = buckets::delete;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = buckets::location;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = buckets::versioning;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = buckets::tagging;
    get_object(GetObjectInput) -> GetObjectOutput = objects::get;
    head_object(HeadObjectInput) -> HeadObjectOutput = objects::head;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = delete::delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = delete::delete_many;
    copy_object(CopyObjectInput) -> CopyObjectOutput = copy::copy_object;
    list_objects(ListObjectsInput) -> ListObjectsOutput = listing::list_v1;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = listing::list_v2;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart::create;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart::upload_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = multipart::upload_part_copy;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput =
        complete::complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart::abort;
    list_parts(ListPartsInput) -> ListPartsOutput = uploads::list_parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = uploads::list_uploads;
}
