//! A pass that has more to do than one invocation has time for.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use jiff::{SignedDuration, Timestamp};
use pipeline::{CHECKPOINT, Config, Delays, Options, Reconcile, Services, Submit, Summary};
use vod_aws::{AwsConfig, MediaConvert, Time};

const UPLOADS: usize = 40;
const PAGE: usize = 7;
/// Seconds that an invocation has: enough to begin, and to have to stop within a page as well as between two.
const LIMITS: [i64; 8] = [88, 96, 104, 112, 120, 128, 136, 144];

/// A second passes whenever the clock is read.
static CLOCK: AtomicI64 = AtomicI64::new(1_767_225_600);

fn now() -> Timestamp {
    Timestamp::from_second(CLOCK.fetch_add(1, Ordering::SeqCst)).unwrap()
}

/// S3 with uploads that are too young to be lost, no record, no output, and the checkpoint.
#[derive(Debug, Clone, Default)]
struct S3 {
    checkpoint: Arc<Mutex<Option<Vec<u8>>>>,
    /// How often each record was asked for.
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl S3 {
    fn answer(&self, request: &HttpRequest) -> (u16, String) {
        let path = request.uri().split('?').next().unwrap_or_default();
        let key = path.trim_start_matches("http://s3/vod").trim_start_matches('/');
        let missing = (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned());
        if key == CHECKPOINT {
            let mut checkpoint = self.checkpoint.lock().unwrap();
            if request.method() == "PUT" {
                *checkpoint = request.body().bytes().map(<[u8]>::to_vec);
                return (200, String::new());
            }
            let kept = checkpoint.clone();
            return kept.map_or(missing, |kept| (200, String::from_utf8(kept).unwrap()));
        }
        if key.is_empty() && request.uri().contains("versioning") {
            return (200, "<VersioningConfiguration/>".to_owned());
        }
        if key.is_empty() {
            return (200, list(request.uri()));
        }
        *self.asked.lock().unwrap().entry(key.to_owned()).or_default() += 1;
        missing
    }
}

impl HttpConnector for S3 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = self.answer(&request);
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        response.headers_mut().insert("etag", "\"e\"");
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// The page that a request asks for; of other prefixes than `input/` an empty one.
fn list(uri: &str) -> String {
    let after = uri
        .split("start-after=input%2F")
        .nth(1)
        .and_then(|rest| rest.get(..3));
    let first = after.map_or(0, |number| number.parse::<usize>().unwrap() + 1);
    let uploads = if uri.contains("prefix=input%2F") {
        first..UPLOADS.min(first + PAGE)
    } else {
        0..0
    };
    let more = !uploads.is_empty() && uploads.end < UPLOADS;
    let entry = |number| {
        format!(
            "<Contents><Key>input/{number:03}</Key><Size>1</Size><ETag>\"{number}\"</ETag>\
             <LastModified>2026-02-01T00:00:00.000Z</LastModified></Contents>"
        )
    };
    let entries: Vec<String> = uploads.map(entry).collect();
    let entries = entries.concat();
    format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>{entries}</ListBucketResult>")
}

async fn invoke(reconcile: &Reconcile, limit: i64) -> Summary {
    let deadline = Timestamp::from_second(CLOCK.load(Ordering::SeqCst) + limit).unwrap();
    reconcile.run(&Options::default(), "r", deadline).await.unwrap()
}

#[tokio::test]
async fn a_pass_continues_where_the_last_invocation_had_to_stop() {
    let sleep = |_| -> vod_aws::Pause { Box::pin(std::future::pending()) };
    assert!(vod_aws::set_time(Time { now, sleep }));
    for limit in LIMITS {
        in_parts(limit).await;
    }
}

async fn in_parts(limit: i64) {
    let aws = AwsConfig {
        region: "us-east-1".into(),
        access_key_id: "vod".into(),
        secret_access_key: "secret".into(),
        session_token: None,
        s3_endpoint: Some("http://s3".into()),
        mediaconvert_endpoint: Some("http://mediaconvert".into()),
    };
    let s3 = S3::default();
    let connector = SharedHttpConnector::new(s3.clone());
    let http = http_client_fn(move |_, _| connector.clone());
    let mediaconvert = MediaConvert::new(vod_aws::mediaconvert_over(http.clone(), &aws));
    let services = Services::new(vod_aws::s3_over(http, &aws), mediaconvert, "vod");
    let delays = Delays {
        grace: SignedDuration::from_mins(1),
        retry: SignedDuration::from_secs(20),
    };
    let submit = Submit::new(services.clone(), Config::local("vod").unwrap());
    let reconcile = Reconcile::new(services, submit, delays);

    let mut parts = vec![invoke(&reconcile, limit).await];
    while !parts.last().unwrap().finished && parts.len() < UPLOADS {
        parts.push(invoke(&reconcile, limit).await);
    }
    let last = parts.last().unwrap();
    assert!(parts.len() > 2, "one invocation was enough: {last:?}");
    assert!(last.finished, "{parts:#?}");
    let uploads = u64::try_from(UPLOADS).unwrap();
    assert_eq!((last.looked_at, last.waiting), (uploads, uploads));
    let asked = s3.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), UPLOADS);
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
}
