use axum::body::Body;
use tower::ServiceExt as _;

use super::*;

const PAGE: &str = "http://127.0.0.1:8080";

#[test]
fn names_of_this_machine() {
    for host in [
        "localhost",
        "LOCALHOST:9000",
        "127.0.0.1:9000",
        "127.9.9.9",
        "[::1]:9000",
        "[::ffff:127.0.0.1]:9000",
    ] {
        assert!(is_loopback(host), "{host}");
    }
    for host in [
        "",
        "evil.example:9000",
        "localhost.evil.example",
        "192.0.2.1",
        "127.0.0.1.nip.io",
        "[::]:1",
    ] {
        assert!(!is_loopback(host), "{host}");
    }
}

#[test]
fn a_port_has_the_names_that_lead_to_it() {
    let public: PublicUrl = "https://video.example.org".parse().unwrap();
    for (bound, host, api, edge) in [
        ("127.0.0.1", "localhost:9000", true, true),
        ("127.0.0.1", "[::1]:9000", true, true),
        ("127.0.0.1", "192.0.2.7:9000", false, false),
        ("127.0.0.1", "0.0.0.0:9000", false, false),
        ("192.0.2.7", "192.0.2.7:9000", true, true),
        ("192.0.2.7", "192.0.2.8:9000", false, false),
        ("0.0.0.0", "192.0.2.8:9000", true, true),
        ("::", "[2001:db8::1]", true, true),
        ("0.0.0.0", "rebound.example:9000", false, false),
        ("127.0.0.1", "video.example.org", false, true),
        ("127.0.0.1", "VIDEO.example.org:443", false, true),
        ("127.0.0.1", "video.example.org.evil.example", false, false),
        ("127.0.0.1", "localhost@evil.example", false, false),
        ("127.0.0.1", "a b", false, false),
    ] {
        let bound = bound.parse().unwrap();
        assert_eq!(
            Door::api(bound, Vec::new()).0.is_name(host),
            api,
            "api on {bound}: {host}"
        );
        assert_eq!(
            Door::edge(bound, Some(&public)).0.is_name(host),
            edge,
            "edge on {bound}: {host}"
        );
    }
}

async fn knock(door: &Door, method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
    let router = door.before(Router::new().fallback(async || "inside"));
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    response.status().as_u16()
}

/// Finding H1 of November 2026: any web page could drive the local stack.
#[tokio::test]
async fn no_page_of_another_site_uses_the_api() {
    let door = Door::api([127, 0, 0, 1].into(), vec![PAGE.to_owned()]);
    let host = ("host", "127.0.0.1:9000");
    let cross = ("sec-fetch-site", "cross-site");
    for (method, headers, status) in [
        ("POST", &[host][..], 200),
        ("PUT", &[host, ("origin", PAGE)], 200),
        ("PUT", &[host, ("origin", PAGE), cross], 200),
        ("GET", &[host, cross], 200),
        ("POST", &[host, ("sec-fetch-site", "same-origin")], 200),
        // A form on a foreign page, which its browser sends without asking.
        ("POST", &[host, ("origin", "https://evil.example"), cross], 403),
        ("POST", &[host, ("origin", "null")], 403),
        ("POST", &[host, cross], 403),
        ("DELETE", &[host, ("sec-fetch-site", "Cross-Site")], 403),
        ("GET", &[host, ("origin", "http://127.0.0.1:8081")], 403),
        (
            "GET",
            &[host, ("origin", PAGE), ("origin", "https://evil.example")],
            403,
        ),
        ("OPTIONS", &[host, ("origin", "https://evil.example")], 403),
        // Its own name, pointed to this machine.
        ("GET", &[("host", "evil.example:9000")], 403),
        ("GET", &[("host", "evil.example:9000"), ("origin", PAGE)], 403),
        ("GET", &[host, ("host", "evil.example")], 403),
        ("GET", &[], 403),
    ] {
        assert_eq!(
            knock(&door, method, "/vod/x", headers).await,
            status,
            "{method} {headers:?}"
        );
    }
    assert_eq!(
        knock(&door, "GET", "http://evil.example/vod/x", &[host]).await,
        403
    );
    assert_eq!(
        knock(&door, "GET", "http://localhost:9000/vod/x", &[host]).await,
        200
    );
}

#[tokio::test]
async fn every_page_may_ask_the_edge_under_its_own_name() {
    let door = Door::edge([127, 0, 0, 1].into(), None);
    let host = ("host", "localhost:8080");
    let elsewhere = ("origin", "https://other.example");
    assert_eq!(knock(&door, "GET", "/output/x", &[host, elsewhere]).await, 200);
    assert_eq!(
        knock(&door, "GET", "/output/x", &[("host", "evil.example"), elsewhere]).await,
        403
    );
}
