//! Reads and conditional writes of one object, from responses in the form of the S3 API reference.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use vod_aws::{AwsConfig, Bucket, BucketErrorKind};

/// Answers every call with one response, and keeps the conditions of the requests.
#[derive(Debug, Clone)]
struct Fixed {
    status: u16,
    length: Option<u64>,
    body: &'static str,
    conditions: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Fixed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        for name in ["if-match", "if-none-match"] {
            if let Some(value) = request.headers().get(name) {
                self.conditions.lock().unwrap().push(format!("{name}: {value}"));
            }
        }
        let mut response = HttpResponse::new(self.status.try_into().unwrap(), SdkBody::from(self.body));
        response.headers_mut().insert("etag", "\"e1\"");
        if let Some(length) = self.length {
            response
                .headers_mut()
                .insert("content-length", length.to_string());
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn bucket(status: u16, length: Option<u64>, body: &'static str) -> (Bucket, Arc<Mutex<Vec<String>>>) {
    let conditions = Arc::default();
    let fixed = Fixed {
        status,
        length,
        body,
        conditions: Arc::clone(&conditions),
    };
    let connector = SharedHttpConnector::new(fixed);
    let config = AwsConfig {
        region: "us-east-1".into(),
        access_key_id: "vod".into(),
        secret_access_key: "secret".into(),
        session_token: None,
        s3_endpoint: Some("http://s3".into()),
        mediaconvert_endpoint: None,
    };
    let s3 = vod_aws::s3_over(http_client_fn(move |_, _| connector.clone()), &config);
    (Bucket::new(s3, "vod"), conditions)
}

fn error(code: &str) -> &'static str {
    Box::leak(format!("<Error><Code>{code}</Code><Message>m</Message></Error>").into_boxed_str())
}

#[tokio::test]
async fn only_a_missing_key_reads_as_no_object() {
    use BucketErrorKind::{Call, Damaged, TooLarge};
    for (status, length, body, expected) in [
        (200, None, r#"{"a":1}"#, Ok(Some(json!({"a":1})))),
        (200, Some(7), r#"{"a":1}"#, Ok(Some(json!({"a":1})))),
        (404, None, error("NoSuchKey"), Ok(None)),
        (404, None, error("NoSuchBucket"), Err(Call)),
        (403, None, error("AccessDenied"), Err(Call)),
        (200, None, "[1, 2, 3, 4]", Err(TooLarge)),
        (200, Some(12), "[1, 2, 3, 4]", Err(TooLarge)),
        (200, None, "{", Err(Damaged)),
        (200, None, "", Err(Damaged)),
    ] {
        let (bucket, _) = bucket(status, length, body);
        let found = bucket.get_json::<Value>("catalog/a.json", 8).await;
        let found = found.map(|found| {
            found.map(|found| {
                assert_eq!(found.etag, "\"e1\"");
                found.value
            })
        });
        let found = found.map_err(|error| {
            assert_eq!(error.to_string(), "failed to read `catalog/a.json`");
            assert_eq!(error.error_type(), "CatalogUnavailable");
            assert_eq!(error.is_damaged(), error.kind() != Call);
            error.kind()
        });
        assert_eq!(found, expected, "{status} {length:?} {body}");
    }
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_no_error_and_any_other_refusal_is_one() {
    for (status, code, expected) in [
        (200, "", Some(true)),
        (412, "PreconditionFailed", Some(false)),
        (409, "ConditionalRequestConflict", Some(false)),
        (404, "NoSuchKey", Some(false)),
        (403, "AccessDenied", None),
        (400, "InvalidRequest", None),
    ] {
        let body = if code.is_empty() { "" } else { error(code) };
        let (bucket, conditions) = bucket(status, None, body);
        let created = bucket.put_if("k", None, &json!({})).await;
        let changed = bucket.put_if("k", Some("\"e0\""), &json!({})).await;
        let deleted = bucket.delete_if("k", "\"e0\"").await;
        for written in [created, changed] {
            let written = written.map(|etag| etag.inspect(|etag| assert_eq!(etag, "\"e1\"")).is_some());
            assert_eq!(written.ok(), expected, "{code}");
        }
        assert_eq!(deleted.ok(), expected, "{code}");
        let sent = conditions.lock().unwrap().join(", ");
        assert_eq!(
            sent, "if-none-match: *, if-match: \"e0\", if-match: \"e0\"",
            "{code}"
        );
    }
}

#[tokio::test]
async fn the_head_of_an_object_that_cannot_be_read_is_not_that_of_a_missing_one() {
    for (status, expected) in [(200, Some(true)), (404, Some(false)), (403, None)] {
        let (bucket, _) = bucket(status, Some(5), "");
        let head = bucket.head("input/a.mp4").await;
        let head = head.map(|head| {
            head.inspect(|head| {
                assert_eq!((head.size, head.etag.as_str(), &head.version), (5, "e1", &None));
            })
            .is_some()
        });
        assert_eq!(head.ok(), expected, "{status}");
    }
}
