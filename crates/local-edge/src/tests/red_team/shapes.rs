//! Requests of odd shapes.

use super::*;

attempt!(a_post, 403 "not configured to allow", |w| w.send("POST", &w.signed("mp4/video.mp4"), &[]));
attempt!(a_put, 403 "not configured to allow", |w| w.send("PUT", &w.signed("mp4/video.mp4"), &[]));
attempt!(a_delete, 403 "not configured to allow", |w| w.send("DELETE", &w.signed("mp4/video.mp4"), &[]));
attempt!(a_trace, 403 "not configured to allow", |w| w.send("TRACE", "/", &[]));
attempt!(an_invented_method, 403 "not configured to allow", |w| w.send("BREW", "/", &[]));
attempt!(sixty_kilobytes_of_url, 413 "maximum length", |w| w.get_owned(format!("/web/{}", "a".repeat(60_000))));
attempt!(thirty_kilobytes_of_headers, 413 "maximum length",
    |w| w.send("GET", "/web/index.html", &[("x-long", &"a".repeat(30_000))]));

#[tokio::test(flavor = "multi_thread")]
async fn another_method_in_a_header() {
    let edge = TestEdge::new().await;
    let signed = edge.signed("mp4/video.mp4");
    for name in ["x-http-method-override", "x-method-override", "x-http-method"] {
        assert_eq!(edge.send("GET", &signed, &[(name, "DELETE")]).await.text(), "mp4");
    }
    assert_eq!(edge.get(&signed).await.text(), "mp4");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes() {
    let edge = TestEdge::new().await;
    let host = edge.edge;
    let long = vec![b'a'; 10 << 20];
    for head in [
        format!(
            "POST /api/playback HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n",
            long.len()
        ),
        format!(
            "GET /api/assets HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n",
            long.len()
        ),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Long: "),
        "GET /".to_owned(),
    ] {
        let answer = edge.raw(&[head.as_bytes(), &long].concat()).await;
        let status = answer.get(9..12).unwrap_or("closed");
        assert!(
            ["403", "414", "431", "closed"].contains(&status),
            "{head}: {answer}"
        );
        // And the edge goes on serving.
        assert_eq!(edge.get("/healthz").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_inside_another() {
    let edge = TestEdge::new().await;
    let host = edge.edge;
    let inner = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    for head in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 0\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: -1\r\n",
    ] {
        let bytes = format!("GET /web/index.html HTTP/1.1\r\nHost: {host}\r\n{head}\r\n0\r\n\r\n{inner}");
        let answer = edge.raw(bytes.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{head}: {answer}");
        assert!(
            !answer.contains("<html>\n") && !answer.contains("200 OK\r\ncontent-type: text/html"),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_http_is_refused() {
    let edge = TestEdge::new().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\0/ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n\r\n\0\r\n\r\n",
    ] {
        let answer = edge.raw(bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert_eq!(edge.get("/healthz").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_ranges() {
    let edge = TestEdge::new().await;
    let ranges = format!("bytes={}", vec!["0-"; 1_000].join(","));
    let answer = edge
        .send("GET", &edge.signed("mp4/video.mp4"), &[("range", &ranges)])
        .await;
    assert_eq!((answer.status, answer.text()), (200, "mp4".to_owned()));
}
