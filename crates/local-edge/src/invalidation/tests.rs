use axum::body::{Body, to_bytes};
use tower::ServiceExt as _;
use vod_testkit::keys;

use super::*;

fn batch(quantity: &str, paths: &[&str]) -> Batch {
    Batch {
        reference: "r".to_owned(),
        quantity: quantity.to_owned(),
        paths: paths.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_batch_is_read() {
    let text = format!(
        "<?xml version=\"1.0\"?><InvalidationBatch xmlns=\"{XMLNS}\"><Paths><Quantity>2</Quantity><Items>\
         <Path>/a&amp;b/*</Path>\n<Path>/c%20d</Path></Items></Paths><CallerReference>r</CallerReference>\
         </InvalidationBatch>"
    );
    let read = parse(&text).unwrap();
    assert_eq!(read, batch("2", &["/a&b/*", "/c%20d"]));
    assert_eq!(read.patterns(), ["a&b/*", "c d"]);
    for bad in [
        "",
        "<a>",
        "{}",
        "<!DOCTYPE x [<!ENTITY e \"x\">]><InvalidationBatch/>",
    ] {
        assert!(parse(bad).is_none_or(|batch| batch.fault().is_some()), "{bad}");
    }
}

#[test]
fn bad_batches_are_refused() {
    assert_eq!(batch("1", &["/*"]).fault(), None);
    assert_eq!(batch("1", &["*"]).fault(), None);
    let too_many = vec!["/a"; 3001];
    for (quantity, paths, expected) in [
        ("0", &[][..], "InvalidArgument"),
        ("2", &["/a"], "InconsistentQuantities"),
        ("x", &["/a"], "InconsistentQuantities"),
        ("1", &["/*/a"], "InvalidArgument"),
        ("1", &["/**"], "InvalidArgument"),
        ("1", &["/a b"], "InvalidArgument"),
        ("1", &["/\u{e9}"], "InvalidArgument"),
        ("3001", &too_many, "BatchTooLarge"),
    ] {
        let code = batch(quantity, paths).fault().map(|(_, code, _)| code);
        assert_eq!(code, Some(expected), "{quantity} {paths:?}");
    }
}

/// Status, content type and body of the answer to an unsigned request.
async fn asked(router: Router, method: &str, path: &str) -> (u16, String, String) {
    sent(router, method, path, Body::empty()).await
}

async fn sent(router: Router, method: &str, path: &str, body: Body) -> (u16, String, String) {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .body(body)
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, BODY_MAX).await.unwrap();
    let content_type = parts.headers["content-type"].to_str().unwrap().to_owned();
    (
        parts.status.as_u16(),
        content_type,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

#[tokio::test]
async fn an_unsigned_request_is_refused_in_xml() {
    let router = router(Cache::default(), &keys(), local_base::clock::system());
    let path = "/2020-05-31/distribution/ELOCAL/invalidation";
    let (status, content_type, body) = asked(router, "POST", path).await;
    assert_eq!((status, content_type.as_str()), (403, "text/xml"));
    assert!(body.contains("<Code>MissingAuthenticationToken</Code>"), "{body}");
    for (ours, theirs) in [
        ("InvalidSignatureException", "<Code>SignatureDoesNotMatch</Code>"),
        ("UnrecognizedClientException", "<Code>InvalidClientTokenId</Code>"),
        ("IncompleteSignatureException", "<Code>IncompleteSignature</Code>"),
    ] {
        let body = to_bytes(refusal(StatusCode::FORBIDDEN, ours, "x").into_body(), BODY_MAX).await;
        assert!(String::from_utf8_lossy(&body.unwrap()).contains(theirs), "{ours}");
    }
}

fn api() -> Api {
    Api {
        cache: Cache::default(),
        clock: local_base::clock::system(),
        done: Arc::default(),
    }
}

#[tokio::test]
async fn a_repeated_call_makes_no_second_invalidation() {
    let api = api();
    let create = async |path: &str| {
        let invalidation = Invalidation {
            id: String::new(),
            created: Timestamp::UNIX_EPOCH,
            batch: batch("1", &[path]),
        };
        let place = format!("/2020-05-31/distribution/{DISTRIBUTION}/invalidation");
        let xml = invalidation.to_xml();
        let begin = xml.find("<InvalidationBatch>").unwrap();
        let body = xml[begin..].replace("</Invalidation>", "");
        sent(routes(api.clone()), "POST", &place, Body::from(body)).await
    };
    let first = create("/a").await;
    assert_eq!(first.0, 201, "{first:?}");
    assert_eq!(create("/a").await, first);
    let other = create("/b").await;
    assert_eq!(other.0, 400, "{other:?}");
    assert!(other.2.contains("<Code>InvalidArgument</Code>"), "{other:?}");
    assert_eq!(api.done.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn invalidations_are_listed_the_newest_first() {
    let api = api();
    let routes = routes(api.clone());
    for index in 0..3 {
        let made = Invalidation {
            id: format!("I{index}"),
            created: Timestamp::UNIX_EPOCH,
            batch: batch("1", &["/*"]),
        };
        api.done.lock().unwrap().push_back(made);
    }
    let path = format!("/2020-05-31/distribution/{DISTRIBUTION}/invalidation");
    for (query, ids, next) in [
        ("", vec!["I2", "I1", "I0"], ""),
        ("?MaxItems=2", vec!["I2", "I1"], "<NextMarker>I1</NextMarker>"),
        ("?MaxItems=2&Marker=I1", vec!["I0"], ""),
        ("?MaxItems=3&Marker=", vec!["I2", "I1", "I0"], ""),
        ("?Marker=I0", vec![], ""),
    ] {
        let (status, _, body) = asked(routes.clone(), "GET", &format!("{path}{query}")).await;
        let shown: Vec<_> = body.split("<Id>").skip(1).map(|rest| &rest[..2]).collect();
        assert_eq!((status, shown), (200, ids), "{query}");
        assert_eq!(body.contains("<IsTruncated>true"), !next.is_empty(), "{query}");
        assert!(body.contains(next), "{query}: {body}");
    }
    let (status, _, body) = asked(routes.clone(), "GET", &format!("{path}?Marker=I9")).await;
    assert!(status == 400 && body.contains("InvalidArgument"), "{body}");
    let (status, _, body) = asked(routes, "GET", &path.replace(DISTRIBUTION, "EOTHER")).await;
    assert!(status == 404 && body.contains("NoSuchDistribution"), "{body}");
}

#[test]
fn paths_are_escaped_in_xml() {
    let invalidation = Invalidation {
        id: "I1".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        batch: batch("1", &["/<&>"]),
    };
    assert!(invalidation.to_xml().contains("<Path>/&lt;&amp;&gt;</Path>"));
}
