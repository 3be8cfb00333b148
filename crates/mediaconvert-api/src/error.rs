//! Errors of the API.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

/// An error with the name and status code that the service's model gives it. The text is the `message`.
#[derive(Debug)]
pub enum ServiceError {
    BadRequest(String),
    Forbidden(String),
    NotFound(String),
    Conflict(String),
    QuotaExceeded(String),
    Unprocessable(String),
    NotImplemented(String),
    Internal,
}

impl ServiceError {
    /// An internal error whose cause is only logged.
    pub fn internal(action: &str, error: &dyn std::error::Error) -> Self {
        let source = error.source().map(ToString::to_string);
        tracing::error!(%error, ?source, "failed to {action}");
        Self::Internal
    }

    fn parts(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, "BadRequestException", message),
            Self::Forbidden(message) => (StatusCode::FORBIDDEN, "ForbiddenException", message),
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "NotFoundException", message),
            Self::Conflict(message) => (StatusCode::CONFLICT, "ConflictException", message),
            Self::QuotaExceeded(message) => (
                StatusCode::PAYMENT_REQUIRED,
                "ServiceQuotaExceededException",
                message,
            ),
            Self::Unprocessable(message) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "UnprocessableEntityException",
                message,
            ),
            Self::NotImplemented(message) => {
                (StatusCode::NOT_IMPLEMENTED, "NotImplementedException", message)
            }
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerErrorException",
                "Internal server error, see the log of the service".to_owned(),
            ),
        }
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let headers = [("x-amzn-errortype", code), ("content-type", "application/json")];
        (status, headers, json!({ "message": message }).to_string()).into_response()
    }
}
