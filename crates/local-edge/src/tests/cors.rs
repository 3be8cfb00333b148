//! Pages of other sites: who may read what, and who is asked first.

use super::*;

const SITE: &str = "https://blog.example.org";
const LOCAL: &str = "http://localhost:3000";
const FOREIGN: [&str; 6] = [
    "https://evil.example.org",
    "http://blog.example.org",
    "https://blog.example.org:8443",
    "https://blog.example.org.evil.example",
    "https://x.blog.example.org",
    "null",
];

/// What an answer allows: origin, methods and headers.
fn leave(answer: &Answer) -> [&str; 3] {
    ["origin", "methods", "headers"].map(|what| answer.header(&format!("access-control-allow-{what}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_be_sent_by_pages_of_allowed_origins_alone() {
    let edge = TestEdge::shared_with(&[SITE, LOCAL], None).await;
    let ask = async |path: &str, origin: &str| {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "authorization"),
        ];
        edge.send("OPTIONS", path, &asked).await
    };
    for origin in [SITE, LOCAL] {
        for path in ["/api/playback?asset=x", "/play/g/x/video.m3u8"] {
            let answer = ask(path, origin).await;
            assert_eq!((answer.status, answer.body.len()), (204, 0));
            assert_eq!(leave(&answer), [origin, "GET, HEAD, OPTIONS", "Authorization"]);
            assert_eq!(answer.header("access-control-max-age"), "3600");
        }
    }
    for origin in FOREIGN {
        let answer = ask("/api/playback?asset=x", origin).await;
        assert_eq!((answer.status, leave(&answer)), (204, ["", "", ""]), "{origin}");
    }
    // What needs no leave is not asked for it.
    for path in [&edge.signed("mp4/video.mp4"), "/web/app.js", "/"] {
        assert_eq!(ask(path, SITE).await.status, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_alone_may_read_answers() {
    let edge = TestEdge::shared_with(&[SITE, LOCAL], None).await;
    let body = edge.playback().await;
    let (hls, file) = (edge.path_of(&body["hls"]), edge.signed("hls/video_360_00001.ts"));
    let unsigned = edge.file("mp4/video.mp4");
    let paths = [
        ("/api/playback", 401),
        (hls.as_str(), 200),
        (file.as_str(), 200),
        (unsigned.as_str(), 403),
        ("/web/app.js", 200),
    ];
    for (path, status) in paths {
        // The second time from the cache, and each for another page.
        for origin in [SITE, LOCAL, SITE] {
            let answer = edge.send("GET", path, &[("origin", origin)]).await;
            assert_eq!(
                (answer.status, answer.header("access-control-allow-origin")),
                (status, origin),
                "{path}"
            );
            assert!(
                answer
                    .header("access-control-expose-headers")
                    .contains("Retry-After")
            );
            let vary = answer
                .headers
                .get_all("vary")
                .iter()
                .filter(|value| *value == "Origin");
            assert_eq!(vary.count(), 1, "{path}");
        }
        for origin in FOREIGN {
            let answer = edge.send("GET", path, &[("origin", origin)]).await;
            assert_eq!(
                (answer.status, leave(&answer)),
                (status, ["", "", ""]),
                "{path} {origin}"
            );
        }
        let answer = edge.get(path).await;
        assert_eq!((answer.status, leave(&answer)), (status, ["", "", ""]), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    let page = edge.send("GET", "/", &[("origin", SITE)]).await;
    assert_eq!((page.status, leave(&page)), (200, ["", "", ""]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_allowed_origins_no_page_of_another_site_reads_anything() {
    let edge = TestEdge::new().await;
    for path in ["/api/playback", &edge.signed("mp4/video.mp4"), "/web/app.js"] {
        let answer = edge.send("GET", path, &[("origin", SITE)]).await;
        assert_eq!(
            (leave(&answer), answer.headers.get("vary")),
            (["", "", ""], None),
            "{path}"
        );
    }
    assert_eq!(
        edge.send("OPTIONS", "/api/playback", &[("origin", SITE)])
            .await
            .status,
        403
    );
}
