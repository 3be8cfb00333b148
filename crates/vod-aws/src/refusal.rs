//! The refusal of a call by an AWS service, whatever client made the call.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Error codes of throttled calls (SDK reference guide, "Retry behavior").
const THROTTLING: [&str; 8] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
];

/// A refusal: the HTTP status, and the code and message of the service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status {status}, {}", .meta.code().unwrap_or("no error type"))]
pub struct Refusal {
    status: u16,
    meta: ErrorMetadata,
}

impl Refusal {
    pub(crate) fn new(status: u16, meta: ErrorMetadata) -> Self {
        Self { status, meta }
    }

    /// The refusal in an error of an SDK client. `None`: the service did not refuse the call, or gave a response that
    /// cannot be parsed.
    pub fn of<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> Option<Self> {
        let status = error.raw_response()?.status().as_u16();
        let meta = error.as_service_error()?.meta().clone();
        (status >= 300).then(|| Self::new(status, meta))
    }

    /// Whether the service was called too often. A quota that is used up is not throttling.
    pub fn is_throttling(&self) -> bool {
        self.status == 429 || self.meta.code().is_some_and(|code| THROTTLING.contains(&code))
    }

    /// Whether the credentials lack a permission.
    pub fn is_denial(&self) -> bool {
        self.status == 403
            || self
                .meta
                .code()
                .is_some_and(|code| code.starts_with("AccessDenied"))
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }
}

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

/// The output of a call. `None`: the thing does not exist, which `is_missing` sees in the error. Any other error is what
/// `failed` makes of it.
pub(crate) fn existing<T, E, F>(
    answer: Result<T, SdkError<E, Response>>,
    is_missing: fn(&E) -> bool,
    failed: impl FnOnce(SdkError<E, Response>) -> F,
) -> Result<Option<T>, F> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.as_service_error().is_some_and(is_missing) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
