//! SQS's errors on the wire: AWS JSON 1.0, with the header that tells the codes of the older query protocol.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use local_base::db::DbError;
use local_base::intake::ReadError;
use local_base::sigv4::AuthError;
use serde_json::json;

/// Why a request was refused.
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
    /// The shape's name, and the query protocol's code for it, which botocore and the SDKs report.
    fn codes(&self) -> (&str, &str) {
        match self {
            Self::Auth(error) => (error.code(), error.code()),
            Self::Body(ReadError::Busy) => ("ServiceUnavailable", "ServiceUnavailable"),
            Self::QueueDoesNotExist => ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::SourceDoesNotExist => ("ResourceNotFoundException", "ResourceNotFoundException"),
            Self::MissingParameter(_) => ("MissingRequiredParameterException", "MissingParameter"),
            Self::Body(_) | Self::InvalidParameterValue(_) => {
                ("InvalidParameterValueException", "InvalidParameterValue")
            }
            Self::InvalidAttributeName(_) => ("InvalidAttributeName", "InvalidAttributeName"),
            Self::ReceiptHandleIsInvalid => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::Unsupported(_) => (
                "UnsupportedOperation",
                "AWS.SimpleQueueService.UnsupportedOperation",
            ),
            Self::UnknownOperation(_) => ("UnknownOperationException", "InvalidAction"),
            Self::Serialization(_) => ("SerializationException", "MalformedInput"),
            Self::Internal(_) => ("InternalFailure", "InternalFailure"),
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

    /// Shapes that all services share have another namespace than SQS's own.
    fn namespace(&self) -> &'static str {
        match self {
            Self::Auth(_)
            | Self::Body(_)
            | Self::MissingParameter(_)
            | Self::InvalidParameterValue(_)
            | Self::UnknownOperation(_)
            | Self::Serialization(_)
            | Self::Internal(_) => "com.amazon.coral.service",
            _ => "com.amazonaws.sqs",
        }
    }
}

impl IntoResponse for SqsError {
    fn into_response(self) -> Response {
        let (shape, query) = self.codes();
        if let Self::Internal(error) = &self {
            tracing::error!(%error, "queue request failed");
        }
        let sender = if self.status().is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let body = json!({"__type": format!("{}#{shape}", self.namespace()), "message": self.to_string()});
        let headers = [
            ("content-type", super::CONTENT_TYPE.to_owned()),
            ("x-amzn-query-error", format!("{query};{sender}")),
        ];
        (self.status(), headers, body.to_string()).into_response()
    }
}
