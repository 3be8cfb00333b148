//! The edge does what CloudFront does.

use std::sync::atomic::Ordering;

use vod_testkit::keys;

use super::testing::{Answer, NOW, TestEdge, code, keyring, listen, put, token};
use super::*;

mod caching;
mod cors;
mod objects;
mod random;
mod red_team;

#[tokio::test(flavor = "multi_thread")]
async fn from_the_api_to_the_last_segment() {
    let edge = TestEdge::new().await;
    let body = edge.playback().await;
    let master = edge.path_of(&body["hls"]);
    assert_eq!(edge.get(&master).await.text(), "#EXTM3U\nvideo_360.m3u8\n");
    let variant = edge.get(&master.replace("video.m3u8", "video_360.m3u8")).await;
    assert_eq!(variant.header("cache-control"), "private, no-store");
    let text = variant.text();
    let segment = edge.get(text.lines().last().unwrap()).await;
    assert_eq!((segment.status, segment.text()), (200, "0123456789".to_owned()));
    assert_eq!(
        edge.get(&edge.path_of(&body["mp4"][0]["url"])).await.text(),
        "mp4"
    );

    let cookies: Vec<_> = body["cookies"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap()))
        .collect();
    let file = edge.file("mp4/video.mp4");
    assert_eq!(
        edge.send("GET", &file, &[("cookie", &cookies.join("; "))])
            .await
            .text(),
        "mp4"
    );

    // One byte changed, nothing at all, and time gone by.
    assert_eq!(code(&edge.get(&file).await), "MissingKey");
    let grant = master.split('/').nth(2).unwrap();
    let at = grant.find('.').unwrap() + 10;
    let changed = format!(
        "{}{}{}",
        &grant[..at],
        if &grant[at..=at] == "A" { "B" } else { "A" },
        &grant[at + 1..]
    );
    assert_eq!(
        code(&edge.get(&master.replace(grant, &changed)).await),
        "AccessDenied"
    );
    edge.clock.store(6 * 3_600, Ordering::Relaxed);
    for path in [master.as_str(), text.lines().last().unwrap()] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, code(&answer)), (403, "AccessDenied".to_owned()));
        assert_eq!(answer.header("content-type"), "text/xml");
        assert_eq!(answer.header("x-cache"), "Error from cloudfront");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_sees_what_the_edge_says() {
    let edge = TestEdge::new().await;
    let path = format!("/api/playback?asset={}", edge.asset);
    // What a client sends under the edge's own names is overwritten or dropped.
    let forged = [("x-viewer-host", "evil.example.com"), ("authorization", &token())];
    let answer = edge.send("GET", &path, &forged).await;
    assert!(
        answer.json()["hls"]
            .as_str()
            .unwrap()
            .starts_with(&format!("http://{}/play/", edge.edge))
    );
    assert_eq!(
        edge.send("GET", &path, &[("x-viewer-authorization", &token())])
            .await
            .status,
        401
    );
    // The signature's parameters are taken away, the others stay.
    let answer = edge
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
    let answer = edge
        .send(
            "GET",
            &format!("{path}&ip=127.0.0.1"),
            &[("authorization", &token())],
        )
        .await;
    assert_eq!(edge.get(&edge.path_of(&answer.json()["hls"])).await.status, 200);
    let answer = edge
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
        edge.send("GET", &edge.path_of(&answer.json()["hls"]), &forged)
            .await
            .status,
        403
    );
    let long = format!("#EXTM3U\n{}", "#EXTINF:6,\nvideo_00001.ts\n".repeat(200));
    put(&edge.s3, &edge.file("hls/long.m3u8")[1..], "", &long).await;
    let path = edge
        .path_of(&edge.playback().await["hls"])
        .replace("video.m3u8", "long.m3u8");
    let forged = [("x-viewer-accept-encoding", "gzip")];
    assert_eq!(
        edge.send("GET", &path, &forged).await.header("content-encoding"),
        ""
    );
    let small = edge.send("GET", &path, &[("accept-encoding", "gzip")]).await;
    assert_eq!((small.status, small.header("content-encoding")), (200, "gzip"));

    let options = edge.send("OPTIONS", "/api/assets", &[]).await;
    assert_eq!((options.status, options.header("server")), (403, "CloudFront"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_breaks_nobody() {
    let edge = TestEdge::new().await;
    let before = edge.playback().await;
    edge.signing.send_replace(Arc::new(keyring("K2RSA")));
    let after = edge.playback().await;
    assert_eq!(after["cookies"]["CloudFront-Key-Pair-Id"], "K2RSA");
    for body in [&before, &after] {
        assert_eq!(edge.get(&edge.path_of(&body["hls"])).await.status, 200);
        assert_eq!(edge.get(&edge.path_of(&body["mp4"][0]["url"])).await.status, 200);
    }
    // When the old key leaves the key group, what it signed ends.
    let mut keys = PublicKeys::default();
    keys.insert(
        "K2RSA".to_owned(),
        keyring("K2RSA").public_keys().get("K2RSA").unwrap().clone(),
    );
    edge.trusted.send_replace(Arc::new(keys));
    assert_eq!(
        code(&edge.get(&edge.path_of(&before["mp4"][0]["url"])).await),
        "InvalidKey"
    );
    assert_eq!(edge.get(&edge.path_of(&after["mp4"][0]["url"])).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_health() {
    let edge = TestEdge::new().await;
    assert_eq!(edge.get("/healthz").await.text(), "ok\n");
    for path in ["/", "/web/index.html"] {
        let page = edge.get(path).await;
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
        edge.get("/web/app.js").await.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(edge.get("/web/none.js").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_another_name() {
    let edge = TestEdge::at(Some("https://video.example.org")).await;
    let body = edge.playback().await;
    let hls = body["hls"].as_str().unwrap();
    let path = hls.strip_prefix("https://video.example.org").unwrap();
    let variant = edge
        .get(&path.replace("video.m3u8", "video_360.m3u8"))
        .await
        .text();
    assert_eq!(
        edge.get(variant.lines().last().unwrap()).await.text(),
        "0123456789"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_gone_is_a_502() {
    let (listener, address) = listen().await;
    drop(listener);
    let trusted = watch::channel(Arc::new(PublicKeys::default())).1;
    let options = EdgeOptions {
        api_url: format!("http://{address}"),
        bucket: "vod".into(),
        keys: keys(),
        trusted,
        edge_url: None,
        allowed_origins: Vec::new(),
        cache: Cache::default(),
        clock: local_base::clock::system(),
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
