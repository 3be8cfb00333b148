//! Answers that the edge makes itself, and what it adds to those of its origins.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, SERVER, VIA, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use vod_core::cloudfront::Denied;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Marks an answer that came from the cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit;

/// CloudFront's 403 for a missing or bad signature.
pub(super) fn denied(denied: Denied) -> Response {
    own(StatusCode::FORBIDDEN, "text/xml", denied.body())
}

/// CloudFront's page for requests that it refuses for other reasons, or that an origin did not answer.
pub(super) fn error_page(status: StatusCode, text: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let code = status.as_u16();
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>ERROR: The request could not be satisfied</title></head><body>\n\
         <h1>{code} {title}</h1>\n<h2>The request could not be satisfied.</h2>\n<p>{text}</p>\n</body></html>\n"
    );
    own(status, "text/html", body)
}

fn own(status: StatusCode, content_type: &str, body: impl IntoResponse) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (SERVER, "CloudFront"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}

/// The headers that every answer carries: CloudFront's own, and what all response headers policies of the distribution
/// have in common, which CloudFront adds to refusals as well.
pub(super) fn finish(mut response: Response) -> Response {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    let hit = response.extensions().get::<Hit>().is_some();
    let cache = match (failed, hit) {
        (true, _) => "Error from cloudfront",
        (false, true) => "Hit from cloudfront",
        (false, false) => "Miss from cloudfront",
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_CACHE, HeaderValue::from_static(cache));
    headers.insert(VIA, HeaderValue::from_static("1.1 vod.edge (CloudFront)"));
    response
}
