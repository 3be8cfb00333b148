//! The error responses that AWS sends for reasons of its own, word for word.
//!
//! Sources: "Error responses" in the S3 API reference and "Conditional writes" in its user guide; the exceptions of
//! the MediaConvert API reference. MediaConvert's model has no 503: that one is its front end's.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use quick_xml::escape::escape;
use vod_ids as ids;

use super::spec::S3;
use crate::access::Operation;
use crate::sigv4::rest_json_error;

/// Reads a body to its end, so that the caller is ready for an answer and finds no broken connection instead.
pub(super) async fn drain(request: Request) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}

/// The answer of `service` with this status.
pub(super) fn refusal(service: &str, status: u16, operation: &Operation) -> Response {
    let (code, message) = match (service, status) {
        (S3, 503) => ("SlowDown", "Please reduce your request rate."),
        (S3, 409) => (
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this resource.",
        ),
        (S3, _) => (
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
        (_, 429) => ("TooManyRequestsException", "Too Many Requests"),
        (_, 503) => ("ServiceUnavailableException", "Service Unavailable"),
        _ => ("InternalServerErrorException", "Internal server error"),
    };
    let key = match operation.key.as_deref() {
        Some(key) if status == 409 => format!("<Key>{}</Key>", escape(key)),
        _ => String::new(),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if service == S3 {
        s3(status, code, message, &key)
    } else {
        json(status, code, message)
    }
}

/// The answer of the local S3 when the disk has no room left.
pub(super) fn disk_full() -> Response {
    let message = "no space left on the disk that holds the state folder";
    s3(
        StatusCode::INSUFFICIENT_STORAGE,
        "InsufficientStorage",
        message,
        "",
    )
}

fn s3(status: StatusCode, code: &str, message: &str, members: &str) -> Response {
    let (request, host) = (ids::letters(16).to_uppercase(), ids::letters(56));
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{members}\
         <RequestId>{request}</RequestId><HostId>{host}</HostId></Error>"
    );
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/xml"),
        (header::SERVER.as_str(), "AmazonS3"),
        ("x-amz-request-id", &request),
        ("x-amz-id-2", &host),
    ];
    (status, headers, body).into_response()
}

fn json(status: StatusCode, code: &str, message: &str) -> Response {
    let mut response = rest_json_error(status, code, message);
    if let Ok(id) = HeaderValue::from_str(&ids::uuid()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_text_and_no_xml() {
        let operation = Operation {
            key: Some("a & <b>".to_owned()),
            ..Operation::default()
        };
        let body = refusal(S3, 409, &operation).into_body();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("<Key>a &amp; &lt;b&gt;</Key>"), "{text}");
    }
}
