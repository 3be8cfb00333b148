//! S3, MediaConvert, SQS, Lambda, the signer and the edge in one process, with two films in them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use local_base::clock::{self, Clock};
use local_base::queue::QueueSettings;
use local_base::sigv4::Keys;
use local_edge::{Cache, EdgeOptions};
use local_lambda::{Functions, Limits};
use local_mediaconvert::{MediaConvert, Settings};
use local_s3::{Notification, S3Options, S3Service};
use serde_json::json;
use signer::{App, Parts, Scheme};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tower::ServiceExt as _;
use vod_aws::Catalog;
use vod_core::asset::AssetId;
use vod_core::grant::Grant;
use vod_http::Secret;
use vod_http::auth::{Auth, Expected};
use vod_local::api::Api;
use vod_local::sqs::Sqs;
use vod_testkit::{TestState, aws, keys as service_keys, listen, s3_options};

use crate::keys::{self, BUCKET, HOST, NOW};

/// In every file of the film that links are made for.
pub const FILM: &str = "film-bytes";
/// In every file of the other film.
pub const OTHER: &str = "other-bytes";
/// In uploads, templates, cursors, and in what records hide: no viewer ever sees it.
pub const SECRET: &str = "secret-bytes";

const JWT_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// `{"exp":4102444800,"scope":"playback library"}` under that secret.
const TOKEN: &str = concat!(
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.",
    "eyJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoicGxheWJhY2sgbGlicmFyeSJ9.",
    "GlcRzStK3TaDTvtaDTU28Pg1fTnUNgIHviVHgM18pUg"
);
const REGION: &str = "us-east-1";
/// Longest answer that is sensible for what is stored here, in bytes.
const ANSWER_MAX: usize = 4 << 20;

/// The stack.
pub struct Stack {
    runtime: Runtime,
    /// Lambda's container of the signer, as the edge's origin calls it.
    pub signer: Router,
    pub edge: Router,
    pub api: Router,
    keys: Keys,
    api_host: String,
    words: Vec<(&'static str, String)>,
    _state: TestState,
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Whether `word` stands anywhere in the answer.
    pub fn says(&self, word: &str) -> bool {
        let bytes = word.as_bytes();
        self.body.windows(bytes.len()).any(|window| window == bytes)
            || self.headers.values().any(|value| {
                value
                    .as_bytes()
                    .windows(bytes.len())
                    .any(|window| window == bytes)
            })
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Stack {
    /// Starts everything, on a disk that goes away with it.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let state = runtime.block_on(TestState::new());
        let keyring = Arc::new(keys::keyring());
        let keys = service_keys();
        let built = runtime.block_on(build(&state, &keys, &keyring));
        let link = keys::signature(&keyring);
        let cookies: Vec<String> = link
            .cookies()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let words = vec![
            ("{film}", keys::film().to_string()),
            ("{other}", keys::other_film().to_string()),
            ("{query}", link.query()),
            ("{cookies}", cookies.join("; ")),
            ("{grant}", Grant::from(link).encode()),
            ("{token}", TOKEN.to_owned()),
        ];
        Self {
            runtime,
            signer: built.signer,
            edge: built.edge,
            api: built.api,
            keys,
            api_host: built.api_host,
            words,
            _state: state,
        }
    }

    /// The text with its placeholders filled in.
    pub fn fill(&self, text: &str) -> String {
        self.words
            .iter()
            .fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
    }

    /// Sends a request to one of the routers, from a viewer's address.
    pub fn send(&self, router: &Router, mut request: Request<Body>) -> Answer {
        let viewer: SocketAddr = ([192, 0, 2, 7], 4711).into();
        request.extensions_mut().insert(ConnectInfo(viewer));
        self.runtime.block_on(async {
            let response = router
                .clone()
                .oneshot(request)
                .await
                .unwrap_or_else(|never| match never {});
            let (parts, body) = response.into_parts();
            let limited = http_body_util::Limited::new(body, ANSWER_MAX);
            // A body that breaks off is an answer as well: the viewer sees that it is cut.
            let body = limited
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes)
                .unwrap_or_default();
            Answer {
                status: parts.status,
                headers: parts.headers,
                body,
            }
        })
    }

    /// Signs a request to the API. `None` if no client could sign it.
    pub fn sign(&self, service: &str, mut request: Request<Bytes>) -> Option<Request<Body>> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str)
            .to_owned();
        *request.uri_mut() = format!("http://{}{path}", self.api_host).parse().ok()?;
        let host = HeaderValue::from_str(&self.api_host).ok()?;
        request.headers_mut().insert("host", host);
        if service == "s3" {
            self.sign_for_s3(&mut request)?;
        } else {
            self.keys.sign(service, &mut request, SystemTime::now()).ok()?;
        }
        *request.uri_mut() = path.parse().ok()?;
        Some(request.map(Body::from))
    }

    /// S3 signs the path as it is sent, unlike all other services.
    fn sign_for_s3(&self, request: &mut Request<Bytes>) -> Option<()> {
        let identity =
            Credentials::new(&*self.keys.access_key, &*self.keys.secret_key, None, None, "fuzz").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .ok()?
            .into();
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect::<Option<_>>()?;
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(request.body()),
        )
        .ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        instructions.apply_to_request_http1x(request);
        Some(())
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

