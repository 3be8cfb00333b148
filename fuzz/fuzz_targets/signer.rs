//! Requests to the signer as the edge's origin sends them: no answer is a fault of ours, errors have their form,
//! and only a token or a grant gets anything out of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vod_fuzz::http::{Answer, FILM, OTHER, SECRET, Text, Worlds};

static WORLDS: Worlds = Worlds::each(100_000);

fuzz_target!(|text: &str| {
    WORLDS.with(|world| {
        let Some(text) = Text::parse(text, world) else {
            return;
        };
        let (has_token, has_signature) = (text.has_token, text.has_signature);
        let path = text.request.uri().path().to_owned();
        let answer = world.send(&world.signer, text.into_request());
        check(&path, &answer, has_token, has_signature);
    });
});

fn check(path: &str, answer: &Answer, has_token: bool, has_signature: bool) {
    let status = answer.status.as_u16();
    assert!(status < 500, "{path}: {status}");
    assert!(
        !answer.says(SECRET) && !answer.says(OTHER),
        "{path} lets out what it must not"
    );
    assert!(
        has_signature || !answer.says(FILM),
        "{path} lets out a playlist without a grant"
    );
    match answer.header("content-type") {
        // The answer to HEAD has no body.
        _ if answer.body.is_empty() => {}
        "application/problem+json" => {
            let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("a problem is JSON");
            assert_eq!(body["status"], status);
        }
        "text/xml" => assert_eq!(status, 403, "{path}"),
        _ => assert!(status < 400, "{path}: an error of no form"),
    }
    if answer.status.is_success() {
        assert!(
            has_token || has_signature || path == "/api/openapi.json",
            "{path} is open"
        );
        let kept = answer.header("cache-control");
        assert!(
            kept.contains("no-store") || path == "/api/openapi.json",
            "{path} may be kept: {kept}"
        );
    }
}
