//! `GET /api/openapi.json`: this API's own description. Schemathesis checks the one against the other.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

const DOCUMENT: &str = include_str!("../openapi.json");

/// For everybody: it says nothing that the source does not.
pub(crate) async fn show() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
    (headers, DOCUMENT).into_response()
}