/// A stack for a target: made when it is first needed, and again after `uses` requests, because stored objects would make runs
/// slower and slower.
pub struct Stacks {
    uses: usize,
    current: Mutex<(usize, Option<Stack>)>,
}

impl Stacks {
    /// None yet.
    pub const fn each(uses: usize) -> Self {
        Self {
            uses,
            current: Mutex::new((0, None)),
        }
    }

    /// Uses the current stack.
    pub fn with(&self, act: impl FnOnce(&Stack)) {
        let mut current = self.current.lock().expect("a panic ends the process");
        if current.0 >= self.uses {
            *current = (0, None);
        }
        current.0 += 1;
        act(current.1.get_or_insert_with(Stack::new));
    }
}

struct Built {
    signer: Router,
    edge: Router,
    api: Router,
    api_host: String,
}

async fn build(state: &TestState, keys: &Keys, keyring: &Arc<vod_core::cloudfront::Keyring>) -> Built {
    let (listener, api_url) = listen().await;
    let api_host = api_url.trim_start_matches("http://").to_owned();
    let system = clock::system();
    let still: Clock = Arc::new(|| Timestamp::from_second(NOW).expect("is a time"));
    let s3 = s3(state).await;
    let client = vod_aws::s3(&aws(&api_url));
    let app = App::new(Parts {
        catalog: Catalog::new(client.clone(), BUCKET.to_owned()),
        outputs: vod_aws::Bucket::new(client.clone(), BUCKET),
        bucket: BUCKET.to_owned(),
        signing: Secret::watched(watch::channel(keyring.clone()).1),
        auth: Secret::fixed(Auth::hs256(JWT_SECRET, Expected::default()).expect("the secret is long enough")),
        scheme: Scheme::Http,
        clock: still.clone(),
    });
    let signer = signer::router(app);
    let functions = Functions::builder(REGION)
        .function("echo", Limits::default(), |event| async move {
            Ok::<_, String>(event.payload)
        })
        .http("signer", Limits::default(), signer.clone());
    let mediaconvert = mediaconvert(client.clone(), state).await;
    let cache = Cache::default();
    let queue = QueueSettings {
        visibility_timeout: Duration::from_secs(1),
        max_receive_count: 2,
    };
    let queues = [("uploads", queue), ("job-events", queue)];
    let services = Api {
        functions: functions.build(),
        mediaconvert,
        cache: cache.clone(),
        sqs: Sqs::new(state.queues.clone(), keys.clone(), &api_url, &queues),
        s3,
    };
    let api = services.router(keys, system);
    tokio::spawn({
        let service = api.clone().into_make_service_with_connect_info::<SocketAddr>();
        async move { axum::serve(listener, service).await }
    });
    let edge = local_edge::router(EdgeOptions {
        api_url,
        bucket: BUCKET.to_owned(),
        keys: keys.clone(),
        trusted: watch::channel(Arc::new(keyring.public_keys().clone())).1,
        edge_url: None,
        allowed_origins: Vec::new(),
        cache,
        clock: still,
    });
    fill(&client).await;
    Built {
        signer,
        edge,
        api,
        api_host,
    }
}

