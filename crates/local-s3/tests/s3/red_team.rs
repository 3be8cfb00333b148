//! Attempts to get from S3 what a signature does not give, over a socket. Each says which refusal it wants.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_lc_rs::hmac;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{BUCKET, TestS3};

const SECRET: &str = "vod-local-secret";
const REGION: &str = "us-east-1";
const VICTIM: &str = "input/other.mp4";

/// A request that is signed for its headers, and may then get more of them.
struct Attempt {
    request: Request<Bytes>,
}

/// How a request is signed.
struct Signing<'a> {
    region: &'a str,
    service: &'a str,
    /// Presigned for so long; by header if it is none.
    presigned: Option<Duration>,
    body: SignableBody<'a>,
}

impl Signing<'_> {
    fn header() -> Self {
        Self {
            region: REGION,
            service: "s3",
            presigned: None,
            body: SignableBody::Bytes(b"film"),
        }
    }

    fn presigned(seconds: u64) -> Self {
        Self {
            presigned: Some(Duration::from_secs(seconds)),
            body: SignableBody::UnsignedPayload,
            ..Self::header()
        }
    }
}

impl Attempt {
    fn new(method: &str, url: &str, headers: &[(&str, &str)], signing: Signing<'_>) -> Self {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Bytes::from_static(b"film")).unwrap();
        let identity = Credentials::new("vod", SECRET, None, None, "test").into();
        let mut settings = SigningSettings::default();
        if let Some(expires) = signing.presigned {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(expires);
        } else {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(signing.region)
            .name(signing.service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let signable = SignableRequest::new(method, url, headers.iter().copied(), signing.body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Self { request }
    }

    /// Adds what the signature does not know of.
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    async fn send(self) -> (u16, String) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response: Response<_> = client.request(self.request.map(Full::new)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    /// Sends the head of a request with a body of so many bytes, and waits for what is said to that alone.
    async fn announce(self, length: usize) -> String {
        let (parts, _) = self.request.into_parts();
        let authority = parts.uri.authority().unwrap();
        let target = parts.uri.path_and_query().unwrap();
        let mut head = format!(
            "{} {target} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {length}\r\n",
            parts.method
        );
        for (name, value) in &parts.headers {
            write!(head, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
        }
        let mut stream = TcpStream::connect(authority.as_str()).await.unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn assert_refused(self, status: u16, words: &str) {
        let (answered, text) = self.send().await;
        assert_eq!(answered, status, "{text}");
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
}

fn url(server: &TestS3, key: &str) -> String {
    format!("{}/{BUCKET}/{key}", server.endpoint)
}

/// Finding H2 of November 2026: with a link to upload one file, a client could copy any other into it, and read it.
#[tokio::test]
async fn headers_that_are_not_signed_do_nothing() {
    let server = TestS3::local().await;
    server.put(VICTIM, "secret").await;
    let mine = url(&server, "input/mallory.mp4");
    let source = format!("/{BUCKET}/{VICTIM}");
    for (name, value) in [
        ("x-amz-copy-source", source.as_str()),
        ("x-amz-meta-title", "forged"),
        ("x-amz-acl", "private"),
        ("x-amz-storage-class", "STANDARD"),
        ("content-md5", "QHFtlZlEgq5wDhtnu6prlA=="),
    ] {
        let words = format!("<HeadersNotSigned>{name}</HeadersNotSigned>");
        let link = Attempt::new("PUT", &mine, &[], Signing::presigned(60));
        link.with(name, value).assert_refused(403, &words).await;
        let signed = Attempt::new("PUT", &mine, &[], Signing::header());
        signed.with(name, value).assert_refused(403, &words).await;
    }
    let part = format!("{mine}?partNumber=1&uploadId=x");
    let link = Attempt::new("PUT", &part, &[], Signing::presigned(60));
    link.with("x-amz-copy-source", &source)
        .assert_refused(403, "HeadersNotSigned")
        .await;
    assert!(!server.exists("input/mallory.mp4").await);

    // What is signed works as before, and so does the hash of a body that the signer of a link could not know.
    let link = Attempt::new("PUT", &mine, &[], Signing::presigned(60));
    let (status, text) = link.with("x-amz-content-sha256", "UNSIGNED-PAYLOAD").send().await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(server.get("input/mallory.mp4").await, b"film");
    let copying = [("x-amz-copy-source", source.as_str())];
    let copy = Attempt::new("PUT", &mine, &copying, Signing::presigned(60)).body("");
    let (status, text) = copy.send().await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(server.get("input/mallory.mp4").await, b"secret");
}

#[tokio::test]
async fn a_signature_is_for_one_region_one_service_and_seven_days() {
    let server = TestS3::local().await;
    server.put(VICTIM, "secret").await;
    let url = url(&server, VICTIM);
    let week = 7 * 24 * 3600;
    let get = |signing| Attempt::new("GET", &url, &[], signing).body("");
    assert_eq!(
        get(Signing::presigned(week)).send().await,
        (200, "secret".to_owned())
    );
    get(Signing::presigned(week + 1))
        .assert_refused(400, "must be less than a week")
        .await;
    for (region, service, words) in [
        ("eu-west-1", "s3", "the region 'eu-west-1' is wrong"),
        (REGION, "sts", "incorrect service"),
    ] {
        let by_header = Signing {
            region,
            service,
            ..Signing::header()
        };
        get(by_header).assert_refused(400, words).await;
        let link = Signing {
            region,
            service,
            ..Signing::presigned(60)
        };
        get(link).assert_refused(400, words).await;
    }
    let both = get(Signing::presigned(60)).with("authorization", "AWS4-HMAC-SHA256 Credential=x");
    both.assert_refused(400, "Only one auth mechanism allowed").await;
    let second = Attempt {
        request: Request::get(&url).body(Bytes::new()).unwrap(),
    };
    second
        .with("authorization", "AWS vod:c2lnbmF0dXJl")
        .assert_refused(400, "Please use AWS4")
        .await;
}

#[tokio::test]
async fn a_document_that_is_too_large_is_refused_before_it_is_read() {
    let server = TestS3::local().await;
    let url = format!("{}/{BUCKET}?delete", server.endpoint);
    let body = SignableBody::UnsignedPayload;
    let signing = Signing {
        body,
        ..Signing::header()
    };
    let answer = Attempt::new("POST", &url, &[], signing)
        .announce(20_000_000)
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("MaxMessageLengthExceeded"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_in_chunks_ends_with_an_empty_one() {
    let server = TestS3::local().await;
    let url = url(&server, "input/chunked.mp4");
    let put = |body: &'static str| {
        let headers = [
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
            ("content-encoding", "aws-chunked"),
        ];
        let signing = Signing {
            body: SignableBody::StreamingUnsignedPayloadTrailer,
            ..Signing::header()
        };
        Attempt::new("PUT", &url, &headers, signing).body(body)
    };
    put("5\r\nhello\r\n").assert_refused(400, "IncompleteBody").await;
    assert!(!server.exists("input/chunked.mp4").await);
    let whole = put("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
    let (status, text) = whole.send().await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(server.get("input/chunked.mp4").await, b"hello");
}

/// A form upload for `key`, whose policy says all that is needed beside `conditions`.
fn form(server: &TestS3, region: &str, conditions: &str) -> Attempt {
    let now = Timestamp::now();
    let (day, time) = (
        now.strftime("%Y%m%d").to_string(),
        now.strftime("%Y%m%dT%H%M%SZ").to_string(),
    );
    let credential = format!("vod/{day}/{region}/s3/aws4_request");
    let expiration = (now + SignedDuration::from_mins(1)).strftime("%Y-%m-%dT%H:%M:%S.000Z");
    let policy = format!(
        "{{\"expiration\":\"{expiration}\",\"conditions\":[{conditions}[\"starts-with\",\"$key\",\"input/\"],\
         {{\"x-amz-algorithm\":\"AWS4-HMAC-SHA256\"}},{{\"x-amz-credential\":\"{credential}\"}},\
         {{\"x-amz-date\":\"{time}\"}}]}}"
    );
    let policy = STANDARD.encode(policy);
    let mac = |key: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let steps = [day.as_str(), region, "s3", "aws4_request", &policy];
    let signature = steps
        .iter()
        .fold(format!("AWS4{SECRET}").into_bytes(), |key, text| mac(&key, text));
    let signature = hex::encode(signature);
    let fields = [
        ("key", "input/form.mp4"),
        ("policy", &policy),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", &credential),
        ("x-amz-date", &time),
        ("x-amz-signature", &signature),
    ];
    let mut body = String::new();
    for (name, value) in fields {
        write!(
            body,
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
        .unwrap();
    }
    body += "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nfilm\r\n--b--\r\n";
    let request = Request::post(format!("{}/{BUCKET}", server.endpoint))
        .header("content-type", "multipart/form-data; boundary=b");
    Attempt {
        request: request.body(body.into()).unwrap(),
    }
}

#[tokio::test]
async fn a_form_is_for_a_bucket_of_this_region() {
    let server = TestS3::local().await;
    form(&server, REGION, "{\"bucket\":\"other\"},")
        .assert_refused(400, "InvalidPolicyDocument")
        .await;
    form(&server, "eu-west-1", "{\"bucket\":\"vod\"},")
        .assert_refused(400, "eu-west-1")
        .await;
    assert!(!server.exists("input/form.mp4").await);
    // A header has no say in it.
    let copying =
        form(&server, REGION, "{\"bucket\":\"vod\"},").with("x-amz-copy-source", "/vod/input/other.mp4");
    let (status, text) = copying.send().await;
    assert_eq!(status, 204, "{text}");
    assert_eq!(server.get("input/form.mp4").await, b"film");
}

#[tokio::test]
async fn a_form_with_too_much_before_or_in_its_file_is_refused() {
    let server = TestS3::local().await;
    let form = |body: String| {
        let request = Request::post(format!("{}/{BUCKET}", server.endpoint))
            .header("content-type", "multipart/form-data; boundary=b");
        Attempt {
            request: request.body(body.into()).unwrap(),
        }
    };
    let field = |length: usize| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{}\r\n",
            "x".repeat(length)
        )
    };
    form(field(30_000) + &field(1))
        .assert_refused(400, "MalformedPOSTRequest")
        .await;
    form(field(10_000).repeat(200))
        .assert_refused(400, "MalformedPOSTRequest")
        .await;
    let answer = form(String::new()).announce(66 << 20).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("EntityTooLarge"),
        "{answer}"
    );
}
