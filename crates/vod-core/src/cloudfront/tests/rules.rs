//! Rules of the developer guide that no vector shows; `docs/signatures.md` says which test holds which rule.

use super::vectors::{keyring, public_keys, request};
use crate::cloudfront::encoding::encode;
use crate::cloudfront::*;

const FOLDER: &str = "https://d111111abcdef8.cloudfront.net/v/abc/*";
const FILE: &str = "https://d111111abcdef8.cloudfront.net/v/abc/1.ts";
const END: i64 = 1_767_290_400;

fn policy(resource: &str) -> Policy {
    Policy {
        resource: Some(resource.to_owned()),
        expires: END,
        not_before: None,
        source: None,
    }
}

#[test]
fn a_policy_is_encoded_as_in_the_guide() {
    // Made with the guide's own line: openssl base64 -A | tr -- '+=/' '-_~'.
    assert_eq!(
        encode(policy(FOLDER).to_json().as_bytes()),
        "eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNlIjoiaHR0cHM6Ly9kMTExMTExYWJjZGVmOC5jbG91ZGZyb250Lm5ldC92L2FiYy8qIiwiQ29uZGl0\
         aW9uIjp7IkRhdGVMZXNzVGhhbiI6eyJBV1M6RXBvY2hUaW1lIjoxNzY3MjkwNDAwfX19XX0_"
    );
}

#[test]
fn signatures_have_the_known_lengths() {
    let length = |key: &str| sign(&keyring(key), &policy(FOLDER)).unwrap().signature.len();
    assert_eq!(length("K2RSA"), 344);
    // DER leaves out leading zeros, so now and then it is a few bytes shorter.
    assert!((88..=96).contains(&length("K2P256")), "{}", length("K2P256"));
}

#[test]
fn parameters_follow_the_own_ones_in_this_order() {
    let names = |url: String| {
        let query = url.split_once('?').unwrap().1.to_owned();
        let names: Vec<_> = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap().0)
            .collect();
        names.join(" ")
    };
    for key in ["K2P256", "K2RSA"] {
        let (keyring, own) = (keyring(key), format!("{FILE}?size=1"));
        let custom = sign(&keyring, &policy(FOLDER)).unwrap();
        let canned = sign_canned(&keyring, &own, END).unwrap();
        assert_eq!(
            names(custom.url(&own)),
            "size Policy Signature Key-Pair-Id Hash-Algorithm"
        );
        assert_eq!(
            names(custom.url(FILE)),
            "Policy Signature Key-Pair-Id Hash-Algorithm"
        );
        assert_eq!(
            names(canned.url()),
            "size Expires Signature Key-Pair-Id Hash-Algorithm"
        );
        // A policy and an end at once, as one well-known signer has them, are never made.
        let cookies = [custom.cookies(), canned.cookies()].map(|cookies| cookies.map_names());
        assert_eq!(cookies[0], "Policy Signature Key-Pair-Id Hash-Algorithm");
        assert_eq!(cookies[1], "Expires Signature Key-Pair-Id Hash-Algorithm");
    }
}

trait Names {
    fn map_names(&self) -> String;
}

impl Names for Vec<(&'static str, String)> {
    fn map_names(&self) -> String {
        let names: Vec<_> = self
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(COOKIE_PREFIX))
            .collect();
        assert_eq!(names.len(), self.len());
        names.join(" ")
    }
}

#[test]
fn canned_cookies_are_good_for_one_file() {
    for key in ["K2P256", "K2RSA"] {
        let canned = sign_canned(&keyring(key), FILE, END).unwrap();
        let cookies: Vec<_> = canned
            .cookies()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let at =
            |url: &str, now| verify(&public_keys(), &request(url, &cookies.join("; "), "", now)).map(drop);
        assert_eq!(at(FILE, END - 1), Ok(()));
        assert_eq!(at(FILE, END), Err(Denied::AccessDenied(Reason::Expired)));
        let other = FILE.replace("1.ts", "2.ts");
        assert_eq!(at(&other, END - 1), Err(Denied::AccessDenied(Reason::Signature)));
        assert!(!format!("{canned:?}").contains(&canned.cookies()[1].1));
    }
}

#[test]
fn cookies_are_for_files_below_and_a_query_of_ones_own_leaves_them_alone() {
    let cookies = sign(&keyring("K2P256"), &policy(FOLDER)).unwrap().cookies();
    let cookies: Vec<_> = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let at = |url: &str| verify(&public_keys(), &request(url, &cookies.join(";"), "", END - 1)).map(drop);
    assert_eq!(at(FILE), Ok(()));
    assert_eq!(at(&format!("{FILE}?policy=1&expires=2")), Ok(()));
    for name in PARAMETERS {
        // Even without a value, and with anything beside it.
        for query in [
            name.to_owned(),
            format!("{name}="),
            format!("x=1&{name}=y"),
            format!("{name}=%20"),
        ] {
            assert!(at(&format!("{FILE}?{query}")).is_err(), "{query}");
        }
    }
}

#[test]
fn text_is_utf_8() {
    let text = Policy::parse(
        "{\"Statement\":[{\"Resource\":\"https://e.com/\u{e9}*\",\"Condition\":{\"DateLessThan\":\
        {\"AWS:EpochTime\":5}}}]}"
            .as_bytes(),
    );
    assert_eq!(text.unwrap().resource.as_deref(), Some("https://e.com/\u{e9}*"));
    let latin = b"{\"Statement\":[{\"Resource\":\"https://e.com/\xe9*\",\"Condition\":{\"DateLessThan\":{\"AWS:EpochTime\":5}}}]}";
    assert!(matches!(Policy::parse(latin), Err(PolicyError::Shape(_))));
}

#[test]
fn a_missing_part_is_named() {
    // By analogy with what is known of the first: the other two seem to be undocumented.
    for (denied, name) in [
        (Denied::MissingKey, "Key-Pair-Id"),
        (Denied::MissingSignature, "Signature"),
        (Denied::MissingPolicy, "Policy"),
    ] {
        let message = format!("<Message>Missing {name} query parameter or cookie value</Message>");
        assert!(denied.body().contains(&message), "{}", denied.body());
    }
}
