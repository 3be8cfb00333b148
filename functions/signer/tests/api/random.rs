//! Requests at random: no answer is a fault of ours, errors have their form, and only a token or a grant gets
//! anything out. `fuzz/` looks at the same for longer.

use std::sync::LazyLock;

use axum::body::Body;
use http::{HeaderValue, Method, Request, Uri};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::world::{Answer, World, everything, request};

struct Shared {
    runtime: Runtime,
    world: World,
    grant: String,
    token: String,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let grant = runtime.block_on(world.grant(""));
    Shared {
        runtime,
        world,
        grant,
        token: everything(),
    }
});

/// A part of a path: what the signer knows, what climbs, and anything.
fn segment() -> impl Strategy<Value = String> {
    let known = [
        "api",
        "play",
        "playback",
        "assets",
        "openapi.json",
        "default",
        "hls",
        "video.m3u8",
        "video_360.m3u8",
        "thumbnails",
        "video.vtt",
        "..",
        "%2e%2e",
        ".",
        "",
        "%2f",
        "%00",
        "%ff",
    ];
    let known: Vec<String> = known
        .into_iter()
        .map(str::to_owned)
        .chain([
            SHARED.world.film.clone(),
            SHARED.world.running.clone(),
            SHARED.grant.clone(),
        ])
        .collect();
    prop_oneof![6 => prop::sample::select(known), 1 => "[!$->@-~]{0,8}"]
}

fn path() -> impl Strategy<Value = String> {
    let shared = &*SHARED;
    let routes = [
        "/api/playback".to_owned(),
        "/api/assets".to_owned(),
        format!("/api/assets/{}", shared.world.newer),
        format!(
            "/play/{}/{}/default/hls/video.m3u8",
            shared.grant, shared.world.film
        ),
        format!(
            "/play/{}/{}/default/thumbnails/video.vtt",
            shared.grant, shared.world.film
        ),
    ];
    prop_oneof![
        2 => prop::sample::select(routes.to_vec()),
        3 => prop::collection::vec(segment(), 0..7).prop_map(|segments| format!("/{}", segments.join("/"))),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let names = [
        "asset",
        "source",
        "ttl_seconds",
        "template",
        "ip",
        "limit",
        "after",
        "Policy",
        "x",
    ];
    let values = prop_oneof![
        Just(SHARED.world.film.clone()),
        Just("input%2Fmy+film.mp4".to_owned()),
        Just("192.0.2.0/24".to_owned()),
        "-?[0-9]{1,20}",
        "[!-~]{0,10}",
        "(%[0-9a-f]{2}){0,4}",
    ];
    let pair =
        (prop::sample::select(names.to_vec()), values).prop_map(|(name, value)| format!("{name}={value}"));
    prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let names = [
        "x-viewer-host",
        "host",
        "cloudfront-viewer-address",
        "x-viewer-authorization",
        "authorization",
        "x-viewer-accept-encoding",
        "cookie",
        "range",
        "if-none-match",
        "content-type",
        "content-length",
    ];
    let values = prop_oneof![
        Just(SHARED.token.clone().into_bytes()),
        Just(b"127.0.0.1:8080".to_vec()),
        Just(b"gzip;q=0.1, *;q=0".to_vec()),
        "[ -~]{0,12}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec((prop::sample::select(names.to_vec()), values), 0..4)
}

/// `None` if HTTP has no such request.
fn made(
    method: &str,
    path: &str,
    query: &str,
    headers: Vec<(&'static str, Vec<u8>)>,
    admitted: bool,
) -> Option<Request<Body>> {
    let question = if query.is_empty() { "" } else { "?" };
    let uri: Uri = format!("{path}{question}{query}").parse().ok()?;
    let mut made = request("GET", "/", if admitted { &SHARED.token } else { "" });
    *made.uri_mut() = uri;
    *made.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    for (name, value) in headers {
        made.headers_mut()
            .append(name, HeaderValue::from_bytes(&value).ok()?);
    }
    Some(made)
}

fn check(answer: &Answer, path: &str, may_see: bool) {
    let status = answer.status.as_u16();
    assert!(status < 500, "{path}: {status}");
    match answer.header("content-type") {
        // The answer to HEAD has no body.
        _ if answer.body.is_empty() => {}
        "application/problem+json" => assert_eq!(answer.json()["status"], status, "{path}"),
        "text/xml" => assert_eq!(status, 403, "{path}"),
        _ => assert!(
            status < 400 || answer.body.is_empty(),
            "{path}: an error of no form"
        ),
    }
    if answer.status.is_success() {
        assert!(may_see || path == "/api/openapi.json", "{path} is open");
    }
}

proptest! {
    #[test]
    fn no_request_is_a_fault_of_ours(
        method in prop_oneof![8 => Just("GET"), 1 => Just("HEAD"), 1 => Just("POST")],
        path in path(), query in query(), headers in headers(), admitted: bool,
    ) {
        let token = SHARED.token.as_bytes();
        let may_see = admitted || path.contains(&SHARED.grant) || headers.iter().any(|(_, value)| value == token);
        if let Some(request) = made(method, &path, &query, headers, admitted) {
            let answer = SHARED.runtime.block_on(SHARED.world.send(request));
            check(&answer, &path, may_see);
        }
    }
}
