//! Requests to the API port at random: nothing is done without a signature, and with one no answer is a fault of
//! ours, unless it says that a thing is not done here. `fuzz/` looks at the same for longer.

use std::convert::Infallible;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use local_base::clock;
use local_base::queue::QueueSettings;
use local_base::sigv4::Keys;
use local_lambda::{Functions, Limits};
use local_mediaconvert::{MediaConvert, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use vod_testkit::{TestState, aws, keys};

use crate::api::Api;
use crate::sqs::Sqs;

const HOST: &str = "127.0.0.1:9000";

struct Shared {
    runtime: Runtime,
    api: Router,
    keys: Keys,
    _state: TestState,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let (keys, state) = (keys(), runtime.block_on(TestState::new()));
    let api = runtime.block_on(api(&state, &keys));
    Shared {
        runtime,
        api,
        keys,
        _state: state,
    }
});

/// The services of the API port. No worker runs, so jobs stay SUBMITTED.
async fn api(state: &TestState, keys: &Keys) -> Router {
    let clock = clock::system();
    // Probes fail: nothing listens there.
    let client = vod_aws::s3(&aws("http://127.0.0.1:9"));
    let settings = Settings::new(&keys.region, "job-events", state.file("work"));
    let (db, queues) = (state.db.clone(), state.queues.clone());
    let mediaconvert = MediaConvert::open(db, queues.clone(), clock.clone(), client, settings)
        .await
        .unwrap();
    let functions =
        Functions::builder(&keys.region).function("echo", Limits::default(), |event| async move {
            Ok::<_, Infallible>(event.payload)
        });
    let queue = QueueSettings {
        visibility_timeout: Duration::from_secs(1),
        max_receive_count: 2,
    };
    let services = Api {
        functions: functions.build(),
        mediaconvert,
        cache: local_edge::Cache::default(),
        sqs: Sqs::new(
            queues,
            keys.clone(),
            &format!("http://{HOST}"),
            &[("uploads", queue)],
        ),
        s3: state.s3().await,
    };
    services.router(keys, clock)
}

