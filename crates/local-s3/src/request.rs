//! Reads the parts of a request that every operation treats in the same way.

use s3s::dto::{ETag, Timestamp};
use s3s::{S3Request, S3Response, s3_error};

use super::ACCOUNT_ID;
use super::error::{OperationError, not_implemented};
use super::events::Requester;
use super::store::system_time;

/// What an operation answers.
pub(super) type Answer<T> = Result<S3Response<T>, OperationError>;

/// Put into the extensions of a request by the service before s3s sees it.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) request_id: String,
    pub(super) host_id: String,
    pub(super) source_ip: String,
}

/// Who sends this request.
pub(super) fn requester<T>(request: &S3Request<T>) -> Requester {
    let envelope = request.extensions.get::<Envelope>();
    let text = |field: fn(&Envelope) -> &String| envelope.map(field).cloned().unwrap_or_default();
    Requester {
        access_key: request
            .credentials
            .as_ref()
            .map(|c| c.access_key.clone())
            .unwrap_or_default(),
        source_ip: text(|envelope| &envelope.source_ip),
        request_id: text(|envelope| &envelope.request_id),
        host_id: text(|envelope| &envelope.host_id),
    }
}

/// `x-amz-expected-bucket-owner` guards against writing to a stranger's bucket; here all are ours.
pub(super) fn check_owner(expected: Option<&str>) -> Result<(), OperationError> {
    match expected {
        Some(owner) if owner != ACCOUNT_ID => Err(s3_error!(AccessDenied, "Access Denied").into()),
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
    Timestamp::from(system_time(ms))
}

/// Sizes in DTOs are signed.
pub(super) fn size(bytes: u64) -> i64 {
    super::index::signed(bytes)
}
