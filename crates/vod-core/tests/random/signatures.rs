//! Queries, cookies and grants of any kind: nothing opens but what was signed.

use std::sync::LazyLock;

use proptest::prelude::*;
use vod_core::cloudfront::{Keyring, Policy, Request, Signature, verify, without_signature};
use vod_core::grant::Grant;

use crate::{HOST, NOW, film, keyring, signature};

static KEYS: LazyLock<Keyring> = LazyLock::new(keyring);
static LINK: LazyLock<Signature> = LazyLock::new(signature);

fn cookies() -> String {
    let pairs: Vec<String> = LINK
        .cookies()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("; ")
}

/// Parts of a good link, and what may come between.
fn parts(separator: &'static str, prefix: &'static str) -> impl Strategy<Value = String> {
    let good = [
        format!("Policy={}", LINK.policy),
        format!("Signature={}", LINK.signature),
        "Key-Pair-Id=K2".to_owned(),
        "Hash-Algorithm=SHA256".to_owned(),
    ];
    let part = prop_oneof![
        4 => prop::sample::select(good.to_vec()),
        1 => "(Policy|Signature|Key-Pair-Id|Expires|Hash-Algorithm)=[A-Za-z0-9_~-]{0,8}",
        1 => r"[a-z%=&;]{0,6}",
    ];
    let named = move |part: String| {
        if part.contains('-') || part.starts_with(['P', 'S', 'E']) {
            format!("{prefix}{part}")
        } else {
            part
        }
    };
    prop::collection::vec(part.prop_map(named), 0..7).prop_map(move |parts| parts.join(separator))
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("/output/{}/default/hls/video.m3u8", film())),
        Just(format!("/output/{}/../x", film())),
        Just(format!("/output/{}", film())),
        "/output/[a-z0-9/-]{0,20}",
        r"/\PC{0,12}",
    ]
}

proptest! {
    #[test]
    fn only_what_was_signed_opens(
        path in path(), query in parts("&", ""), cookies in prop_oneof![Just(cookies()), parts("; ", "CloudFront-")],
        host in prop_oneof![3 => Just(HOST.to_owned()), 1 => "[a-z.]{1,8}"], late in 0_i64..120,
    ) {
        let request = Request {
            scheme: "http", host: &host, path: &path, query: &query, cookies: &cookies, address: None, now: NOW + late,
        };
        if verify(KEYS.public_keys(), &request).is_ok() {
            let folder = format!("/output/{}/", film());
            prop_assert!(path.starts_with(&folder), "{}", path);
            prop_assert!(host == HOST && late < 60, "{} {}", host, late);
            let sent = format!("{query}{cookies}");
            prop_assert!(sent.contains(&LINK.signature) && sent.contains(&LINK.policy), "{}", sent);
        }
        let own = without_signature(&query);
        prop_assert_eq!(without_signature(&own), own.as_ref());
    }

    #[test]
    fn a_grant_has_one_text(
        text in prop_oneof![r"[A-Za-z0-9_.-]{0,40}", r"[A-Za-z0-9_-]{1,8}\.[A-Za-z0-9_-]{1,8}\.K2\.SHA(1|256)", r"\PC{0,24}"],
    ) {
        if let Ok(grant) = Grant::decode(&text) {
            prop_assert_eq!(grant.encode(), text);
            let query = grant.to_query();
            prop_assert!(query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~=&".contains(&byte)));
            prop_assert_eq!(without_signature(&query), "");
        }
    }

    #[test]
    fn a_policy_reads_back(
        json in prop_oneof![
            r#"\{"Statement":\[?\{("Resource":"[a-z:/*?\\"]{0,8}",)?"Condition":\{"DateLessThan":\{"AWS:EpochTime":-?[0-9]{1,11}\}(,"IpAddress":\{"AWS:SourceIp":"[0-9./]{1,12}"\})?\}\}\]?\}"#,
            r"\PC{0,40}",
        ],
    ) {
        if let Ok(policy) = Policy::parse(json.as_bytes()) {
            prop_assert_eq!(Policy::parse(policy.to_json().as_bytes()), Ok(policy));
        }
    }
}