fn path() -> impl Strategy<Value = String> {
    let known = [
        "/vod",
        "/vod/input/a.mp4",
        "/vod/a",
        "/2017-08-29/jobs",
        "/2017-08-29/jobs/1767225600000-abcdef",
        "/2017-08-29/search",
        "/2017-08-29/queues/Default",
        "/2015-03-31/functions/echo/invocations",
        "/lambda-url/echo/x",
        "/2020-05-31/distribution/E1/invalidation",
        "/",
    ];
    let segment = prop_oneof!["[A-Za-z0-9_~-]{0,6}", "\\.{1,2}", "(%[0-9A-F]{2}){1,3}"];
    prop_oneof![
        3 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/"))),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let names = [
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "start-after",
        "continuation-token",
        "encoding-type",
        "uploads",
        "uploadId",
        "partNumber",
        "delete",
        "versionId",
        "acl",
        "tagging",
        "maxResults",
        "order",
        "nextToken",
        "status",
        "queue",
        "inputFile",
        "X-Amz-Signature",
    ];
    let pair = (
        prop::sample::select(names.to_vec()),
        "(=(-?[0-9]{1,11}|[A-Za-z/._~-]{0,8}|%[0-9A-F]{2}))?",
    );
    let pair = pair.prop_map(|(name, value)| format!("{name}{value}"));
    prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names = [
        "x-amz-target",
        "x-amz-copy-source",
        "x-amz-checksum-crc32",
        "x-amz-meta-a",
        "x-amz-invocation-type",
        "content-md5",
        "content-type",
        "if-match",
        "if-none-match",
        "range",
        "x-amz-acl",
        "x-amz-storage-class",
        "x-amz-metadata-directive",
        "expect",
    ];
    let values = prop_oneof![
        "AmazonSQS\\.(ReceiveMessage|SendMessage|ListQueues|GetQueueAttributes|StartMessageMoveTask|[A-Z][a-z]{0,5})",
        "/?vod/(input/a\\.mp4|a|%[0-9A-F]{2})",
        "bytes=[0-9]{0,20}-[0-9]{0,20}",
        "\"[a-z]{0,4}\"|\\*",
        "RequestResponse|Event|DryRun|REPLACE|COPY|GLACIER|public-read",
        "[!-~]{0,12}",
    ];
    prop::collection::vec((prop::sample::select(names.to_vec()), values), 0..4)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let job = json!({"role": "arn:aws:iam::000000000000:role/r", "settings": {"inputs": [{"fileInput": "s3://vod/x"}],
        "outputGroups": [{"outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
            "fileGroupSettings": {"destination": "s3://vod/output/x"}},
            "outputs": [{"containerSettings": {"container": "MP4"}, "audioDescriptions": [{}]}]}]}});
    let documents = [
        job,
        json!({"inputFiles": [{"fileUrl": "x"}]}),
        json!({"QueueUrl": format!("http://{HOST}/000000000000/uploads"), "MessageBody": "x", "MaxNumberOfMessages": 1}),
        json!({"SourceArn": "arn:aws:sqs:us-east-1:000000000000:uploads-dlq", "MaxResults": 1}),
        Value::Null,
    ];
    let xml = [
        "<Delete><Object><Key>a</Key></Object></Delete>",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"e\"</ETag></Part></CompleteMultipartUpload>",
        "<InvalidationBatch><CallerReference>x</CallerReference><Paths><Quantity>1</Quantity><Items><Path>/*</Path>\
         </Items></Paths></InvalidationBatch>",
    ];
    let texts: Vec<String> = documents
        .iter()
        .map(Value::to_string)
        .chain(xml.into_iter().map(str::to_owned))
        .collect();
    let broken = (
        prop::sample::select(texts.clone()),
        any::<prop::sample::Index>(),
        any::<u8>(),
    );
    let broken = broken.prop_map(|(text, at, byte)| {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    prop_oneof![
        1 => Just(Vec::new()),
        2 => prop::sample::select(texts).prop_map(String::into_bytes),
        2 => broken,
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// `None` if HTTP has no such request, or it cannot be signed.
fn made(
    method: &Method,
    target: &str,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
    service: Option<&str>,
) -> Option<Request<Body>> {
    let uri: Uri = format!("http://{HOST}{target}").parse().ok()?;
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri;
    let all = request.headers_mut();
    all.insert("host", HeaderValue::from_static(HOST));
    for (name, value) in headers {
        all.append(*name, value.parse().ok()?);
    }
    if let Some(service) = service {
        SHARED.keys.sign(service, &mut request, SystemTime::now()).ok()?;
    }
    *request.uri_mut() = target.parse().ok()?;
    Some(request.map(Body::from))
}

fn send(request: Request<Body>) -> (StatusCode, String) {
    SHARED.runtime.block_on(async {
        let answer = SHARED.api.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    })
}

proptest! {
    #[test]
    fn no_request_to_the_api_is_a_fault_of_ours(
        method in prop::sample::select(vec![Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD, Method::OPTIONS]),
        path in path(), query in query(), headers in headers(), body in body(),
        service in prop::sample::select(vec![None, Some("s3"), Some("mediaconvert"), Some("sqs"), Some("lambda"), Some("cloudfront")]),
    ) {
        let question = if query.is_empty() { "" } else { "?" };
        let target = format!("{path}{question}{query}");
        if let Some(request) = made(&method, &target, &headers, body, service) {
            let (status, text) = send(request);
            let fine = status.as_u16() < 500 || status == StatusCode::NOT_IMPLEMENTED;
            prop_assert!(fine, "{} {} {:?}: {} {}", method, target, headers, status, text);
            prop_assert!(service.is_some() || !status.is_success(), "{} {} needs no signature", method, target);
        }
    }
}
