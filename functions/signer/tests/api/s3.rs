//! As much of S3 as the signer reads: `GetObject` and `ListObjectsV2`, path-style, unsigned.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;

/// Each call, in order: `GET key` or `LIST prefix`.
pub(crate) type Calls = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
struct Store {
    objects: Arc<BTreeMap<String, Vec<u8>>>,
    calls: Calls,
}

impl Store {
    fn note(&self, call: &str, what: &str) {
        self.calls.lock().unwrap().push(format!("{call} {what}"));
    }
}

/// Serves `objects`, by key, and returns the endpoint.
pub(crate) async fn serve(objects: BTreeMap<String, Vec<u8>>, calls: Calls) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/{bucket}/", get(list))
        .route("/{bucket}", get(list))
        .route("/{bucket}/{*key}", get(object))
        .with_state(Store {
            objects: Arc::new(objects),
            calls,
        });
    tokio::spawn(async move { axum::serve(listener, router).await });
    endpoint
}

async fn object(State(store): State<Store>, Path((_, key)): Path<(String, String)>) -> Response {
    store.note("GET", &key);
    if let Some(bytes) = store.objects.get(&key) {
        return ([("etag", "\"e\"")], bytes.clone()).into_response();
    }
    let body = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
    (StatusCode::NOT_FOUND, [("content-type", "application/xml")], body).into_response()
}

async fn list(State(store): State<Store>, Query(ask): Query<BTreeMap<String, String>>) -> Response {
    let (prefix, after) = (
        ask.get("prefix").cloned().unwrap_or_default(),
        ask.get("start-after"),
    );
    store.note("LIST", &prefix);
    let max: usize = ask.get("max-keys").map_or(1_000, |max| max.parse().unwrap());
    let keys: Vec<_> = store
        .objects
        .keys()
        .filter(|key| key.starts_with(&prefix) && after.is_none_or(|after| *key > after))
        .collect();
    let mut body = format!(
        "<ListBucketResult><IsTruncated>{}</IsTruncated>",
        keys.len() > max
    );
    for key in keys.iter().take(max) {
        let _ = write!(body, "<Contents><Key>{key}</Key></Contents>");
    }
    body.push_str("</ListBucketResult>");
    ([("content-type", "application/xml")], body).into_response()
}
