//! Bodies of requests.

use axum::extract::rejection::BytesRejection;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use vod_http::Problem;

pub(crate) type Body = Result<Bytes, BytesRejection>;

/// The JSON of a body. Its `Content-Type` does not matter: an origin request policy need not forward it.
pub(crate) fn parse<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let body = bytes(body)?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("the body is malformed: {error}")))
}

/// The bytes of a body.
pub(crate) fn bytes(body: Body) -> Result<Bytes, Problem> {
    body.map_err(|_| Problem::bad_request("the body is larger than 1 MiB, or ended early"))
}
