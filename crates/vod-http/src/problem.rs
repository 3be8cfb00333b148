//! Errors as `application/problem+json` (RFC 9457).

use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tracing::error;
use vod_aws::BucketError;
use vod_core::record::State;

/// An answer that says what went wrong.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    state: Option<State>,
    authenticate: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            state: None,
            authenticate: None,
        }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn unauthorized(challenge: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail).authenticate(challenge)
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub fn method_not_allowed(detail: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// The asset is there and cannot be watched (yet).
    pub fn not_complete(state: State) -> Self {
        let detail = format!("the asset is {}, not COMPLETE", state.as_str());
        Self {
            state: Some(state),
            ..Self::new(StatusCode::CONFLICT, detail)
        }
    }

    /// A file of ours is not what it should be.
    pub fn bad_file(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, detail)
    }

    /// Part of the request was not done. Sending it again completes it.
    pub fn unfinished(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// A service that we need does not answer as it should. The viewer is told which, the log why.
    pub fn unavailable(what: &str, fault: &(impl Error + ?Sized)) -> Self {
        error!(what, error = vod_aws::chain(fault), "unavailable");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{what} cannot be reached"),
        )
    }

    #[must_use]
    pub fn authenticate(mut self, challenge: &'static str) -> Self {
        self.authenticate = Some(challenge);
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<BucketError> for Problem {
    /// For reads of records. Others say so.
    fn from(error: BucketError) -> Self {
        Self::unavailable("the catalog", &error)
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        problem.into_response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            state: self.state,
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        let headers = [
            (CONTENT_TYPE, "application/problem+json"),
            (CACHE_CONTROL, "no-store"),
        ];
        let mut response = (self.status, headers, body).into_response();
        if let Some(challenge) = self.authenticate {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
