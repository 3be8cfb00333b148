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

use super::spec::Service;
use crate::access::Operation;
use crate::sigv4::rest_json_error;

/// Reads a body to its end, so that the caller is ready for an answer and finds no broken connection instead.
pub(super) async fn drain(request: Request) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}

/// The answer of `service` with this status.
pub(super) fn refusal(service: Service, status: u16, operation: &Operation) -> Response {
    match (service, status) {
        (Service::S3, 503) => s3(
            StatusCode::SERVICE_UNAVAILABLE,
            "SlowDown",
            "Please reduce your request rate.",
            "",
        ),
        (Service::S3, 409) => {
            let key = operation.key.as_deref().unwrap_or_default();
            s3(
                StatusCode::CONFLICT,
                "ConditionalRequestConflict",
                "The conditional request cannot succeed due to a conflicting operation against this resource.",
                &format!("<Key>{}</Key>", escape(key)),
            )
        }
        (Service::S3, _) => s3(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "We encountered an internal error. Please try again.",
            "",
        ),
        (Service::MediaConvert, 429) => json(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            "Too Many Requests",
        ),
        (Service::MediaConvert, 503) => json(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailableException",
            "Service Unavailable",
        ),
        (Service::MediaConvert, _) => json(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerErrorException",
            "Internal server error",
        ),
    }
}

/// What the local S3 says of a disk without room, see [`local_s3`].
pub(super) fn disk_full() -> Response {
    s3(
        StatusCode::INSUFFICIENT_STORAGE,
        "InsufficientStorage",
        "no space left on the disk that holds the state folder",
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
        let body = refusal(Service::S3, 409, &operation).into_body();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("<Key>a &amp; &lt;b&gt;</Key>"), "{text}");
    }
}
