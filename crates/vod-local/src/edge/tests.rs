//! The edge does what CloudFront does.

use std::sync::atomic::Ordering;

use super::testing::{NOW, World, code, keyring, listen, put, token};
use super::*;

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
async fn the_page_is_asked_for_each_time() {
    let world = World::new().await;
    crate::web::publish(&world.s3, "vod").await.unwrap();
    for _ in 0..2 {
        let page = world.get("/").await;
        assert_eq!(page.header("x-cache"), "Miss from cloudfront");
        assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
        let known = [("if-none-match", page.header("etag"))];
        assert_eq!(world.send("GET", "/", &known).await.status, 304);
    }
    // What somebody else puts there, without a word on caching, is kept.
    put(&world.s3, "web/hand.html", "text/html", "<p>").await;
    for cache in ["Miss from cloudfront", "Hit from cloudfront"] {
        assert_eq!(world.get("/web/hand.html").await.header("x-cache"), cache);
    }
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
        cache: Cache::default(),
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

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_hits_whatever_the_signature() {
    let world = World::new().await;
    let file = world.file("hls/video_360_00001.ts");
    let url = |seconds| world.signature(NOW + seconds).url(&file);
    let cached = async |url: &str, headers: &[(&str, &str)]| {
        let answer = world.send("GET", url, headers).await;
        (answer.status, answer.header("x-cache").to_owned(), answer.text())
    };
    let of =
        |status: u16, cache: &str, text: &str| (status, format!("{cache} from cloudfront"), text.to_owned());
    // A part is asked for first, and the whole is kept.
    assert_eq!(
        cached(&url(60), &[("range", "bytes=0-1")]).await,
        of(206, "Miss", "01")
    );
    assert_eq!(cached(&url(61), &[]).await, of(200, "Hit", "0123456789"));
    assert_eq!(
        cached(&url(62), &[("range", "bytes=-2")]).await,
        of(206, "Hit", "89")
    );
    assert_eq!(
        cached(&url(63), &[("if-none-match", "*")]).await,
        of(304, "Hit", "")
    );
    assert_eq!(cached(&url(64), &[("range", "bytes=99-")]).await.0, 416);
    let head = world.send("HEAD", &url(65), &[]).await;
    assert_eq!(
        (
            head.header("x-cache"),
            head.header("content-length"),
            head.body.len()
        ),
        ("Hit from cloudfront", "10", 0)
    );

    // What is kept is for those with a signature, and is as old as it is.
    assert_eq!(cached(&file, &[]).await.0, 403);
    world.clock.store(30, Ordering::Relaxed);
    let old = world.get(&url(66)).await;
    assert_eq!(
        (old.header("age"), old.header("cache-control")),
        ("30", "public, max-age=31536000, immutable")
    );
    assert_eq!(cached(&world.signature(NOW + 30).url(&file), &[]).await.0, 403);

    // It is not asked for again until it is invalidated.
    put(&world.s3, &file[1..], "", "changed").await;
    assert_eq!(cached(&url(67), &[]).await, of(200, "Hit", "0123456789"));
    world.cache.invalidate(&[format!("output/{}/*", world.other)]);
    assert_eq!(cached(&url(68), &[]).await, of(200, "Hit", "0123456789"));
    world.cache.invalidate(&[format!("output/{}/*", world.asset)]);
    assert_eq!(cached(&url(69), &[]).await, of(200, "Miss", "changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_kept_for_ten_seconds() {
    let world = World::new().await;
    let missing = world.signed("hls/later.ts");
    let seen = async |seconds, method: &str| {
        world.clock.store(seconds, Ordering::Relaxed);
        let answer = world.send(method, &missing, &[("range", "bytes=0-1")]).await;
        (answer.status, answer.header("x-cache").to_owned(), answer.text())
    };
    assert_eq!(seen(0, "HEAD").await.0, 404);
    let first = seen(0, "GET").await;
    assert_eq!((first.0, first.1.as_str()), (404, "Error from cloudfront"));
    assert!(first.2.contains("<Code>NoSuchKey</Code>"), "{}", first.2);

    // The file comes, and who asked too early waits.
    put(&world.s3, &world.file("hls/later.ts")[1..], "", "now").await;
    assert_eq!(seen(9, "GET").await, first);
    assert_eq!(seen(9, "HEAD").await, (404, first.1, String::new()));
    let found = (206, "Miss from cloudfront".to_owned(), "no".to_owned());
    assert_eq!(seen(10, "GET").await, found);

    // An invalidation ends it at once; without a signature nobody learns of it.
    let missing = world.signed("hls/even-later.ts");
    assert_eq!(world.get(&missing).await.status, 404);
    put(&world.s3, &world.file("hls/even-later.ts")[1..], "", "now").await;
    assert_eq!(world.get(&missing).await.status, 404);
    assert_eq!(
        code(&world.get(&world.file("hls/even-later.ts")).await),
        "MissingKey"
    );
    world.cache.invalidate(&["*".to_owned()]);
    assert_eq!(world.get(&missing).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_looked_at_when_a_request_begins() {
    let world = World::new().await;
    // More than is kept, so it comes from the bucket piece by piece.
    let film = "0123456789abcdef".repeat((9 << 20) / 16);
    put(&world.s3, &world.file("mp4/long.mp4")[1..], "video/mp4", &film).await;
    let url = world.signed("mp4/long.mp4");
    let mut download = world.open(&url).await;
    let begun = download.chunk().await.unwrap();
    world.clock.store(60, Ordering::Relaxed);
    let (range, whole) = (("range", "bytes=0-1"), world.get(&url).await);
    assert_eq!((whole.status, code(&whole)), (403, "AccessDenied".to_owned()));
    assert_eq!(code(&world.send("GET", &url, &[range]).await), "AccessDenied");
    let mut length = begun.len();
    while let Some(chunk) = download.chunk().await {
        length += chunk.len();
    }
    assert_eq!(length, film.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn playlists_are_compressed_and_large_files_pass_through() {
    let world = World::new().await;
    let playlist = format!("#EXTM3U\n{}", "#EXTINF:6,\nvideo_00001.ts\n".repeat(200));
    put(
        &world.s3,
        &world.file("hls/long.m3u8")[1..],
        "application/vnd.apple.mpegurl",
        &playlist,
    )
    .await;
    let url = world.signed("hls/long.m3u8");
    for cache in ["Miss from cloudfront", "Hit from cloudfront"] {
        let small = world.send("GET", &url, &[("accept-encoding", "br, gzip")]).await;
        assert_eq!(
            (small.header("content-encoding"), small.header("vary")),
            ("gzip", "Accept-Encoding")
        );
        assert_eq!(small.header("x-cache"), cache);
        assert!(small.header("etag").starts_with("W/") && small.body.len() * 10 < playlist.len());
        let mut text = String::new();
        std::io::Read::read_to_string(
            &mut flate2::read::GzDecoder::new(small.body.as_slice()),
            &mut text,
        )
        .unwrap();
        assert_eq!(text, playlist);
        let known = small.header("etag").to_owned();
        let again = world
            .send(
                "GET",
                &url,
                &[("accept-encoding", "gzip"), ("if-none-match", &known)],
            )
            .await;
        assert_eq!(again.status, 304);
    }
    let plain = world.get(&url).await;
    assert_eq!((plain.header("content-encoding"), plain.text()), ("", playlist));

    let large = "x".repeat(9 << 20);
    put(&world.s3, &world.file("mp4/large.mp4")[1..], "video/mp4", &large).await;
    let url = world.signed("mp4/large.mp4");
    for _ in 0..2 {
        let part = world.send("GET", &url, &[("range", "bytes=-5")]).await;
        assert_eq!(
            (part.status, part.text().as_str(), part.header("x-cache")),
            (206, "xxxxx", "Miss from cloudfront")
        );
        assert_eq!(world.get(&url).await.body.len(), large.len());
    }
}
