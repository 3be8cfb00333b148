//! Signed requests: the verifier opens what was signed, and nothing else.
//!
//! Lines are host, path, query and cookies of a request, then a policy's JSON and a pattern of URLs. `{query}`,
//! `{cookies}` and `{film}` stand for what a viewer of the film has.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vod_core::cloudfront::{
    Denied, Keyring, Policy, PublicKey, Request, Signature, encoding, sign, verify, without_signature,
};
use vod_fuzz::keys;

static KEYS: LazyLock<Keyring> = LazyLock::new(keys::keyring);
static LINK: LazyLock<Signature> = LazyLock::new(|| keys::signature(&KEYS));

fuzz_target!(|text: &str| {
    let cookies: Vec<String> = LINK
        .cookies()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let filled = text
        .replace("{query}", &LINK.query())
        .replace("{cookies}", &cookies.join("; "))
        .replace("{film}", keys::film().as_str());
    let mut lines = filled.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let request = Request {
        scheme: "http",
        host: line(),
        path: line(),
        query: line(),
        cookies: line(),
        address: "192.0.2.7".parse().ok(),
        now: keys::NOW,
    };
    opened(&request);
    policy(line());
    pattern(line(), &request);
    texts(text);
});

/// The only signature in the stack is for the film, below its folder, until 60 seconds from now.
fn opened(request: &Request<'_>) {
    let Ok(verified) = verify(KEYS.public_keys(), request) else {
        return;
    };
    assert_eq!(
        (verified.key_id.as_str(), verified.expires),
        ("K2", keys::NOW + 60)
    );
    assert_eq!(request.host, keys::HOST);
    assert!(
        request.path.starts_with(&format!("/output/{}/", keys::film())),
        "{}",
        request.path
    );
    let told = format!("{}\n{}", request.query, request.cookies);
    let decoded = percent_encoding::percent_decode_str(&told).decode_utf8_lossy();
    assert!(
        decoded.contains(&LINK.signature) && decoded.contains(&LINK.policy),
        "opened without a signature"
    );
    let late = Request {
        now: keys::NOW + 60,
        ..*request
    };
    assert!(verify(KEYS.public_keys(), &late).is_err(), "it ends");
    assert!(
        verify(&Default::default(), request) == Err(Denied::InvalidKey),
        "no key, no entry"
    );
}

fn policy(json: &str) {
    let Ok(policy) = Policy::parse(json.as_bytes()) else {
        return;
    };
    assert_eq!(
        Policy::parse(policy.to_json().as_bytes()).as_ref(),
        Ok(&policy),
        "a policy reads back"
    );
}

/// What a signed pattern opens: a URL without wildcards itself alone.
fn pattern(resource: &str, request: &Request<'_>) {
    if resource.is_empty() {
        return;
    }
    let policy = Policy {
        resource: Some(resource.to_owned()),
        expires: keys::NOW + 1,
        not_before: None,
        source: None,
    };
    let Ok(signature) = sign(&KEYS, &policy) else {
        return;
    };
    let own = without_signature(request.query);
    let query = if own.is_empty() {
        signature.query()
    } else {
        format!("{own}&{}", signature.query())
    };
    let opens = verify(
        KEYS.public_keys(),
        &Request {
            query: &query,
            ..*request
        },
    )
    .is_ok();
    if !resource.contains(['*', '?', '\\']) && opens {
        let path = if resource.matches('/').count() == 2 {
            "/"
        } else {
            ""
        };
        assert_eq!(
            format!("{resource}{path}"),
            format!("http://{}{}", request.host, request.path)
        );
        assert!(own.is_empty());
    }
    let all = Policy {
        resource: Some("*".to_owned()),
        ..policy
    };
    let all = sign(&KEYS, &all)
        .map(|signature| signature.query())
        .unwrap_or_default();
    let query = if own.is_empty() {
        all
    } else {
        format!("{own}&{all}")
    };
    assert!(
        verify(
            KEYS.public_keys(),
            &Request {
                query: &query,
                ..*request
            }
        )
        .is_ok(),
        "* opens everything"
    );
}

fn texts(text: &str) {
    if let Ok(bytes) = encoding::decode(text) {
        assert_eq!(encoding::encode(&bytes), text, "one text per value");
    }
    let _ = PublicKey::from_pem(text);
    let _ = Keyring::from_json(text);
    let query = without_signature(text);
    assert_eq!(without_signature(&query), query);
}
