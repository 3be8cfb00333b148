//! Requests to the signer as the edge's origin sends them: no answer is a fault of ours, errors have their form,
//! and only a token or a grant gets anything out of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vod_fuzz::http::{Exchange, FILM, OTHER, SECRET, Stacks};

static STACKS: Stacks = Stacks::each(100_000);

fuzz_target!(|text: &str| STACKS.exchange(text, |stack| &stack.signer, check));

fn check(exchange: &Exchange) {
    let Exchange {
        path,
        has_token,
        has_signature,
        answer,
    } = exchange;
    let (has_token, has_signature) = (*has_token, *has_signature);
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
