//! Requests to the edge: no answer is a fault of ours, nothing below `output/` leaves without a signature for it,
//! and nothing else of the bucket leaves at all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vod_fuzz::http::{Exchange, FILM, OTHER, SECRET, Stacks};

static STACKS: Stacks = Stacks::each(20_000);

fuzz_target!(|text: &str| STACKS.exchange(text, |stack| &stack.edge, check));

fn check(exchange: &Exchange) {
    let Exchange {
        path,
        has_token,
        has_signature,
        answer,
    } = exchange;
    let (has_token, has_signature) = (*has_token, *has_signature);
    assert!(answer.status.as_u16() < 500, "{path}: {}", answer.status);
    assert!(!answer.says(SECRET), "{path} lets out what no viewer may see");
    assert!(
        !answer.says(OTHER),
        "{path} lets out a film without a signature for it"
    );
    assert!(
        has_signature || !answer.says(FILM),
        "{path} lets out a film without a signature"
    );
    let signs = path.starts_with("/api/") && has_token;
    assert!(
        signs || answer.header("set-cookie").is_empty(),
        "{path} hands out cookies"
    );
    if answer.status.is_success() {
        let open =
            path == "/" || path == "/healthz" || path.starts_with("/web/") || path == "/api/openapi.json";
        let admitted = if path.starts_with("/api/") {
            has_token
        } else {
            has_signature
        };
        assert!(open || admitted, "{path} is open");
    }
}
