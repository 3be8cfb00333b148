//! The edge over sockets, with the real S3 and the real signer behind it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use local_base::access::{AccessLog, Port};
use local_lambda::{Functions, Limits};
use serde_json::{Value, json};
use signer::{App, Parts as SignerParts, Scheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use vod_aws::Catalog;
use vod_core::asset::AssetId;
use vod_core::cloudfront::{Keyring, Policy, Signature, sign};
use vod_http::Secret;
use vod_http::auth::{Auth, Expected};
use vod_testkit::{TestState, aws, keys};

use super::*;

pub(super) const NOW: i64 = 1_767_225_600;
pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// How long the edge may keep a silent connection open.
const TIMEOUT: Duration = Duration::from_secs(2);
const FILM: &str = "input/my film.mp4";
pub(super) const PEMS: [(&str, &str); 4] = [
    (
        "ES256",
        include_str!("../../vod-core/testdata/cloudfront/p256.pkcs8.pem"),
    ),
    (
        "ES256",
        include_str!("../../vod-core/testdata/cloudfront/p256.spki.pem"),
    ),
    (
        "RS256",
        include_str!("../../vod-core/testdata/cloudfront/rsa2048.pkcs8.pem"),
    ),
    (
        "RS256",
        include_str!("../../vod-core/testdata/cloudfront/rsa2048.spki.pem"),
    ),
];

pub(super) struct TestEdge {
    _state: TestState,
    pub(super) edge: SocketAddr,
    pub(super) api: SocketAddr,
    /// COMPLETE.
    pub(super) asset: String,
    /// COMPLETE, and not covered by the links under test.
    pub(super) other: String,
    /// PROGRESSING.
    pub(super) running: String,
    /// Seconds that have passed since [`NOW`].
    pub(super) clock: Arc<AtomicI64>,
    pub(super) signing: watch::Sender<Arc<Keyring>>,
    pub(super) trusted: watch::Sender<Arc<PublicKeys>>,
    pub(super) cache: Cache,
    pub(super) s3: aws_sdk_s3::Client,
    log: std::path::PathBuf,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(super) fn keyring(active: &str) -> Keyring {
    let key = |id, at: usize| json!({"id": id, "algorithm": PEMS[at].0, "private_pem": PEMS[at].1, "public_pem": PEMS[at + 1].1});
    let secret = json!({"active": active, "keys": [key("K2P256", 0), key("K2RSA", 2)]});
    Keyring::from_json(&secret.to_string()).unwrap()
}

/// A good token with these claims beside its end.
pub(super) fn token_with(claims: &Value) -> String {
    let mut all = json!({"exp": NOW + 999_999});
    all.as_object_mut()
        .unwrap()
        .extend(claims.as_object().unwrap().clone());
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    format!(
        "Bearer {}",
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &all, &key).unwrap()
    )
}

pub(super) fn token() -> String {
    token_with(&json!({"scope": "playback library"}))
}

pub(super) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(super) fn run(listener: TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
}

pub(super) struct Download(hyper::body::Incoming);

impl Download {
    /// The next piece; `None` is the end.
    pub(super) async fn chunk(&mut self) -> Option<bytes::Bytes> {
        let frame = self.0.frame().await?;
        Some(frame.unwrap().into_data().unwrap())
    }
}

impl TestEdge {
    pub(super) async fn new() -> Self {
        Self::at(None).await
    }

    pub(super) async fn at(edge_url: Option<&str>) -> Self {
        Self::shared_with(&[], edge_url).await
    }

    /// With the origins of other sites whose pages may use it.
    pub(super) async fn shared_with(origins: &[&str], edge_url: Option<&str>) -> Self {
        let state = TestState::new().await;
        let seconds = Arc::new(AtomicI64::new(0));
        let passed = seconds.clone();
        let clock: Clock =
            Arc::new(move || Timestamp::from_second(NOW + passed.load(Ordering::Relaxed)).unwrap());

        let (api, api_address) = listen().await;
        let api_url = format!("http://{api_address}");
        let keys = keys();
        let s3 = state.s3().await;
        let client = vod_aws::s3(&aws(&api_url));
        let (signing, keyring_now) = watch::channel(Arc::new(keyring("K2P256")));
        let app = App::new(SignerParts {
            catalog: Catalog::new(client.clone(), "vod".to_owned()),
            outputs: vod_aws::Bucket::new(client.clone(), "vod"),
            bucket: "vod".to_owned(),
            signing: Secret::watched(keyring_now),
            auth: Secret::fixed(Auth::hs256(SECRET, Expected::default()).unwrap()),
            scheme: if edge_url.is_some() {
                Scheme::Https
            } else {
                Scheme::Http
            },
            clock: clock.clone(),
        });
        let functions =
            Functions::builder("us-east-1").http("signer", Limits::default(), signer::router(app));
        let log = state.file("access.log");
        let access = AccessLog::open(&log).unwrap();
        let api_router = functions.build().router(&keys).fallback_service(s3);
        run(api, access.watch(api_router, Port::Api));

        let cache = Cache::default();
        let (trusted, trusted_now) = watch::channel(Arc::new(keyring("K2P256").public_keys().clone()));
        let (listener, edge) = listen().await;
        let edge_url = edge_url.map(|url| url.parse().unwrap());
        let options = EdgeOptions {
            api_url,
            bucket: "vod".into(),
            keys,
            trusted: trusted_now,
            edge_url,
            allowed_origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
            cache: cache.clone(),
            clock,
        };
        run(listener, access.watch(router(options), Port::Edge));

        let id = |key| AssetId::new("vod", key, None, "1");
        let (film, other, running) = (id(FILM), id("input/other.mp4"), id("input/running.mp4"));
        put_asset(&client, &film, "COMPLETE", FILM).await;
        put_asset(&client, &other, "COMPLETE", "input/other.mp4").await;
        put_asset(&client, &running, "PROGRESSING", "input/running.mp4").await;
        put(&client, FILM, "video/mp4", "secret").await;
        put(&client, "web/index.html", "text/html", "<html>").await;
        put(&client, "web/app.js", "", "js").await;
        Self {
            _state: state,
            edge,
            api: api_address,
            asset: film.to_string(),
            other: other.to_string(),
            running: running.to_string(),
            clock: seconds,
            signing,
            trusted,
            cache,
            s3: client,
            log,
        }
    }

    /// What the access log holds.
    pub(super) fn access_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a request; the URI is not normalised on its way.
    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.edge));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// A download that is read piece by piece.
    pub(super) async fn open(&self, path: &str) -> Download {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
        let uri = format!("http://{}{path}", self.edge).parse().unwrap();
        let response = client.get(uri).await.unwrap();
        assert_eq!(response.status(), 200);
        Download(response.into_body())
    }

    /// Sends these very bytes, and returns what comes back until the edge closes the connection.
    pub(super) async fn raw(&self, bytes: &[u8]) -> String {
        let (mut read, mut write) = TcpStream::connect(self.edge).await.unwrap().into_split();
        let bytes = bytes.to_vec();
        // The edge may answer, and close, before it has read everything.
        let sent = tokio::spawn(async move { write.write_all(&bytes).await.map(|()| write) });
        let mut answer = Vec::new();
        // Of what is no request at all, a server may wait for the rest.
        let _ = tokio::time::timeout(TIMEOUT, read.read_to_end(&mut answer)).await;
        drop(sent);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A question to the signer, with a good token unless `authorization` says otherwise.
    pub(super) async fn ask(&self, path: &str, authorization: Option<&str>) -> Answer {
        let good = token();
        self.send("GET", path, &[("authorization", authorization.unwrap_or(&good))])
            .await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[]).await
    }

    /// The same, for a path that is not cached.
    pub(super) async fn get_owned(&self, path: String) -> Answer {
        self.get(&path).await
    }

    pub(super) fn signature(&self, expires: i64) -> Signature {
        let resource = Some(format!("http://{}/output/{}/*", self.edge, self.asset));
        let policy = Policy {
            resource,
            expires,
            not_before: None,
            source: None,
        };
        sign(&keyring("K2P256"), &policy).unwrap()
    }

    pub(super) fn file(&self, name: &str) -> String {
        format!("/output/{}/default/{name}", self.asset)
    }

    /// A signed path of a file.
    pub(super) fn signed(&self, name: &str) -> String {
        self.signature(NOW + 60).url(&self.file(name))
    }

    pub(super) async fn playback(&self) -> Value {
        let path = format!("/api/playback?asset={}", self.asset);
        let answer = self.send("GET", &path, &[("authorization", &token())]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub(super) fn path_of(&self, url: &Value) -> String {
        url.as_str()
            .unwrap()
            .strip_prefix(&format!("http://{}", self.edge))
            .unwrap()
            .to_owned()
    }
}

/// The record and the outputs of one asset.
async fn put_asset(s3: &aws_sdk_s3::Client, id: &AssetId, state: &str, key: &str) {
    let folder = format!("output/{id}/default");
    let time = "2026-01-01T00:00:00Z";
    let mut record = json!({"schema": 1, "id": id, "state": state, "progress": 100, "title": "my film",
        "source": {"bucket": "vod", "key": key, "etag": "1", "size": 9, "uploaded_at": time},
        "created_at": time, "updated_at": time});
    if state == "COMPLETE" {
        record["outputs"] = json!([{"template": "default", "prefix": format!("{folder}/"),
            "hls": {"master": format!("{folder}/hls/video.m3u8"), "variants": []},
            "mp4": [{"key": format!("{folder}/mp4/video.mp4")}]}]);
    }
    put(
        s3,
        &format!("catalog/{id}.json"),
        "application/json",
        &record.to_string(),
    )
    .await;
    for (name, content_type, body) in [
        (
            "hls/video.m3u8",
            "application/vnd.apple.mpegurl",
            "#EXTM3U\nvideo_360.m3u8\n",
        ),
        (
            "hls/video_360.m3u8",
            "",
            "#EXTM3U\n#EXTINF:6,\nvideo_360_00001.ts\n",
        ),
        ("hls/video_360_00001.ts", "", "0123456789"),
        ("mp4/video.mp4", "video/mp4", "mp4"),
        ("odd/a b+c%é.jpg", "", "odd"),
    ] {
        put(s3, &format!("{folder}/{name}"), content_type, body).await;
    }
}

pub(super) async fn put(s3: &aws_sdk_s3::Client, key: &str, content_type: &str, body: &str) {
    s3.put_object()
        .bucket("vod")
        .key(key)
        .set_content_type((!content_type.is_empty()).then(|| content_type.to_owned()))
        .body(ByteStream::from(body.as_bytes().to_vec()))
        .send()
        .await
        .unwrap();
}

pub(super) fn code(answer: &Answer) -> String {
    let text = answer.text();
    text.split("<Code>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .unwrap_or(&text)
        .to_owned()
}