async fn s3(state: &TestState) -> S3Service {
    let options = S3Options {
        notifications: vec![Notification {
            bucket: BUCKET.to_owned(),
            prefix: vod_core::keys::INPUT.to_owned(),
            queue: "uploads".to_owned(),
        }],
        cors_origins: vec![format!("http://{HOST}")],
        ..s3_options()
    };
    let s3 = S3Service::open(state.db.clone(), state.queues.clone(), state.path(), options)
        .await
        .expect("the store opens");
    s3.ensure_bucket(BUCKET).await.expect("a bucket is made");
    s3
}

/// Its jobs stay SUBMITTED: no worker runs.
async fn mediaconvert(s3: aws_sdk_s3::Client, state: &TestState) -> MediaConvert {
    let settings = Settings::new(REGION, "job-events", state.file("work"));
    MediaConvert::open(
        state.db.clone(),
        state.queues.clone(),
        clock::system(),
        s3,
        settings,
    )
    .await
    .expect("the jobs open")
}

async fn fill(s3: &aws_sdk_s3::Client) {
    film(s3, &keys::film(), "input/my film.mp4", FILM).await;
    film(s3, &keys::other_film(), "input/other.mp4", OTHER).await;
    for key in [
        "input/my film.mp4",
        "input/other.mp4",
        "jobs/default.json",
        "ops/cursor",
    ] {
        put(s3, key, SECRET).await;
    }
    put(s3, "web/index.html", "<html>").await;
}

/// The record and the files of one film, each with `mark` in it.
async fn film(s3: &aws_sdk_s3::Client, id: &AssetId, key: &str, mark: &str) {
    let folder = format!("output/{id}/default");
    let time = "2026-01-01T00:00:00Z";
    let record = json!({"schema": 1, "id": id, "state": "COMPLETE", "progress": 100, "title": "a film",
        "source": {"bucket": BUCKET, "key": key, "etag": "1", "size": 9, "uploaded_at": time},
        "outputs": [{"template": "default", "prefix": format!("{folder}/"),
            "hls": {"master": format!("{folder}/hls/video.m3u8"), "variants": []},
            "mp4": [{"key": format!("{folder}/mp4/video.mp4")}],
            "thumbnails": {"pattern": format!("{folder}/thumbnails/video.%07d.jpg"), "first": 0, "count": 2,
                "interval_ms": 5000, "poster": format!("{folder}/thumbnails/video.0000001.jpg")}}],
        "lease": {"holder": SECRET, "until": time}, "created_at": time, "updated_at": time});
    put(s3, &format!("catalog/{id}.json"), &record.to_string()).await;
    for (name, text) in [
        ("hls/video.m3u8", format!("#EXTM3U\n#{mark}\nvideo_360.m3u8\n")),
        (
            "hls/video_360.m3u8",
            format!("#EXTM3U\n#{mark}\n#EXTINF:6,\nvideo_360_00001.ts\n"),
        ),
        ("hls/video_360_00001.ts", mark.repeat(3)),
        ("mp4/video.mp4", mark.to_owned()),
        ("odd/a b+c%\u{e9}.jpg", mark.to_owned()),
    ] {
        put(s3, &format!("{folder}/{name}"), &text).await;
    }
}

async fn put(s3: &aws_sdk_s3::Client, key: &str, text: &str) {
    let body = text.as_bytes().to_vec();
    let put = s3.put_object().bucket(BUCKET).key(key).body(body.into());
    put.send().await.expect("an object is stored");
}
