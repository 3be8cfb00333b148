//! Requests to the API port, signed (`@s3 PUT /vod/a`) and not: no answer is a fault of ours, unless it says that
//! a thing is not done here, and without a signature nothing is.
#![no_main]

use http::{Method, StatusCode};
use libfuzzer_sys::fuzz_target;
use vod_fuzz::http::{SECRET, Stacks, Text};

static STACKS: Stacks = Stacks::each(2_000);

fuzz_target!(|text: &str| {
    STACKS.with(|stack| {
        let Some(text) = Text::parse(text, stack) else {
            return;
        };
        let (method, uri) = (text.request.method().clone(), text.request.uri().clone());
        let service = text.service.clone();
        let request = match &service {
            Some(service) => stack.sign(service, text.request),
            None => Some(text.into_request()),
        };
        let Some(request) = request else { return };
        let answer = stack.send(&stack.api, request);
        let fine = answer.status.as_u16() < 500 || answer.status == StatusCode::NOT_IMPLEMENTED;
        assert!(
            fine,
            "{method} {uri}: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        if service.is_none() {
            let preflight = method == Method::OPTIONS;
            assert!(
                preflight || !answer.status.is_success(),
                "{method} {uri} needs no signature"
            );
            assert!(!answer.says(SECRET), "{method} {uri}");
        }
    });
});
