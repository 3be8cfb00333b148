//! Grants: one text per grant, a query that needs no escapes, and no entry without a signature. `{grant}` stands
//! for a good one.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vod_core::cloudfront::{Keyring, Request, without_signature};
use vod_core::grant::{Grant, MAX_LEN};
use vod_fuzz::keys;

static KEYS: LazyLock<Keyring> = LazyLock::new(keys::keyring);
static GOOD: LazyLock<String> = LazyLock::new(|| Grant::from(keys::signature(&KEYS)).encode());

fuzz_target!(|text: &str| {
    let (text, path) = text
        .split_once('\n')
        .unwrap_or((text, "/output/{film}/default/hls/video.m3u8"));
    let text = text.replace("{grant}", &GOOD);
    let path = path.replace("{film}", keys::film().as_str());
    let Ok(grant) = Grant::decode(&text) else {
        assert_ne!(text, *GOOD);
        return;
    };
    assert!(text.len() <= MAX_LEN);
    assert_eq!(grant.encode(), text, "one text per grant");
    let query = grant.to_query();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~=&".contains(&byte);
    assert!(query.bytes().all(plain), "{query}");
    assert_eq!(without_signature(&query), "", "nothing but the signature");
    let viewer = Request {
        scheme: "http",
        host: keys::HOST,
        path: &path,
        query: "Policy=ignored",
        cookies: "",
        address: None,
        now: keys::NOW,
    };
    let opened = grant.verify(KEYS.public_keys(), &viewer).is_ok();
    let own = path.starts_with(&format!("/output/{}/", keys::film()));
    assert_eq!(opened, own && text == *GOOD, "{path}");
});
