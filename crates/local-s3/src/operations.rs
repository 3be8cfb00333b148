//! Our side of the `s3s` trait: each operation goes to its module, and its error becomes S3's error.
//!
//! What is not here answers 501 `NotImplemented`, which is the default of the trait.

#[allow(clippy::wildcard_imports, reason = "the input and output of every operation")]
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};
use tracing::Dispatch;

use super::error::OperationError;
use super::request::{Answer, check_owner};
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

/// The methods of the trait: for each its name, its DTO, and the function that does it. A request to a bucket may name
/// the owner that it expects.
macro_rules! operations {
    (
        bucket { $($method:ident($input:ident) -> $output:ident = $function:expr;)* }
        account { $($plain:ident($plain_input:ident) -> $plain_output:ident = $plain_function:expr;)* }
    ) => {
        #[async_trait::async_trait]
        impl S3 for Operations {
            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                check_owner(request.input.expected_bucket_owner.as_deref())?;
                self.answer($function(&self.store, request).await)
            })*
            $(async fn $plain(&self, request: S3Request<$plain_input>) -> S3Result<S3Response<$plain_output>> {
                self.answer($plain_function(&self.store, request).await)
            })*
        }
    };
}

operations! {
    bucket {
        // Also a browser's form upload: the trait turns `post_object` into this.
        put_object(PutObjectInput) -> PutObjectOutput = objects::put;
        head_bucket(HeadBucketInput) -> HeadBucketOutput = buckets::head;
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
    account {
        create_bucket(CreateBucketInput) -> CreateBucketOutput = buckets::create;
        list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets::list;
    }
}
