//! Reads the parts of a request that every operation treats in the same way.

use std::time::SystemTime;

use s3s::dto::{ETag, Timestamp};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::ACCOUNT_ID;
use super::error::{OperationError, not_implemented};
use super::events::Requester;
use super::store::time;

/// What an operation answers.
pub(super) type Answer<T> = Result<S3Response<T>, OperationError>;

/// The sender of this request. The service puts all but the key into the extensions before s3s sees the request.
pub(super) fn requester<T>(request: &S3Request<T>) -> Requester {
    let sent = request.extensions.get::<Requester>().cloned();
    let credentials = request.credentials.as_ref();
    Requester {
        access_key: credentials.map_or_else(String::new, |credentials| credentials.access_key.clone()),
        ..sent.unwrap_or_default()
    }
}

/// `x-amz-expected-bucket-owner` guards against writing to a stranger's bucket; here all are ours.
pub(super) fn check_owner(expected: Option<&str>) -> S3Result<()> {
    match expected {
        Some(owner) if owner != ACCOUNT_ID => Err(s3_error!(AccessDenied, "Access Denied")),
        _ => Ok(()),
    }
}

/// Without versioning, `null` names the only version there is.
pub(super) fn check_version(version: Option<&str>) -> Result<(), OperationError> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(InvalidArgument, "Invalid version id specified").into()),
    }
}

/// Keys that the client would have to send with each request.
pub(super) fn refuse_customer_key(algorithm: Option<&String>) -> Result<(), OperationError> {
    match algorithm {
        None => Ok(()),
        Some(_) => Err(not_implemented("server-side encryption with customer keys")),
    }
}

pub(super) fn strong(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

/// A stored time as the DTOs have it.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from(SystemTime::from(time(ms)))
}

/// The same without a fraction of a second, as in HTTP dates: clients send it back in conditions.
pub(super) fn whole_seconds(ms: i64) -> Timestamp {
    timestamp(ms - ms.rem_euclid(1000))
}

/// Sizes in DTOs are signed.
pub(super) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
