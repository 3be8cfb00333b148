//! Signatures never reach a log, whatever is logged; our own failures always do.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use axum::body::Body;
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use tracing_subscriber::fmt::MakeWriter;

use crate::server::{BUCKET, client, open};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_signature_at_any_level_and_our_failures_at_error() {
    let state = tempfile::tempdir().unwrap();
    // Presigning happens in the client, before anything is logged here.
    let client = client("http://127.0.0.1:1", "vod-local-secret");
    let in_a_minute = || PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let put = client
        .put_object()
        .bucket(BUCKET)
        .key("x")
        .presigned(in_a_minute())
        .await
        .unwrap();
    let get = client
        .get_object()
        .bucket(BUCKET)
        .key("x")
        .presigned(in_a_minute())
        .await
        .unwrap();

    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone());
    let guard = tracing::subscriber::set_default(subscriber.finish());
    let (service, _) = open(state.path(), local_base::clock::system()).await;
    let request = |method: &str, url: &str, body: Vec<u8>| {
        let path = url.strip_prefix("http://127.0.0.1:1").unwrap();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:1");
        request
            .header("content-length", body.len())
            .body(Body::from(body))
            .unwrap()
    };
    let answer = service
        .clone()
        .oneshot(request("PUT", put.uri(), vec![7; 100_000]))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let anonymous = Request::get(format!("/{BUCKET}/x")).header("authorization", "AWS4-HMAC-SHA256 nonsense");
    let answer = service
        .clone()
        .oneshot(anonymous.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert!(answer.status().is_client_error());
    assert!(
        !log.text().contains("nonsense") && !log.text().contains("Signature"),
        "{}",
        log.text()
    );

    // Somebody took the file away: the client hears nothing of it, the operator does.
    std::fs::remove_dir_all(state.path().join("objects")).unwrap();
    let answer = service
        .oneshot(request("GET", get.uri(), Vec::new()))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(log.text().contains("s3 operation failed"), "{}", log.text());
    assert!(!log.text().contains("Signature"));
    drop(guard);
}
