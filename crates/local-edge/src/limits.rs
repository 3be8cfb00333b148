//! Refuses requests that are too large for CloudFront ("Request and response behavior" in the developer
//! guide).

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::Refused;

/// Longest URL, in bytes.
const URL_MAX: usize = 8_192;
/// Longest request line and headers together, in bytes.
const REQUEST_MAX: usize = 20_480;

/// Largest body for a function in bytes: the payload of a synchronous invocation (Lambda quotas).
const BODY_MAX: usize = 6 << 20;

/// Reads the body of a request, if it may have one.
pub(super) async fn read(body: Option<Body>) -> Result<Bytes, Refused> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    let text = "The request body exceeded the maximum length that is allowed, or ended early.";
    let read = axum::body::to_bytes(body, BODY_MAX).await;
    read.map_err(|_| Refused::Other(StatusCode::PAYLOAD_TOO_LARGE, text))
}

/// The refusal of a request that is too long, or that has a body and may not.
pub(super) fn check(request: &Parts, may_have_body: bool) -> Option<Refused> {
    let url = request.uri.path_and_query().map_or(0, |url| url.as_str().len());
    if url > URL_MAX || url + size(&request.headers) > REQUEST_MAX {
        let text = "The request exceeded the maximum length that is allowed.";
        return Some(Refused::Other(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    (!may_have_body && has_body(&request.headers))
        .then_some(Refused::Other(StatusCode::FORBIDDEN, "Bad request."))
}

/// The headers as they are written: name, colon, space, value, line end.
fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .any(|length| length.as_bytes() != b"0")
}
