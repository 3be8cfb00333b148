//! One signer, three assets, a clock that stands still.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use signer::{App, Parts, Scheme};
use tower::ServiceExt;
use vod_aws::{AwsConfig, Catalog};
use vod_core::asset::AssetId;
use vod_core::cloudfront::{Keyring, Policy, sign};
use vod_core::grant::Grant;
use vod_core::keys::record_key;
use vod_core::newest::Entry;
use vod_core::record::Record;
use vod_http::Secret;
use vod_http::auth::{Auth, Expected};

pub(crate) const NOW: i64 = 1_767_225_600;
pub(crate) const HOST: &str = "127.0.0.1:8080";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
const P256: &str = include_str!("../../../../crates/vod-core/testdata/cloudfront/p256.pkcs8.pem");
const P256_PUBLIC: &str = include_str!("../../../../crates/vod-core/testdata/cloudfront/p256.spki.pem");

pub(crate) struct World {
    router: Router,
    calls: crate::s3::Calls,
    pub(crate) keyring: Arc<Keyring>,
    /// COMPLETE, the older version of its upload.
    pub(crate) film: String,
    /// COMPLETE, the newer version.
    pub(crate) newer: String,
    /// The newest version, which is not done.
    pub(crate) running: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) fn token(claims: &Value) -> String {
    let mut claims = claims.clone();
    claims["exp"] = (NOW + 600).into();
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    format!("Bearer {}", encode(&Header::default(), &claims, &key).unwrap())
}

