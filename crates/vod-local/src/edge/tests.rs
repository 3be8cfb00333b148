//! The edge over sockets, with the real S3 and the real signer behind it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_s3::primitives::ByteStream;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use serde_json::{Value, json};
use signer::auth::{Auth, Expected};
use signer::{App, Parts as SignerParts, Scheme, Secret};
use tokio::net::TcpListener;
use vod_aws::{AwsConfig, Catalog};
use vod_core::asset::AssetId;
use vod_core::cloudfront::{Keyring, Policy, Signature, sign};

use super::*;
use crate::db::Db;
use crate::lambda::{Functions, Limits};
use crate::queue::Queues;
use crate::s3::{S3Options, S3Service};

const NOW: i64 = 1_767_225_600;
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PEMS: [(&str, &str); 4] = [
    (
        "ES256",
        include_str!("../../../vod-core/testdata/cloudfront/p256.pkcs8.pem"),
    ),
    (
        "ES256",
        include_str!("../../../vod-core/testdata/cloudfront/p256.spki.pem"),
    ),
    (
        "RS256",
        include_str!("../../../vod-core/testdata/cloudfront/rsa2048.pkcs8.pem"),
    ),
    (
        "RS256",
        include_str!("../../../vod-core/testdata/cloudfront/rsa2048.spki.pem"),
    ),
];

