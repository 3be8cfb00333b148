//! Tests of which responses are cached, for how long, and for which viewers.

use aws_sdk_s3::primitives::ByteStream;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_asked_for_each_time() {
    let edge = TestEdge::new().await;
    // As the stack stores the page.
    let page = edge.s3.put_object().bucket("vod").key("web/index.html");
    let page = page
        .content_type("text/html; charset=utf-8")
        .cache_control("no-cache");
    page.body(ByteStream::from_static(b"<!doctype html>"))
        .send()
        .await
        .unwrap();
    for _ in 0..2 {
        let page = edge.get("/").await;
        assert_eq!(page.header("x-cache"), "Miss from cloudfront");
        assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
        let known = [("if-none-match", page.header("etag"))];
        assert_eq!(edge.send("GET", "/", &known).await.status, 304);
    }
    // An object of other programs, without `Cache-Control`, is kept.
    put(&edge.s3, "web/hand.html", "text/html", "<p>").await;
    for cache in ["Miss from cloudfront", "Hit from cloudfront"] {
        assert_eq!(edge.get("/web/hand.html").await.header("x-cache"), cache);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_hits_whatever_the_signature() {
    let edge = TestEdge::new().await;
    let file = edge.file("hls/video_360_00001.ts");
    let url = |seconds| edge.signature(NOW + seconds).url(&file);
    let cached = async |url: &str, headers: &[(&str, &str)]| {
        let answer = edge.send("GET", url, headers).await;
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
    let head = edge.send("HEAD", &url(65), &[]).await;
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
    edge.clock.store(30, Ordering::Relaxed);
    let old = edge.get(&url(66)).await;
    assert_eq!(
        (old.header("age"), old.header("cache-control")),
        ("30", "public, max-age=31536000, immutable")
    );
    assert_eq!(cached(&edge.signature(NOW + 30).url(&file), &[]).await.0, 403);

    // It is not asked for again until it is invalidated.
    put(&edge.s3, &file[1..], "", "changed").await;
    assert_eq!(cached(&url(67), &[]).await, of(200, "Hit", "0123456789"));
    edge.cache.invalidate(&[format!("output/{}/*", edge.other)]);
    assert_eq!(cached(&url(68), &[]).await, of(200, "Hit", "0123456789"));
    edge.cache.invalidate(&[format!("output/{}/*", edge.asset)]);
    assert_eq!(cached(&url(69), &[]).await, of(200, "Miss", "changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_kept_for_ten_seconds() {
    let edge = TestEdge::new().await;
    let missing = edge.signed("hls/later.ts");
    let seen = async |seconds, method: &str| {
        edge.clock.store(seconds, Ordering::Relaxed);
        let answer = edge.send(method, &missing, &[("range", "bytes=0-1")]).await;
        (answer.status, answer.header("x-cache").to_owned(), answer.text())
    };
    assert_eq!(seen(0, "HEAD").await.0, 404);
    let first = seen(0, "GET").await;
    assert_eq!((first.0, first.1.as_str()), (404, "Error from cloudfront"));
    assert!(first.2.contains("<Code>NoSuchKey</Code>"), "{}", first.2);

    // The file comes, and who asked too early waits.
    put(&edge.s3, &edge.file("hls/later.ts")[1..], "", "now").await;
    assert_eq!(seen(9, "GET").await, first);
    assert_eq!(seen(9, "HEAD").await, (404, first.1, String::new()));
    let found = (206, "Miss from cloudfront".to_owned(), "no".to_owned());
    assert_eq!(seen(10, "GET").await, found);

    // An invalidation ends it at once; without a signature the answer says nothing of it.
    let missing = edge.signed("hls/even-later.ts");
    assert_eq!(edge.get(&missing).await.status, 404);
    put(&edge.s3, &edge.file("hls/even-later.ts")[1..], "", "now").await;
    assert_eq!(edge.get(&missing).await.status, 404);
    assert_eq!(
        code(&edge.get(&edge.file("hls/even-later.ts")).await),
        "MissingKey"
    );
    edge.cache.invalidate(&["*".to_owned()]);
    assert_eq!(edge.get(&missing).await.status, 200);
}
