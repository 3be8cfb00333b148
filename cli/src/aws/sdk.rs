//! Errors of the SDK's own calls, told as those of ours.

use std::error::Error;

use anyhow::anyhow;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::delete_object::DeleteObjectError;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_smithy_runtime_api::http::Response;

use super::error::{AwsError, Refusal};
use crate::output::plain;
use crate::wire::root;

/// An SDK error for people, like those of our own calls; `permission` is what such a call needs on AWS.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
pub(crate) fn sdk_error<E: SdkFailure>(
    what: &str,
    permission: &str,
    error: SdkError<E, Response>,
) -> anyhow::Error {
    match refusal(what, permission, &error) {
        Some(refusal) => anyhow::Error::new(refusal),
        None => anyhow!("{what}: {}", plain(&root(&error))),
    }
}

/// What the SDK's errors of single operations have in common.
pub(crate) trait SdkFailure: ProvideErrorMetadata + Error + Send + Sync + 'static {}
impl<E: ProvideErrorMetadata + Error + Send + Sync + 'static> SdkFailure for E {}

/// What AWS says in an SDK error, if it was AWS that failed the call.
fn refusal<E: SdkFailure>(what: &str, permission: &str, error: &SdkError<E, Response>) -> Option<AwsError> {
    let status = error.raw_response()?.status().as_u16();
    // An answer that cannot be read is none, whatever its status.
    if status < 300 || error.as_service_error().is_none() {
        return None;
    }
    let text = |word: Option<&str>| word.unwrap_or_default().to_owned();
    Some(AwsError::Refused(Box::new(Refusal {
        what: what.to_owned(),
        permission: permission.to_owned(),
        status,
        code: text(error.code()),
        message: text(error.message()),
    })))
}

/// An error with its causes, in one line. What our other crates pass on of the SDK is said in plain words.
pub(crate) fn in_one_line(error: &anyhow::Error) -> String {
    let mut told = Vec::new();
    for cause in error.chain() {
        if let Some(refusal) = s3(cause) {
            told.push(refusal.to_string());
            break;
        }
        told.push(cause.to_string());
    }
    told.join(": ")
}

/// The refusal in an error of S3, by the operations that those crates use.
fn s3(cause: &(dyn Error + 'static)) -> Option<AwsError> {
    fn of<E: SdkFailure>(cause: &(dyn Error + 'static), permission: &str) -> Option<AwsError> {
        refusal("S3", permission, cause.downcast_ref::<SdkError<E, Response>>()?)
    }
    of::<GetObjectError>(cause, "s3:GetObject")
        .or_else(|| of::<HeadObjectError>(cause, "s3:GetObject"))
        .or_else(|| of::<PutObjectError>(cause, "s3:PutObject"))
        .or_else(|| of::<ListObjectsV2Error>(cause, "s3:ListBucket"))
        .or_else(|| of::<DeleteObjectError>(cause, "s3:DeleteObject"))
        .or_else(|| of::<DeleteObjectsError>(cause, "s3:DeleteObject"))
}