struct World {
    _state: tempfile::TempDir,
    edge: SocketAddr,
    asset: String,
    /// Seconds that have passed since [`NOW`].
    clock: Arc<AtomicI64>,
    signing: watch::Sender<Arc<Keyring>>,
    trusted: watch::Sender<Arc<PublicKeys>>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn keyring(active: &str) -> Keyring {
    let key = |id, at: usize| json!({"id": id, "algorithm": PEMS[at].0, "private_pem": PEMS[at].1, "public_pem": PEMS[at + 1].1});
    let secret = json!({"active": active, "keys": [key("K2P256", 0), key("K2RSA", 2)]});
    Keyring::from_json(&secret.to_string()).unwrap()
}

fn token() -> String {
    let claims = json!({"exp": NOW + 999_999, "scope": "playback library"});
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    format!(
        "Bearer {}",
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    )
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn run(listener: TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
}

impl World {
    async fn new() -> Self {
        Self::at(None).await
    }

    async fn at(edge_url: Option<&str>) -> Self {
        let state = tempfile::tempdir().unwrap();
        let (seconds, system) = (Arc::new(AtomicI64::new(0)), crate::clock::system());
        let passed = seconds.clone();
        let clock: Clock =
            Arc::new(move || Timestamp::from_second(NOW + passed.load(Ordering::Relaxed)).unwrap());

        let (api, api_address) = listen().await;
        let api_url = format!("http://{api_address}");
        let keys = Keys {
            access_key: "vod".into(),
            secret_key: "secret".into(),
            region: "us-east-1".into(),
        };
        let db = Db::open(&state.path().join("vod.db")).unwrap();
        let queues = Queues::open(db.clone(), system.clone()).await.unwrap();
        let options = S3Options {
            access_key: keys.access_key.clone(),
            secret_key: keys.secret_key.clone(),
            region: keys.region.clone(),
            notifications: Vec::new(),
            cors_origins: Vec::new(),
            clock: system,
        };
        let s3 = S3Service::open(db, queues, state.path(), options).await.unwrap();
        s3.ensure_bucket("vod").await.unwrap();
        let aws = AwsConfig {
            region: keys.region.clone(),
            access_key_id: keys.access_key.clone(),
            secret_access_key: keys.secret_key.clone(),
            session_token: None,
            s3_endpoint: Some(api_url.clone()),
            mediaconvert_endpoint: None,
        };
        let client = vod_aws::s3(&aws);
        let (signing, keyring_now) = watch::channel(Arc::new(keyring("K2P256")));
        let app = App::new(SignerParts {
            catalog: Catalog::new(client.clone(), "vod".to_owned()),
            s3: client.clone(),
            bucket: "vod".to_owned(),
            output_bucket: "vod".to_owned(),
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
        run(api, functions.build().router(&keys).fallback_service(s3));

        let (trusted, trusted_now) = watch::channel(Arc::new(keyring("K2P256").public_keys().clone()));
        let (listener, edge) = listen().await;
        let edge_url = edge_url.map(|url| url.parse().unwrap());
        let options = EdgeOptions {
            api_url,
            bucket: "vod".into(),
            keys,
            trusted: trusted_now,
            edge_url,
            clock,
        };
        run(listener, router(options));

        let id = AssetId::new("vod", "input/my film.mp4", None, "1");
        fill(&client, &id).await;
        Self {
            _state: state,
            edge,
            asset: id.to_string(),
            clock: seconds,
            signing,
            trusted,
        }
    }

    /// Sends a request; the URI is not normalised on its way.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
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

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[]).await
    }

    fn signature(&self, expires: i64) -> Signature {
        let resource = Some(format!("http://{}/output/{}/*", self.edge, self.asset));
        let policy = Policy {
            resource,
            expires,
            not_before: None,
            source: None,
        };
        sign(&keyring("K2P256"), &policy).unwrap()
    }

    fn file(&self, name: &str) -> String {
        format!("/output/{}/default/{name}", self.asset)
    }

    /// A signed path of a file.
    fn signed(&self, name: &str) -> String {
        self.signature(NOW + 60).url(&self.file(name))
    }

    async fn playback(&self) -> Value {
        let path = format!("/api/playback?asset={}", self.asset);
        let answer = self.send("GET", &path, &[("authorization", &token())]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    fn path_of(&self, url: &Value) -> String {
        url.as_str()
            .unwrap()
            .strip_prefix(&format!("http://{}", self.edge))
            .unwrap()
            .to_owned()
    }
}

/// One COMPLETE asset, a page, and what nobody may see.
async fn fill(s3: &aws_sdk_s3::Client, id: &AssetId) {
    let folder = format!("output/{id}/default");
    let time = "2026-01-01T00:00:00Z";
    let record = json!({"schema": 1, "id": id, "state": "COMPLETE", "progress": 100, "title": "my film",
        "source": {"bucket": "vod", "key": "input/my film.mp4", "etag": "1", "size": 9, "uploaded_at": time},
        "outputs": [{"template": "default", "prefix": format!("{folder}/"),
            "hls": {"master": format!("{folder}/hls/video.m3u8"), "variants": []},
            "mp4": [{"key": format!("{folder}/mp4/video.mp4")}]}],
        "created_at": time, "updated_at": time});
    for (key, content_type, body) in [
        (
            format!("catalog/{id}.json"),
            "application/json",
            record.to_string(),
        ),
        ("input/my film.mp4".to_owned(), "video/mp4", "secret".to_owned()),
        (
            format!("{folder}/hls/video.m3u8"),
            "application/vnd.apple.mpegurl",
            "#EXTM3U\nvideo_360.m3u8\n".to_owned(),
        ),
        (
            format!("{folder}/hls/video_360.m3u8"),
            "",
            "#EXTM3U\n#EXTINF:6,\nvideo_360_00001.ts\n".to_owned(),
        ),
        (
            format!("{folder}/hls/video_360_00001.ts"),
            "",
            "0123456789".to_owned(),
        ),
        (format!("{folder}/mp4/video.mp4"), "video/mp4", "mp4".to_owned()),
        (format!("{folder}/odd/a b+c%é.jpg"), "", "odd".to_owned()),
        ("web/index.html".to_owned(), "text/html", "<html>".to_owned()),
        ("web/app.js".to_owned(), "", "js".to_owned()),
    ] {
        let content_type = (!content_type.is_empty()).then(|| content_type.to_owned());
        let body = ByteStream::from(body.into_bytes());
        s3.put_object()
            .bucket("vod")
            .key(key)
            .set_content_type(content_type)
            .body(body)
            .send()
            .await
            .unwrap();
    }
}

fn code(answer: &Answer) -> String {
    let text = answer.text();
    text.split("<Code>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .unwrap_or(&text)
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_api_to_the_last_segment() {
    let world = World::new().await;
    let body = world.playback().await;
    let master = world.path_of(&body["hls"]);
    assert_eq!(world.get(&master).await.text(), "#EXTM3U\nvideo_360.m3u8\n");
    let variant = world.get(&master.replace("video.m3u8", "video_360.m3u8")).await;
    assert_eq!(variant.header("cache-control"), "private, no-store");
    let text = variant.text();
    let segment = world.get(text.lines().last().unwrap()).await;
    assert_eq!((segment.status, segment.text()), (200, "0123456789".to_owned()));
    assert_eq!(
        world.get(&world.path_of(&body["mp4"][0]["url"])).await.text(),
        "mp4"
    );

    let cookies: Vec<_> = body["cookies"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap()))
        .collect();
    let file = world.file("mp4/video.mp4");
    assert_eq!(
        world
            .send("GET", &file, &[("cookie", &cookies.join("; "))])
            .await
            .text(),
        "mp4"
    );

    // One byte changed, nothing at all, and time gone by.
    assert_eq!(code(&world.get(&file).await), "MissingKey");
    let grant = master.split('/').nth(2).unwrap();
    let at = grant.find('.').unwrap() + 10;
    let changed = format!(
        "{}{}{}",
        &grant[..at],
        if &grant[at..=at] == "A" { "B" } else { "A" },
        &grant[at + 1..]
    );
    assert_eq!(
        code(&world.get(&master.replace(grant, &changed)).await),
        "AccessDenied"
    );
    world.clock.store(6 * 3_600, Ordering::Relaxed);
    for path in [master.as_str(), text.lines().last().unwrap()] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, code(&answer)), (403, "AccessDenied".to_owned()));
        assert_eq!(answer.header("content-type"), "text/xml");
        assert_eq!(answer.header("x-cache"), "Error from cloudfront");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_served_as_cloudfront_does() {
    let world = World::new().await;
    let url = world.signed("hls/video_360_00001.ts");
    let whole = world.get(&url).await;
    assert_eq!(
        whole.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(whole.header("content-type"), "video/mp2t");
    assert_eq!(whole.header("x-cache"), "Miss from cloudfront");
    assert_eq!(
        (whole.header("content-length"), whole.header("accept-ranges")),
        ("10", "bytes")
    );
    assert!(
        !whole
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("x-amz"))
    );
    let etag = whole.header("etag").to_owned();

    for (headers, status, body, range) in [
        (vec![("range", "bytes=2-4")], 206, "234", "bytes 2-4/10"),
        (vec![("range", "bytes=7-")], 206, "789", "bytes 7-9/10"),
        (vec![("range", "bytes=-2")], 206, "89", "bytes 8-9/10"),
        (
            vec![("range", "bytes=2-4"), ("if-range", etag.as_str())],
            206,
            "234",
            "bytes 2-4/10",
        ),
        (
            vec![("range", "bytes=2-4"), ("if-range", "\"other\"")],
            200,
            "0123456789",
            "",
        ),
        (
            vec![("range", "bytes=2-4"), ("if-range", "W/\"other\"")],
            200,
            "0123456789",
            "",
        ),
        (vec![("if-none-match", "\"other\"")], 200, "0123456789", ""),
        (vec![("if-none-match", etag.as_str())], 304, "", ""),
    ] {
        let answer = world.send("GET", &url, &headers).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, body),
            "{headers:?}"
        );
        assert_eq!(answer.header("content-range"), range);
        assert!(answer.header("cache-control").contains("immutable"));
    }
    let beyond = world.send("GET", &url, &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status, beyond.header("cache-control")), (416, ""));
    let head = world.send("HEAD", &url, &[]).await;
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, "10", 0)
    );
    let missing = world.get(&world.signed("hls/none.ts")).await;
    assert_eq!(
        (missing.status, code(&missing), missing.header("cache-control")),
        (404, "NoSuchKey".to_owned(), "")
    );
    let odd = world.get(&world.signed("odd/a%20b+c%25%C3%A9.jpg")).await;
    assert_eq!(
        (odd.text().as_str(), odd.header("content-type")),
        ("odd", "image/jpeg")
    );
    let playlist = world.get(&world.signed("hls/video_360.m3u8")).await;
    assert_eq!(playlist.header("content-type"), "application/vnd.apple.mpegurl");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_within_reach() {
    let world = World::new().await;
    let query = world.signature(NOW + 60).query();
    let asset = &world.asset;
    for path in [
        "/input/my%20film.mp4",
        "/catalog/",
        "/jobs/x.json",
        "/output",
        "/vod/input/my%20film.mp4",
        "/lambda-url/signer/api/assets",
        "/2017-08-29/jobs",
        "/OUTPUT/x",
        "/%6futput/x",
        "/web",
        "/index.html",
        "/favicon.ico",
        "/web/../catalog/x.json",
        "/web/%2e%2e/catalog/x.json",
        "/web/..%2fcatalog/x.json",
        "/web//index.html",
        "/web/%5c..%5ccatalog",
        "/web/%00",
        "//web/index.html",
        "/api/../catalog/x",
        "/play/x/../../catalog/x",
        &format!("/output/{asset}/../../input/my%20film.mp4?{query}"),
        &format!("/output/{asset}/%2e%2e/%2e%2e/input/my%20film.mp4?{query}"),
        &format!("/output/{asset}/..%2f..%2finput/my%20film.mp4?{query}"),
        &format!("/output/{asset}%2fdefault/mp4/video.mp4?{query}"),
        &format!("/output/{asset}//default/mp4/video.mp4?{query}"),
        &format!("/output/other/default/mp4/video.mp4?{query}"),
        &format!("/output/{asset}x/default/mp4/video.mp4?{query}"),
        &format!("/input/my%20film.mp4?{query}"),
    ] {
        let answer = world.get(path).await;
        assert_eq!(
            (answer.status, code(&answer)),
            (403, "AccessDenied".to_owned()),
            "{path}"
        );
        assert_eq!(answer.header("server"), "CloudFront");
    }
    // A query never reaches the bucket, so it lists nothing and grants nothing.
    for path in [
        "/web/?list-type=2",
        "/web/index.html?acl",
        "/web/none?versionId=x",
    ] {
        let text = world.get(path).await.text();
        assert!(
            !text.contains("ListBucketResult") && !text.contains("AccessControlPolicy"),
            "{path}: {text}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        assert_eq!(world.send(method, "/web/index.html", &[]).await.status, 403);
    }
    assert_eq!(world.send("OPTIONS", "/web/index.html", &[]).await.status, 403);
    let signed = world.signed("mp4/video.mp4");
    assert_eq!(
        code(&world.send("GET", &signed, &[("host", "evil.example.com")]).await),
        "AccessDenied"
    );
    assert_eq!(world.send("GET", &signed, &[("host", "a b")]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_counts_before_cookies() {
    let world = World::new().await;
    let cookies = world.signature(NOW + 60).cookies();
    let cookies = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("; ");
    let file = world.file("mp4/video.mp4");
    let with = async |path: &str| world.send("GET", path, &[("cookie", &cookies)]).await;
    assert_eq!(with(&file).await.status, 200);
    assert_eq!(code(&with(&format!("{file}?Policy=x")).await), "MissingKey");
    assert_eq!(
        code(&with(&format!("{file}?Key-Pair-Id=K2P256")).await),
        "MissingSignature"
    );
    let expired = world.signature(NOW).url(&file);
    assert_eq!(code(&with(&expired).await), "AccessDenied");
    assert_eq!(
        code(&with(&expired.replace("K2P256", "K2NONE")).await),
        "InvalidKey"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_sees_what_the_edge_says() {
    let world = World::new().await;
    let path = format!("/api/playback?asset={}", world.asset);
    // What a client sends under the edge's own names is overwritten or dropped.
    let forged = [("x-viewer-host", "evil.example.com"), ("authorization", &token())];
    let answer = world.send("GET", &path, &forged).await;
    assert!(
        answer.json()["hls"]
            .as_str()
            .unwrap()
            .starts_with(&format!("http://{}/play/", world.edge))
    );
    assert_eq!(
        world
            .send("GET", &path, &[("x-viewer-authorization", &token())])
            .await
            .status,
        401
    );
    // The signature's parameters are taken away, the others stay.
    let answer = world
        .send(
            "GET",
            &format!("{path}&Policy=x&ttl_seconds=0&Expires=1"),
            &[("authorization", &token())],
        )
        .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (400, "application/problem+json")
    );
    assert_eq!(answer.header("x-cache"), "Error from cloudfront");
    // The viewer's address is in the policy, and is ours.
    let answer = world
        .send(
            "GET",
            &format!("{path}&ip=127.0.0.1"),
            &[("authorization", &token())],
        )
        .await;
    assert_eq!(world.get(&world.path_of(&answer.json()["hls"])).await.status, 200);
    let answer = world
        .send(
            "GET",
            &format!("{path}&ip=192.0.2.1"),
            &[("authorization", &token())],
        )
        .await;
    let forged = [
        ("cloudfront-viewer-address", "192.0.2.1:1"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    assert_eq!(
        world
            .send("GET", &world.path_of(&answer.json()["hls"]), &forged)
            .await
            .status,
        403
    );
    let options = world.send("OPTIONS", "/api/assets", &[]).await;
    assert_eq!((options.status, options.header("allow")), (405, "GET,HEAD"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_breaks_nobody() {
    let world = World::new().await;
    let before = world.playback().await;
    world.signing.send_replace(Arc::new(keyring("K2RSA")));
    let after = world.playback().await;
    assert_eq!(after["cookies"]["CloudFront-Key-Pair-Id"], "K2RSA");
    for body in [&before, &after] {
        assert_eq!(world.get(&world.path_of(&body["hls"])).await.status, 200);
        assert_eq!(
            world.get(&world.path_of(&body["mp4"][0]["url"])).await.status,
            200
        );
    }
    // When the old key leaves the key group, what it signed ends.
    let mut keys = PublicKeys::default();
    keys.insert(
        "K2RSA".to_owned(),
        keyring("K2RSA").public_keys().get("K2RSA").unwrap().clone(),
    );
    world.trusted.send_replace(Arc::new(keys));
    assert_eq!(
        code(&world.get(&world.path_of(&before["mp4"][0]["url"])).await),
        "InvalidKey"
    );
    assert_eq!(
        world.get(&world.path_of(&after["mp4"][0]["url"])).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_health() {
    let world = World::new().await;
    assert_eq!(world.get("/healthz").await.text(), "ok\n");
    for path in ["/", "/web/index.html"] {
        let page = world.get(path).await;
        assert_eq!(
            (page.text().as_str(), page.header("content-type")),
            ("<html>", "text/html")
        );
        assert_eq!(page.header("cache-control"), "no-cache");
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'self'")
        );
    }
    assert_eq!(
        world.get("/web/app.js").await.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(world.get("/web/none.js").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_another_name() {
    let world = World::at(Some("https://video.example.org")).await;
    let body = world.playback().await;
    let hls = body["hls"].as_str().unwrap();
    let path = hls.strip_prefix("https://video.example.org").unwrap();
    let variant = world
        .get(&path.replace("video.m3u8", "video_360.m3u8"))
        .await
        .text();
    assert_eq!(
        world.get(variant.lines().last().unwrap()).await.text(),
        "0123456789"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_gone_is_a_502() {
    let (listener, address) = listen().await;
    drop(listener);
    let keys = Keys {
        access_key: "vod".into(),
        secret_key: "secret".into(),
        region: "us-east-1".into(),
    };
    let trusted = watch::channel(Arc::new(PublicKeys::default())).1;
    let options = EdgeOptions {
        api_url: format!("http://{address}"),
        bucket: "vod".into(),
        keys,
        trusted,
        edge_url: None,
        clock: crate::clock::system(),
    };
    for path in ["/web/x", "/api/assets"] {
        let request = http::Request::get(path)
            .header("host", "e")
            .body(axum::body::Body::empty())
            .unwrap();
        let response = tower::ServiceExt::oneshot(router(options.clone()), request)
            .await
            .unwrap();
        assert_eq!(response.status(), 502);
    }
}
