//! SQS's errors on the wire: AWS JSON 1.0, with the header that has the codes of the older query protocol.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use local_base::db::DbError;
use local_base::intake::ReadError;
use local_base::sigv4::AuthError;
use serde_json::json;

/// The namespace of shapes that all services share; SQS's own have another.
const SHARED: &str = "com.amazon.coral.service";

/// The refusal of a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum SqsError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Body(#[from] ReadError),
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    #[error("The resource that you specified for the SourceArn parameter doesn't exist.")]
    SourceDoesNotExist,
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    #[error("{0}")]
    InvalidParameterValue(String),
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    #[error("The input receipt handle is invalid.")]
    ReceiptHandleIsInvalid,
    /// AWS can, this stack cannot.
    #[error("{0} is not served by the local stack")]
    Unsupported(String),
    #[error("the operation {0} does not exist, or is not served by the local stack")]
    UnknownOperation(String),
    #[error("the body is not what the operation wants: {0}")]
    Serialization(String),
    #[error("the state database does not answer")]
    Internal(#[from] DbError),
}

impl SqsError {
    /// The namespace and name of the shape, and the query protocol's code for it, which botocore and the SDKs report.
    fn codes(&self) -> (&'static str, &'static str, &'static str) {
        let shared = |shape, query| (SHARED, shape, query);
        let own = |shape, query| ("com.amazonaws.sqs", shape, query);
        match self {
            Self::Auth(error) => shared(error.code(), error.code()),
            Self::Body(ReadError::Busy) => shared("ServiceUnavailable", "ServiceUnavailable"),
            Self::QueueDoesNotExist => own("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::SourceDoesNotExist => own("ResourceNotFoundException", "ResourceNotFoundException"),
            Self::MissingParameter(_) => shared("MissingRequiredParameterException", "MissingParameter"),
            Self::Body(_) | Self::InvalidParameterValue(_) => {
                shared("InvalidParameterValueException", "InvalidParameterValue")
            }
            Self::InvalidAttributeName(_) => own("InvalidAttributeName", "InvalidAttributeName"),
            Self::ReceiptHandleIsInvalid => own("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::Unsupported(_) => own(
                "UnsupportedOperation",
                "AWS.SimpleQueueService.UnsupportedOperation",
            ),
            Self::UnknownOperation(_) => shared("UnknownOperationException", "InvalidAction"),
            Self::Serialization(_) => shared("SerializationException", "MalformedInput"),
            Self::Internal(_) => shared("InternalFailure", "InternalFailure"),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Auth(_) => StatusCode::FORBIDDEN,
            Self::Body(ReadError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for SqsError {
    fn into_response(self) -> Response {
        let (namespace, shape, query) = self.codes();
        if let Self::Internal(error) = &self {
            tracing::error!(%error, "queue request failed");
        }
        let sender = if self.status().is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let body = json!({"__type": format!("{namespace}#{shape}"), "message": self.to_string()});
        let headers = [
            ("content-type", super::CONTENT_TYPE.to_owned()),
            ("x-amzn-query-error", format!("{query};{sender}")),
        ];
        (self.status(), headers, body.to_string()).into_response()
    }
}
