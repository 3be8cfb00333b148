//! Lets only signed requests through to a service.

use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use vod_ids as ids;

use super::{AuthError, Keys, rest_json_error};
use crate::access;
use crate::intake::{self, ReadError};

/// Lets only requests through to `router` that are signed for `service`; bodies are read whole, up to
/// `limit` bytes, because the signature covers them.
pub fn require(router: Router, keys: Keys, service: &'static str, limit: usize) -> Router {
    require_in(router, keys, service, limit, rest_json_error)
}

/// How a service writes an error: from its status, its code as the rest-json services name it, and its text.
pub type WriteError = fn(StatusCode, &str, &str) -> Response;

/// The same, for a service with another form of errors.
pub fn require_in(
    router: Router,
    keys: Keys,
    service: &'static str,
    limit: usize,
    write: WriteError,
) -> Router {
    let guard = Guard {
        keys,
        service,
        limit,
        write,
    };
    router.layer(from_fn_with_state(guard, check))
}

#[derive(Clone)]
struct Guard {
    keys: Keys,
    service: &'static str,
    limit: usize,
    write: WriteError,
}

impl Guard {
    async fn let_in(&self, parts: Parts, body: Body, next: Next) -> Response {
        if let Err(error) = self.keys.verify_head(self.service, &parts, SystemTime::now()) {
            return self.refuse(&parts, &error);
        }
        let read = match intake::read(body, self.limit).await {
            Ok(read) => read,
            Err(error) => {
                let (status, code) = match error {
                    ReadError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException"),
                    ReadError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException"),
                    ReadError::Broken(_) => (StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException"),
                };
                return (self.write)(status, code, &error.to_string());
            }
        };
        // The bytes count as long as the request is being answered.
        match self
            .keys
            .verify(self.service, &parts, read.bytes(), SystemTime::now())
        {
            Ok(()) => {
                next.run(Request::from_parts(parts, Body::from(read.bytes().clone())))
                    .await
            }
            Err(error) => self.refuse(&parts, &error),
        }
    }

    fn refuse(&self, parts: &Parts, error: &AuthError) -> Response {
        // Redacted: the path to the signer holds a grant.
        let (path, code) = (access::redact::uri(&parts.uri), error.code());
        tracing::warn!(service = self.service, path, code, "request refused");
        (self.write)(StatusCode::FORBIDDEN, code, &error.to_string())
    }
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = guard.let_in(parts, body, next).await;
    if let Ok(id) = HeaderValue::from_str(&ids::uuid()) {
        response.headers_mut().entry("x-amzn-requestid").or_insert(id);
    }
    response
}
