//! Hosts, and what the edge says of the viewer.

use super::*;

attempt!(a_signed_url_at_another_host, 403 "AccessDenied",
    |w| w.send("GET", &w.signed("mp4/video.mp4"), &[("host", "evil.example.com")]));
attempt!(a_host_that_breaks_out_of_the_policy, 400 "Bad request",
    |w| w.send("GET", &playback(w), &[("host", "a\"/*"), ("authorization", &token())]));
attempt!(links_made_under_another_host, 403 "AccessDenied", |w| async {
    let answer = w.send("GET", &playback(w), &[("host", "evil.example.com"), ("authorization", &token())]).await;
    let url = answer.json()["mp4"][0]["url"].as_str().unwrap().to_owned();
    w.get(url.strip_prefix("http://evil.example.com").unwrap()).await
});
attempt!(another_address_than_the_viewers, 403 "AccessDenied", |w| async {
    let links = w.ask(&format!("{}&ip=192.0.2.1", playback(w)), None).await.json();
    let forged = [("cloudfront-viewer-address", "192.0.2.1:1"), ("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
    w.send("GET", &w.path_of(&links["mp4"][0]["url"]), &forged).await
});

#[tokio::test(flavor = "multi_thread")]
async fn hosts_in_other_headers_are_nobodys() {
    let edge = TestEdge::new().await;
    let good = token();
    for name in ["x-viewer-host", "x-forwarded-host", "x-host", "forwarded"] {
        // Naming it in `connection` would have a careless proxy drop the edge's own header.
        let headers = [
            ("authorization", good.as_str()),
            (name, "evil.example.com"),
            ("connection", name),
        ];
        let answer = edge.send("GET", &playback(&edge), &headers).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("evil"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_no_host_and_a_foreign_proxy_target() {
    let edge = TestEdge::new().await;
    let path = edge.signed("mp4/video.mp4");
    // The host of an absolute-form target is the one that counts (RFC 9112 section 3.2.2).
    for (head, status) in [
        (
            format!("GET http://{0}{path} HTTP/1.1\r\nHost: evil\r\n", edge.edge),
            "200",
        ),
        (
            format!("GET http://evil{path} HTTP/1.1\r\nHost: {}\r\n", edge.edge),
            "403",
        ),
        (
            format!("GET http://a@{0}{path} HTTP/1.1\r\nHost: {0}\r\n", edge.edge),
            "400",
        ),
        (
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nHost: evil\r\n", edge.edge),
            "400",
        ),
        (format!("GET {path} HTTP/1.1\r\n"), "400"),
        (
            format!(
                "GET http://{}/vod/input/my%20film.mp4 HTTP/1.1\r\nHost: {}\r\n",
                edge.api, edge.edge
            ),
            "403",
        ),
    ] {
        let answer = edge
            .raw(format!("{head}Connection: close\r\n\r\n").as_bytes())
            .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{head}: {answer}"
        );
    }
}
