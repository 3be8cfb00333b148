//! Requests that no SDK sends: browsers, presigned URLs by hand, anonymous requests.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::server::{BUCKET, PAGE, TestS3};

async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client
        .request(request.body(Full::new(Bytes::from_static(body))).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn in_a_minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()
}

#[tokio::test]
async fn anonymous_requests_are_denied() {
    let server = TestS3::local().await;
    server.put("x", "x").await;
    let response = send(Method::GET, &format!("{}/{BUCKET}/x", server.endpoint), &[], b"").await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(String::from_utf8_lossy(response.body()).contains("<Code>AccessDenied</Code>"));
    assert!(response.headers().contains_key("x-amz-request-id"));
}

/// Fuzzing found that such a date ended the connection of a debug build without an answer.
#[tokio::test]
async fn a_date_that_is_none_is_refused() {
    let server = TestS3::local().await;
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=vod%2F20260101%2Fus-east-1%2Fs3%2Faws4_request\
                 &X-Amz-Date=20260101T0-0000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let url = format!("{}/{BUCKET}/x", server.endpoint);
    let presigned = send(Method::GET, &format!("{url}?{query}"), &[], b"").await;
    let authorization = "AWS4-HMAC-SHA256 Credential=vod/20260101/us-east-1/s3/aws4_request, \
                         SignedHeaders=host;x-amz-date, Signature=00";
    let headers = [
        ("authorization", authorization),
        ("x-amz-date", "2026-101T000000Z"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ];
    let signed = send(Method::GET, &url, &headers, b"").await;
    for response in [presigned, signed] {
        assert!(response.status().is_client_error(), "{}", response.status());
    }
}

#[tokio::test]
async fn a_browser_uploads_by_a_presigned_put() {
    let server = TestS3::local().await;
    let put = server
        .client
        .put_object()
        .bucket(BUCKET)
        .key("input/a b.mp4")
        .content_type("video/mp4");
    let signed = put.presigned(in_a_minute()).await.unwrap();
    let asks = [
        ("origin", PAGE),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = send(Method::OPTIONS, signed.uri(), &asks, b"").await;
    assert_eq!(preflight.status(), StatusCode::OK);
    assert_eq!(preflight.headers()["access-control-allow-origin"], PAGE);

    let mut headers: Vec<_> = signed.headers().collect();
    headers.push(("origin", PAGE));
    let response = send(Method::PUT, signed.uri(), &headers, b"film").await;
    assert_eq!(response.status(), StatusCode::OK, "{:?}", response.body());
    assert_eq!(response.headers()["access-control-allow-origin"], PAGE);
    assert!(
        response.headers()["access-control-expose-headers"]
            .to_str()
            .unwrap()
            .contains("ETag")
    );
    assert_eq!(server.get("input/a b.mp4").await, b"film");

    let stranger = [
        ("origin", "http://evil.example"),
        ("access-control-request-method", "PUT"),
    ];
    assert_eq!(
        send(Method::OPTIONS, signed.uri(), &stranger, b"").await.status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_changed_presigned_url_is_refused() {
    let server = TestS3::local().await;
    server.put("x", "hello").await;
    server.put("y", "secret").await;
    let get = server
        .client
        .get_object()
        .bucket(BUCKET)
        .key("x")
        .presigned(in_a_minute())
        .await
        .unwrap();
    let good = send(Method::GET, get.uri(), &[], b"").await;
    assert_eq!((good.status(), &good.body()[..]), (StatusCode::OK, &b"hello"[..]));
    let other = get
        .uri()
        .replace(&format!("/{BUCKET}/x?"), &format!("/{BUCKET}/y?"));
    assert_ne!(other, get.uri());
    assert_eq!(
        send(Method::GET, &other, &[], b"").await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        send(Method::PUT, get.uri(), &[], b"x").await.status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let server = TestS3::local().await;
    server.put("x", "hello").await;
    let head = server
        .client
        .head_object()
        .bucket(BUCKET)
        .key("x")
        .presigned(in_a_minute())
        .await
        .unwrap();
    let response = send(Method::HEAD, head.uri(), &[], b"").await;
    assert_eq!(response.headers()["content-length"], "5");
    assert_eq!(response.headers()["accept-ranges"], "bytes");
    assert!(response.body().is_empty());
}