pub(crate) fn everything() -> String {
    token(&json!({"scope": "playback library"}))
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::among(&[]).await
    }

    /// The three assets, and one COMPLETE asset for each of these keys.
    pub(crate) async fn among(keys: &[&str]) -> Self {
        let id = |etag| AssetId::new("vod", "input/my film.mp4", None, etag);
        let (film, newer, running) = (id("1"), id("2"), id("3"));
        let mut objects = BTreeMap::new();
        for (id, state, sequencer) in [
            (&film, "COMPLETE", "01"),
            (&newer, "COMPLETE", "02"),
            (&running, "PROGRESSING", "03"),
        ] {
            let mut record = record(id, state, sequencer);
            if state != "COMPLETE"
                && let Some(members) = record.as_object_mut()
            {
                members.remove("outputs");
            }
            objects.insert(record_key(id), record.to_string().into_bytes());
        }
        for (second, key) in (1..).zip(keys) {
            let id = AssetId::new("vod", key, None, "1");
            let mut record = record(&id, "COMPLETE", "01");
            record["source"]["key"] = (*key).into();
            record["created_at"] = format!("2026-01-01T00:00:{second:02}Z").into();
            objects.insert(record_key(&id), record.to_string().into_bytes());
        }
        let records: Vec<Record> = objects
            .values()
            .map(|record| serde_json::from_slice(record).unwrap())
            .collect();
        for record in records {
            objects.insert(Entry::new(record.created_at, &record.id).key(), b"null".to_vec());
        }
        // Entries that were left: the record of one was deleted, that of the other was made again.
        let gone = AssetId::new("vod", "input/gone.mp4", None, "1");
        for id in [&gone, &film] {
            objects.insert(Entry::new(Timestamp::MAX, id).key(), b"null".to_vec());
        }
        let folder = format!("output/{film}/default");
        for (name, text) in [
            (
                "hls/video.m3u8",
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo_360.m3u8\n".to_owned(),
            ),
            (
                "hls/video_360.m3u8",
                format!(
                    "#EXTM3U\n{}#EXT-X-ENDLIST\n",
                    "#EXTINF:6,\nvideo_360_00001.ts\n".repeat(100)
                ),
            ),
            (
                "hls/evil.m3u8",
                "#EXTM3U\n../../../../input/my%20film.mp4\n".to_owned(),
            ),
            (
                "cmaf/video.mpd",
                "<?xml version=\"1.0\"?>\n<MPD><SegmentTemplate media=\"v_$Number%09d$.cmfv\"/></MPD>\n"
                    .to_owned(),
            ),
            ("hls/page.m3u8", "<html>".to_owned()),
            ("hls/large.m3u8", format!("#EXTM3U\n{}", "#\n".repeat(2 << 20))),
            ("hls/video_360_00001.ts", "ts".to_owned()),
        ] {
            objects.insert(format!("{folder}/{name}"), text.into_bytes());
        }
        objects.insert(format!("{folder}/hls/binary.m3u8"), b"#EXTM3U\n\xff".to_vec());
        Self::with(objects, [film, newer, running].map(|id| id.to_string())).await
    }

    async fn with(objects: BTreeMap<String, Vec<u8>>, [film, newer, running]: [String; 3]) -> Self {
        let calls = crate::s3::Calls::default();
        let aws = AwsConfig {
            region: "us-east-1".to_owned(),
            access_key_id: "key".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
            s3_endpoint: Some(crate::s3::serve(objects, calls.clone()).await),
            mediaconvert_endpoint: None,
        };
        let s3 = vod_aws::s3(&aws);
        let secret = json!({"active": "K2", "keys": [
            {"id": "K2", "algorithm": "ES256", "private_pem": P256, "public_pem": P256_PUBLIC}
        ]});
        let keyring = Arc::new(Keyring::from_json(&secret.to_string()).unwrap());
        let app = App::new(Parts {
            catalog: Catalog::new(s3.clone(), "vod".to_owned()),
            outputs: vod_aws::Bucket::new(s3, "vod"),
            bucket: "vod".to_owned(),
            signing: Secret::watched(tokio::sync::watch::channel(keyring.clone()).1),
            auth: Secret::fixed(Auth::hs256(SECRET, Expected::default()).unwrap()),
            scheme: Scheme::Http,
            clock: Arc::new(|| Timestamp::from_second(NOW).unwrap()),
        });
        Self {
            router: signer::router(app),
            calls,
            keyring,
            film,
            newer,
            running,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// The calls to S3 since the last look.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// A GET as the edge forwards it.
    pub(crate) async fn get(&self, path: &str, authorization: &str) -> Answer {
        self.send(request("GET", path, authorization)).await
    }

    /// The grant of a link to the older film, made with these parameters.
    pub(crate) async fn grant(&self, parameters: &str) -> String {
        let path = format!("/api/playback?asset={}{parameters}", self.film);
        let answer = self.get(&path, &everything()).await;
        let hls = answer.json()["hls"].as_str().unwrap().to_owned();
        hls.split("/play/")
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned()
    }

    /// A grant for the older film that ends at `expires`, signed without asking.
    pub(crate) fn grant_until(&self, expires: i64) -> String {
        let resource = Some(format!("http://{HOST}/output/{}/*", self.film));
        let policy = Policy {
            resource,
            expires,
            not_before: None,
            source: None,
        };
        Grant::from(sign(&self.keyring, &policy).unwrap()).encode()
    }
}

pub(crate) fn request(method: &str, path: &str, authorization: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "signer.lambda-url")
        .header("x-viewer-host", HOST)
        .header("cloudfront-viewer-address", "192.0.2.7:4711");
    if !authorization.is_empty() {
        request = request.header("x-viewer-authorization", authorization);
    }
    request.body(Body::empty()).unwrap()
}

fn record(id: &AssetId, state: &str, sequencer: &str) -> Value {
    let folder = format!("output/{id}/default");
    json!({"schema": 1, "id": id, "state": state, "progress": 40, "title": "my film",
        "source": {"bucket": "vod", "key": "input/my film.mp4", "etag": "e", "size": 9,
            "uploaded_at": "2026-01-01T00:00:00Z", "sequencer": sequencer, "duration_ms": 7000},
        "outputs": [{"template": "default", "prefix": format!("{folder}/"),
            "hls": {"master": format!("{folder}/hls/video.m3u8"),
                "variants": [{"key": format!("{folder}/hls/video_360.m3u8"), "width": 640, "height": 360, "duration_ms": 7000}]},
            "dash": {"manifest": format!("{folder}/cmaf/video.mpd")},
            "mp4": [{"key": format!("{folder}/mp4/video.mp4"), "width": 1280, "height": 720, "duration_ms": 7000}],
            "thumbnails": {"pattern": format!("{folder}/thumbnails/video.%07d.jpg"), "first": 0, "count": 2,
                "interval_ms": 5000, "poster": format!("{folder}/thumbnails/video.0000001.jpg")}}],
        "lease": {"holder": "h", "until": "2026-01-01T00:00:00Z"},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
}
