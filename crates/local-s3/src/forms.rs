//! Form uploads of browsers: the checks of AWS that s3s does not make, and a limit on their memory.
//!
//! Source: "Creating a POST policy" and "POST Object", S3 API reference.

use http::{HeaderMap, StatusCode};
use s3s::access::S3Access;
use s3s::dto::PostObjectInput;
use s3s::{S3Request, S3Result};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::refusal;
use super::guard::{self, Refused};

/// The most bytes that a file in a form may have: s3s holds it in memory, so the limit is far below that of a PUT.
pub(super) const MAX_FILE: u64 = 64 << 20;
/// The most bytes of one other field ("The form data … cannot exceed 20 KB").
pub(super) const MAX_FIELD: usize = 20 << 10;
/// The most bytes of all fields before the file. The piece of the body in which the file begins counts as a whole, and one
/// piece has up to 408 KiB.
pub(super) const MAX_FIELDS: usize = 1 << 20;

/// KiB of forms that may be in memory at one time: two of the largest.
const BUDGET_KIB: u32 = 2 * (65 << 10);

/// Bounds the memory of form uploads, whose senders are known only when they have been read.
pub(super) struct Forms(Semaphore);

impl Forms {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(BUDGET_KIB as usize))
    }

    /// Takes the room that the body of a form needs until the permit is dropped.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<SemaphorePermit<'_>, Refused> {
        let length = guard::length(headers).unwrap_or_default();
        if length > MAX_FILE + MAX_FIELDS as u64 {
            let message = "Your proposed upload exceeds the maximum allowed size";
            return Err(Refused::new(StatusCode::BAD_REQUEST, "EntityTooLarge", message));
        }
        let kib = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        self.0.try_acquire_many(kib).map_err(|_| {
            Refused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "SlowDown",
                "Please reduce your request rate.",
            )
        })
    }
}

/// Asked by s3s when a form's signature and its policy were found good. The policy itself s3s 0.14 does not show here.
pub(super) struct Policies {
    pub(super) region: String,
}

#[async_trait::async_trait]
impl S3Access for Policies {
    async fn post_object(&self, request: &mut S3Request<PostObjectInput>) -> S3Result<()> {
        let region = request.region.as_ref().map(s3s::region::Region::as_str);
        if region != Some(&self.region) {
            let mut error = refusal("AuthorizationQueryParametersError", StatusCode::BAD_REQUEST);
            error.set_message(format!(
                "Error parsing the X-Amz-Credential parameter; the region '{}' is wrong; expecting '{}'",
                region.unwrap_or_default(),
                self.region
            ));
            return Err(error);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_the_largest_forms_fit_and_no_third() {
        let forms = Forms::new();
        let headers = |length: u64| HeaderMap::from_iter([(http::header::CONTENT_LENGTH, length.into())]);
        let largest = headers(MAX_FILE + MAX_FIELDS as u64);
        let first = forms.admit(&largest).unwrap();
        let _second = forms.admit(&largest).unwrap();
        let refused = forms.admit(&headers(1)).unwrap_err();
        assert_eq!(
            refused.respond(&http::Method::POST).status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        drop(first);
        assert!(forms.admit(&headers(1)).is_ok());
        assert!(forms.admit(&headers(MAX_FILE + MAX_FIELDS as u64 + 1)).is_err());
    }
}
