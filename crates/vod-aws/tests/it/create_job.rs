//! CreateJob signs and sends exactly our body, and its errors have the right kind.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use vod_aws::{AwsConfig, CreateJobError, MediaConvert};

struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }
}

async fn read(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let head = loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        assert!(count > 0, "closed in mid-request");
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Request {
        line,
        headers,
        body: bytes[head + 4..].to_vec(),
    };
    let length: usize = request.header("content-length").parse().unwrap();
    while request.body.len() < length {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        assert!(count > 0, "closed in mid-body");
        request.body.extend_from_slice(&chunk[..count]);
    }
    request
}

/// Answers one request, and hands it over.
async fn serve(listener: TcpListener, status: u16, error: &'static str, answer: Value) -> Request {
    let (mut stream, _) = listener.accept().await.unwrap();
    let request = read(&mut stream).await;
    let body = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nx-amzn-errortype: {error}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    request
}

async fn create(
    body: &Value,
    status: u16,
    error: &'static str,
    answer: Value,
) -> (Request, Result<String, CreateJobError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = AwsConfig {
        region: "us-east-1".into(),
        access_key_id: "vod".into(),
        secret_access_key: "very-secret".into(),
        session_token: Some("a-session".into()),
        s3_endpoint: None,
        mediaconvert_endpoint: Some(format!("http://{}", listener.local_addr().unwrap())),
    };
    let mediaconvert = MediaConvert::new(vod_aws::mediaconvert(&config));
    tokio::join!(
        serve(listener, status, error, answer),
        mediaconvert.create_job(body)
    )
}

fn body() -> Value {
    // A setting that no SDK knows must survive, and so must text outside of ASCII.
    json!({"clientRequestToken": "t", "role": "arn:aws:iam::1:role/r", "userMetadata": {"asset": "한국"},
           "settings": {"inputs": [{"fileInput": "s3://b/input/한국 & café+1.mp4"}], "notYetInvented": {"x": [1, 2.5]}}})
}

/// Signs the received bytes anew, with the headers that the client names as signed.
fn signature(request: &Request) -> String {
    let signed = request
        .header("authorization")
        .split("SignedHeaders=")
        .nth(1)
        .unwrap();
    let signed: Vec<&str> = signed.split(',').next().unwrap().split(';').collect();
    let own = ["host", "x-amz-date", "x-amz-security-token"];
    let headers: Vec<(&str, &str)> = signed
        .iter()
        .filter(|name| !own[1..].contains(name))
        .map(|name| (*name, request.header(name)))
        .collect();
    let identity = Credentials::new("vod", "very-secret", Some("a-session".into()), None, "test").into();
    let date: jiff::Timestamp = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", request.header("x-amz-date"))
        .and_then(to_utc)
        .unwrap();
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("mediaconvert")
        .time(SystemTime::from(date))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("http://{}/2017-08-29/jobs", request.header("host"));
    let signable = SignableRequest::new(
        "POST",
        url,
        headers.into_iter(),
        SignableBody::Bytes(&request.body),
    )
    .unwrap();
    sign(signable, &parameters).unwrap().signature().to_owned()
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that and_then wants")]
fn to_utc(time: jiff::fmt::strtime::BrokenDownTime) -> Result<jiff::Timestamp, jiff::Error> {
    time.to_datetime()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map(|zoned| zoned.timestamp())
}

#[tokio::test]
async fn our_bytes_are_signed_and_sent() {
    let answer = json!({"job": {"id": "1625859001514-vvqfwj", "role": "r", "settings": {}}});
    let (request, created) = create(&body(), 201, "", answer).await;
    assert_eq!(created.unwrap(), "1625859001514-vvqfwj");
    assert_eq!(request.line, "POST /2017-08-29/jobs HTTP/1.1");
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), body());
    assert_eq!(request.header("content-length"), request.body.len().to_string());
    let sent = request
        .header("authorization")
        .split("Signature=")
        .nth(1)
        .unwrap();
    assert_eq!(sent, signature(&request));
}

#[tokio::test]
async fn refusals_are_told_from_failures() {
    let message = json!({"message": "/outputGroups/0: Should be an object"});
    let (_, refused) = create(&body(), 400, "BadRequestException", message).await;
    match refused.unwrap_err() {
        CreateJobError::Refused { status, message } => {
            assert_eq!(
                (status, message.as_str()),
                (400, "/outputGroups/0: Should be an object")
            );
        }
        other @ CreateJobError::Failed(_) => panic!("{other:?}"),
    }
    let (_, denied) = create(
        &body(),
        403,
        "ForbiddenException",
        json!({"message": "no PassRole"}),
    )
    .await;
    let denied = denied.unwrap_err();
    assert!(matches!(denied, CreateJobError::Failed(_)));
    assert!(
        vod_aws::chain(&denied).contains("no PassRole"),
        "{}",
        vod_aws::chain(&denied)
    );
}
