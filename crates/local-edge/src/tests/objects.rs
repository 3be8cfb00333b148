//! Objects: what a signature opens, and how it is served.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_served_as_cloudfront_does() {
    let edge = TestEdge::new().await;
    let url = edge.signed("hls/video_360_00001.ts");
    let whole = edge.get(&url).await;
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
        let answer = edge.send("GET", &url, &headers).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, body),
            "{headers:?}"
        );
        assert_eq!(answer.header("content-range"), range);
        assert!(answer.header("cache-control").contains("immutable"));
    }
    let beyond = edge.send("GET", &url, &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status, beyond.header("cache-control")), (416, ""));
    let head = edge.send("HEAD", &url, &[]).await;
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, "10", 0)
    );
    let missing = edge.get(&edge.signed("hls/none.ts")).await;
    assert_eq!(
        (missing.status, code(&missing), missing.header("cache-control")),
        (404, "NoSuchKey".to_owned(), "")
    );
    let odd = edge.get(&edge.signed("odd/a%20b+c%25%C3%A9.jpg")).await;
    assert_eq!(
        (odd.text().as_str(), odd.header("content-type")),
        ("odd", "image/jpeg")
    );
    let playlist = edge.get(&edge.signed("hls/video_360.m3u8")).await;
    assert_eq!(playlist.header("content-type"), "application/vnd.apple.mpegurl");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_object_is_reachable() {
    let edge = TestEdge::new().await;
    let query = edge.signature(NOW + 60).query();
    let asset = &edge.asset;
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
        let answer = edge.get(path).await;
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
        let text = edge.get(path).await.text();
        assert!(
            !text.contains("ListBucketResult") && !text.contains("AccessControlPolicy"),
            "{path}: {text}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        assert_eq!(edge.send(method, "/web/index.html", &[]).await.status, 403);
    }
    assert_eq!(edge.send("OPTIONS", "/web/index.html", &[]).await.status, 403);
    let signed = edge.signed("mp4/video.mp4");
    assert_eq!(
        code(&edge.send("GET", &signed, &[("host", "evil.example.com")]).await),
        "AccessDenied"
    );
    assert_eq!(edge.send("GET", &signed, &[("host", "a b")]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_counts_before_cookies() {
    let edge = TestEdge::new().await;
    let cookies = edge.signature(NOW + 60).cookies();
    let cookies = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("; ");
    let file = edge.file("mp4/video.mp4");
    let with = async |path: &str| edge.send("GET", path, &[("cookie", &cookies)]).await;
    assert_eq!(with(&file).await.status, 200);
    assert_eq!(code(&with(&format!("{file}?Policy=x")).await), "MissingKey");
    assert_eq!(
        code(&with(&format!("{file}?Key-Pair-Id=K2P256")).await),
        "MissingSignature"
    );
    let expired = edge.signature(NOW).url(&file);
    assert_eq!(code(&with(&expired).await), "AccessDenied");
    assert_eq!(
        code(&with(&expired.replace("K2P256", "K2NONE")).await),
        "InvalidKey"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_looked_at_when_a_request_begins() {
    let edge = TestEdge::new().await;
    // More than is kept, so it comes from the bucket piece by piece.
    let film = "0123456789abcdef".repeat((9 << 20) / 16);
    put(&edge.s3, &edge.file("mp4/long.mp4")[1..], "video/mp4", &film).await;
    let url = edge.signed("mp4/long.mp4");
    let mut download = edge.open(&url).await;
    let begun = download.chunk().await.unwrap();
    edge.clock.store(60, Ordering::Relaxed);
    let (range, whole) = (("range", "bytes=0-1"), edge.get(&url).await);
    assert_eq!((whole.status, code(&whole)), (403, "AccessDenied".to_owned()));
    assert_eq!(code(&edge.send("GET", &url, &[range]).await), "AccessDenied");
    let mut length = begun.len();
    while let Some(chunk) = download.chunk().await {
        length += chunk.len();
    }
    assert_eq!(length, film.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn playlists_are_compressed_and_large_files_pass_through() {
    let edge = TestEdge::new().await;
    let playlist = format!("#EXTM3U\n{}", "#EXTINF:6,\nvideo_00001.ts\n".repeat(200));
    put(
        &edge.s3,
        &edge.file("hls/long.m3u8")[1..],
        "application/vnd.apple.mpegurl",
        &playlist,
    )
    .await;
    let url = edge.signed("hls/long.m3u8");
    for cache in ["Miss from cloudfront", "Hit from cloudfront"] {
        let small = edge.send("GET", &url, &[("accept-encoding", "br, gzip")]).await;
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
        let again = edge
            .send(
                "GET",
                &url,
                &[("accept-encoding", "gzip"), ("if-none-match", &known)],
            )
            .await;
        assert_eq!(again.status, 304);
    }
    let plain = edge.get(&url).await;
    assert_eq!((plain.header("content-encoding"), plain.text()), ("", playlist));

    let large = "x".repeat(9 << 20);
    put(&edge.s3, &edge.file("mp4/large.mp4")[1..], "video/mp4", &large).await;
    let url = edge.signed("mp4/large.mp4");
    for _ in 0..2 {
        let part = edge.send("GET", &url, &[("range", "bytes=-5")]).await;
        assert_eq!(
            (part.status, part.text().as_str(), part.header("x-cache")),
            (206, "xxxxx", "Miss from cloudfront")
        );
        assert_eq!(edge.get(&url).await.body.len(), large.len());
    }
}
