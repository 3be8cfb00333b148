//! Requests at random: no answer is a fault of ours, nothing below `output/` leaves without its signature, and
//! nothing else of the bucket leaves at all. `fuzz/` looks at the same for longer.

use std::sync::LazyLock;

use http::Uri;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::testing::{Answer, NOW, TestEdge, token};

struct Shared {
    runtime: Runtime,
    edge: TestEdge,
    query: String,
    cookies: String,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let edge = runtime.block_on(TestEdge::new());
    let link = edge.signature(NOW + 60);
    let cookies = link.cookies();
    let cookies: Vec<String> = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    Shared {
        runtime,
        edge,
        query: link.query(),
        cookies: cookies.join("; "),
    }
});

/// A part of a path: what the bucket holds, what climbs, and anything.
fn segment() -> impl Strategy<Value = String> {
    let known = [
        "output",
        "input",
        "catalog",
        "jobs",
        "web",
        "play",
        "api",
        "playback",
        "index.html",
        "default",
        "hls",
        "video.m3u8",
        "video_360_00001.ts",
        "mp4",
        "video.mp4",
        "my%20film.mp4",
        "..",
        "%2e%2e",
        ".",
        "",
        "%2f",
        "%5c",
        "%00",
        "%ff",
        "healthz",
    ];
    let edge = &SHARED.edge;
    let ids = [edge.asset.clone(), edge.other.clone()];
    let known: Vec<String> = known.into_iter().map(str::to_owned).chain(ids).collect();
    prop_oneof![8 => prop::sample::select(known), 1 => "[!$->@-~]{0,8}"]
}

fn path() -> impl Strategy<Value = String> {
    let edge = &SHARED.edge;
    let files = [
        edge.file("hls/video_360_00001.ts"),
        edge.file("odd/a%20b+c%25%C3%A9.jpg"),
        format!("/output/{}/default/mp4/video.mp4", edge.other),
        "/api/playback".to_owned(),
        "/api/assets".to_owned(),
        "/".to_owned(),
    ];
    prop_oneof![
        1 => prop::sample::select(files.to_vec()),
        2 => prop::collection::vec(segment(), 0..6).prop_map(|segments| format!("/{}", segments.join("/"))),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names = [
        "cookie",
        "range",
        "if-range",
        "if-none-match",
        "if-modified-since",
        "accept-encoding",
        "origin",
        "x-viewer-host",
        "x-viewer-distribution",
        "x-viewer-authorization",
        "authorization",
        "x-forwarded-for",
        "cloudfront-viewer-address",
    ];
    let values = prop_oneof![
        2 => Just("bytes=2-5".to_owned()),
        1 => "bytes=[0-9]{0,20}-[0-9]{0,20}(,[0-9-]{0,5})?",
        1 => "(W/)?\"[a-z0-9]{0,4}\"",
        1 => Just("Thu, 01 Jan 2026 00:00:00 GMT".to_owned()),
        1 => Just("gzip, br;q=0".to_owned()),
        1 => "[!-~][ -~]{0,10}[!-~]",
    ];
    prop::collection::vec((prop::sample::select(names.to_vec()), values), 0..4)
}

/// What the request says of who asks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
    Nobody,
    Query,
    Cookies,
    Token,
}

fn ask(method: &str, path: &str, headers: &[(&'static str, String)], who: Who) -> Option<Answer> {
    let target = match who {
        Who::Query => format!("{path}?{}", SHARED.query),
        _ => path.to_owned(),
    };
    // What a client cannot write, it cannot send.
    format!("http://{}{target}", SHARED.edge.edge)
        .parse::<Uri>()
        .ok()?;
    let bearer = token();
    let mut all: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    match who {
        Who::Cookies => all.push(("cookie", &SHARED.cookies)),
        Who::Token => all.push(("authorization", &bearer)),
        Who::Nobody | Who::Query => {}
    }
    let answer = SHARED.edge.send(method, &target, &all);
    Some(SHARED.runtime.block_on(answer))
}

proptest! {
    #[test]
    fn no_request_gets_more_than_it_may(
        method in prop_oneof![8 => Just("GET"), 1 => Just("HEAD"), 1 => Just("OPTIONS"), 1 => Just("PUT")],
        path in path(), headers in headers(),
        who in prop::sample::select(vec![Who::Nobody, Who::Query, Who::Cookies, Who::Token]),
    ) {
        if let Some(answer) = ask(method, &path, &headers, who) {
            let text = String::from_utf8_lossy(&answer.body);
            prop_assert!(answer.status < 500, "{} {}: {}", method, path, answer.status);
            prop_assert!(!text.contains("secret"), "{} is an upload", path);
            let edge = &SHARED.edge;
            let own = format!("/output/{}/", edge.asset);
            let open = ["/web/", "/healthz", "/api/openapi.json"];
            let may = path == "/" || open.iter().any(|open| path.starts_with(open)) || match who {
                Who::Nobody => false,
                Who::Query | Who::Cookies => path.starts_with(&own),
                Who::Token => path.starts_with("/api/"),
            };
            prop_assert!(may || answer.status >= 300, "{} {} answers {}", method, path, answer.status);
            prop_assert!(who == Who::Token || answer.header("set-cookie").is_empty());
        }
    }
}
