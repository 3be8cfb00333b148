//! What is kept, for how long, and whom it is given to.

use super::*;

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
