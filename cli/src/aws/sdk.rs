//! Errors of SDK clients in the words of this command.

use std::error::Error;

use anyhow::anyhow;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use vod_aws::{BucketError, MediaConvertError, root};

use super::error::{AwsError, Refusal};
use crate::output::plain;

/// An SDK error for people; `permission` is the one that such a call needs on AWS.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
pub(crate) fn sdk_error<E: SdkFailure>(
    what: &str,
    permission: &str,
    error: SdkError<E, Response>,
) -> anyhow::Error {
    match vod_aws::Refusal::of(&error) {
        Some(refusal) => refused(what, permission, &refusal).into(),
        None => anyhow!("{what}: {}", plain(&root(&error))),
    }
}

/// The common part of the SDK's errors of single operations.
pub(crate) trait SdkFailure: ProvideErrorMetadata + Error + Send + Sync + 'static {}
impl<E: ProvideErrorMetadata + Error + Send + Sync + 'static> SdkFailure for E {}

/// An error of MediaConvert for people.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
pub(crate) fn media_error(error: MediaConvertError) -> anyhow::Error {
    match error.refusal() {
        Some(refusal) => refused("MediaConvert", error.permission(), refusal).into(),
        None => anyhow!("MediaConvert: {}", plain(&root(&error))),
    }
}

/// A refusal by a service, with the call that it refused.
pub(super) fn refused(what: &str, permission: &str, refusal: &vod_aws::Refusal) -> AwsError {
    let text = |word: Option<&str>| word.unwrap_or_default().to_owned();
    AwsError::Refused(Box::new(Refusal {
        what: what.to_owned(),
        permission: permission.to_owned(),
        status: refusal.status(),
        code: text(refusal.code()),
        message: text(refusal.message()),
    }))
}

/// An error with its causes, in one line. A refusal by S3 or MediaConvert ends the line, in plain words.
pub(crate) fn in_one_line(error: &anyhow::Error) -> String {
    let mut words = Vec::new();
    for cause in error.chain() {
        words.push(cause.to_string());
        if let Some(refusal) = in_cause(cause) {
            words.push(refusal.to_string());
            break;
        }
    }
    words.join(": ")
}

fn in_cause(cause: &(dyn Error + 'static)) -> Option<AwsError> {
    if let Some(error) = cause.downcast_ref::<BucketError>() {
        return Some(refused("S3", error.permission(), error.refusal()?));
    }
    let error = cause.downcast_ref::<MediaConvertError>()?;
    Some(refused("MediaConvert", error.permission(), error.refusal()?))
}
