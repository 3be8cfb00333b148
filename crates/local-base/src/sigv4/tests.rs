use super::*;

fn keys() -> Keys {
    Keys {
        access_key: "vod".into(),
        secret_key: "vod-local-secret".into(),
        region: "us-east-1".into(),
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A signed request as the server sees it: the URI has lost its host.
fn signed(keys: &Keys, uri: &str, body: &'static str, now: SystemTime) -> (Parts, Bytes) {
    let mut request = http::Request::post(uri)
        .header("host", "127.0.0.1:9000")
        .header("content-type", "application/json")
        .body(Bytes::from_static(body.as_bytes()))
        .unwrap();
    keys.sign("lambda", &mut request, now).unwrap();
    let (mut parts, body) = request.into_parts();
    parts.uri = parts.uri.path_and_query().unwrap().as_str().parse().unwrap();
    (parts, body)
}

const URI: &str = "http://127.0.0.1:9000/2015-03-31/functions/submit/invocations?b=2&a=%2F%20x&a";
const NOW: u64 = 1_767_290_400;

#[test]
fn our_own_signatures_are_accepted() {
    for uri in [
        URI,
        "http://127.0.0.1:9000/",
        "http://127.0.0.1:9000/lambda-url/signer/a%20b/../c?x=%EA%B0%80",
    ] {
        let (parts, body) = signed(&keys(), uri, "{}", at(NOW));
        assert_eq!(
            keys().verify("lambda", &parts, &body, at(NOW + 899)),
            Ok(()),
            "{uri}"
        );
    }
}

#[test]
fn every_tampering_is_refused() {
    type Tamper = fn(&mut Parts, &mut Bytes);
    fn header(parts: &mut Parts, name: &'static str, value: &str) {
        parts.headers.insert(name, value.parse().unwrap());
    }
    fn replace(parts: &mut Parts, old: &str, new: &str) {
        parts.uri = parts.uri.to_string().replace(old, new).parse().unwrap();
    }
    let tamperings: [(&str, Tamper); 7] = [
        ("body", |_, body| *body = Bytes::from_static(b"{ }")),
        ("path", |parts, _| replace(parts, "submit", "other")),
        ("query", |parts, _| replace(parts, "b=2", "b=3")),
        ("method", |parts, _| parts.method = http::Method::PUT),
        ("host", |parts, _| header(parts, "host", "evil.example")),
        ("header", |parts, _| header(parts, "content-type", "text/plain")),
        ("signature", |parts, _| {
            let mut value = parts.headers["authorization"].to_str().unwrap().to_owned();
            let last = if value.pop() == Some('0') { '1' } else { '0' };
            value.push(last);
            header(parts, "authorization", &value);
        }),
    ];
    for (what, tamper) in tamperings {
        let (mut parts, mut body) = signed(&keys(), URI, "{}", at(NOW));
        tamper(&mut parts, &mut body);
        assert_eq!(
            keys().verify("lambda", &parts, &body, at(NOW)),
            Err(AuthError::mismatch()),
            "{what}"
        );
    }
}

#[test]
fn a_body_swapped_together_with_its_hash_header_is_refused() {
    let (mut parts, _) = signed(&keys(), URI, "{}", at(NOW));
    parts
        .headers
        .insert("x-amz-content-sha256", sha256_hex(b"other").parse().unwrap());
    assert_eq!(
        keys().verify("lambda", &parts, b"other", at(NOW)),
        Err(AuthError::mismatch())
    );
}

#[test]
fn a_signature_covers_key_request_and_time() {
    let (parts, body) = signed(&keys(), URI, "{}", at(NOW));
    let stranger = Keys {
        access_key: "someone".into(),
        ..keys()
    };
    let elsewhere = Keys {
        region: "eu-west-1".into(),
        ..keys()
    };
    let other_secret = Keys {
        secret_key: "wrong".into(),
        ..keys()
    };
    let table = [
        (
            stranger.verify("lambda", &parts, &body, at(NOW)),
            "UnrecognizedClientException",
            "security token",
        ),
        (
            elsewhere.verify("lambda", &parts, &body, at(NOW)),
            "InvalidSignatureException",
            "valid region",
        ),
        (
            keys().verify("mediaconvert", &parts, &body, at(NOW)),
            "InvalidSignatureException",
            "correct service",
        ),
        (
            other_secret.verify("lambda", &parts, &body, at(NOW)),
            "InvalidSignatureException",
            "does not match",
        ),
        (
            keys().verify("lambda", &parts, &body, at(NOW + 901)),
            "InvalidSignatureException",
            "Signature expired",
        ),
        (
            keys().verify("lambda", &parts, &body, at(NOW - 901)),
            "InvalidSignatureException",
            "not yet current",
        ),
    ];
    for (result, code, message) in table {
        let error = result.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn missing_headers_are_named() {
    let strip = |header: &str, value: Option<&str>| {
        let (mut parts, body) = signed(&keys(), URI, "{}", at(NOW));
        match value {
            Some(value) => drop(parts.headers.insert(
                http::HeaderName::try_from(header).unwrap(),
                value.parse().unwrap(),
            )),
            None => drop(parts.headers.remove(header)),
        }
        keys().verify("lambda", &parts, &body, at(NOW)).unwrap_err()
    };
    assert_eq!(
        strip("authorization", None),
        AuthError::MissingAuthenticationToken
    );
    let table = [
        ("authorization", Some("Basic eA=="), "algorithm"),
        (
            "authorization",
            Some("AWS4-HMAC-SHA256 Credential=a/b"),
            "'Signature'",
        ),
        (
            "authorization",
            Some("AWS4-HMAC-SHA256 Credential=a/b, Signature=0, SignedHeaders=host"),
            "5 slash",
        ),
        ("x-amz-date", None, "X-Amz-Date"),
        ("x-amz-date", Some("yesterday"), "ISO-8601"),
    ];
    for (header, value, expected) in table {
        let error = strip(header, value);
        assert_eq!(error.code(), "IncompleteSignatureException", "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn debug_output_has_no_secret() {
    assert!(!format!("{:?}", keys()).contains("vod-local-secret"));
}

/// Finding M7 of November 2026: six MiB of each stranger's request were read into memory before its sender was checked.
#[tokio::test]
async fn a_stranger_is_refused_before_the_body_is_read() {
    use axum::body::Body;
    use tower::ServiceExt as _;

    let router = || axum::Router::new().fallback(async || "inside");
    let ask = |keys: Keys, service: &'static str| async move {
        let (mut parts, _) = signed(&keys, URI, "{}", SystemTime::now());
        parts.uri = "/2015-03-31/functions/f/invocations".parse().unwrap();
        let endless = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = axum::extract::Request::from_parts(parts, endless);
        let answer = require(router(), super::tests::keys(), service, 1000).oneshot(request);
        tokio::time::timeout(Duration::from_secs(20), answer)
            .await
            .unwrap()
            .unwrap()
    };
    let stranger = Keys {
        access_key: "someone".into(),
        ..keys()
    };
    assert_eq!(ask(stranger, "lambda").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(ask(keys(), "sqs").await.status(), StatusCode::FORBIDDEN);
}
