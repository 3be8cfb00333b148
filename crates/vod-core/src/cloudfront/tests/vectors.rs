//! The verifier against what openssl, botocore and @aws-sdk/cloudfront-signer made (see
//! `testdata/cloudfront/make_vectors.py`), and the signer against openssl and the verifier.

use proptest::prelude::*;
use serde::Deserialize;

use crate::cloudfront::encoding::{decode, encode};
use crate::cloudfront::*;

const P256: &str = include_str!("../../../testdata/cloudfront/p256.pkcs8.pem");
const P256_PUBLIC: &str = include_str!("../../../testdata/cloudfront/p256.spki.pem");
const RSA: &str = include_str!("../../../testdata/cloudfront/rsa2048.pkcs8.pem");
const RSA_PUBLIC: &str = include_str!("../../../testdata/cloudfront/rsa2048.spki.pem");

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../../testdata/cloudfront/", $name, ".pem"))
    };
}

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
    rsa_sha256: Vec<(String, String, String)>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    url: String,
    cookies: String,
    now: i64,
    address: String,
    answer: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../testdata/cloudfront/vectors.json")).unwrap()
}

pub(super) fn public_keys() -> PublicKeys {
    [("K2P256", P256_PUBLIC), ("K2RSA", RSA_PUBLIC)]
        .map(|(id, pem)| (id.to_owned(), PublicKey::from_pem(pem).unwrap()))
        .into_iter()
        .collect()
}

pub(super) fn keyring(active: &str) -> Keyring {
    let secret = serde_json::json!({"active": active, "keys": [
        {"id": "K2P256", "algorithm": "ES256", "private_pem": P256, "public_pem": P256_PUBLIC},
        {"id": "K2RSA", "algorithm": "RS256", "private_pem": RSA, "public_pem": RSA_PUBLIC},
    ]});
    Keyring::from_json(&secret.to_string()).unwrap()
}

/// `url` in the sections of a request, with the rest as given.
pub(in crate::cloudfront) fn request<'a>(
    url: &'a str,
    cookies: &'a str,
    address: &str,
    now: i64,
) -> Request<'a> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    Request {
        scheme,
        host,
        path,
        query,
        cookies,
        address: address.parse().ok(),
        now,
    }
}

#[test]
fn other_signers_are_judged_as_cloudfront_judges_them() {
    let (keys, vectors) = (public_keys(), vectors());
    assert!(vectors.cases.len() > 100);
    for case in vectors.cases {
        let request = request(&case.url, &case.cookies, &case.address, case.now);
        let answer = match verify(&keys, &request) {
            Ok(_) => "ok".to_owned(),
            Err(denied) => {
                let body = denied.body();
                body.split_once("<Code>")
                    .unwrap()
                    .1
                    .split_once("</Code>")
                    .unwrap()
                    .0
                    .to_owned()
            }
        };
        assert_eq!(answer, case.answer, "{}", case.name);
    }
}

#[test]
fn our_rsa_signatures_are_those_of_openssl() {
    let keyring = keyring("K2RSA");
    for (json, policy, signature) in vectors().rsa_sha256 {
        assert_eq!(encode(json.as_bytes()), policy);
        assert_eq!(
            encode(&keyring.signing_key().sign(json.as_bytes()).unwrap()),
            signature
        );
        let parsed = Policy::parse(json.as_bytes()).unwrap();
        assert_eq!(parsed.to_json(), json);
        assert_eq!(sign(&keyring, &parsed).unwrap().signature, signature);
    }
}

#[test]
fn bodies_of_refusals_are_exact() {
    for (denied, body) in [
        (
            Denied::MissingKey,
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>MissingKey</Code><Message>Missing Key-Pair-Id query parameter or cookie value</Message></Error>"#,
        ),
        (
            Denied::InvalidKey,
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidKey</Code><Message>Unknown Key</Message></Error>"#,
        ),
        (
            Denied::MalformedSignature,
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>MalformedSignature</Code><Message>Could not unencode Signature</Message></Error>"#,
        ),
        (
            Denied::MalformedPolicy,
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>MalformedPolicy</Code><Message>Malformed Policy</Message></Error>"#,
        ),
        (
            Denied::AccessDenied(Reason::Expired),
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>"#,
        ),
    ] {
        assert_eq!(denied.body(), body);
    }
}

#[test]
fn every_form_of_a_key_is_read() {
    for (pem, algorithm) in [
        (pem!("p256.pkcs8"), Algorithm::Es256),
        (pem!("p256.sec1"), Algorithm::Es256),
        (pem!("p256.sec1-params"), Algorithm::Es256),
        (pem!("rsa2048.pkcs8"), Algorithm::Rs256),
        (pem!("rsa2048.pkcs1"), Algorithm::Rs256),
    ] {
        let key = SigningKey::from_pem(pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert!(!format!("{key:?}").contains('/'));
    }
    assert_eq!(
        PublicKey::from_pem(P256_PUBLIC).unwrap().algorithm(),
        Algorithm::Es256
    );
    assert_eq!(
        PublicKey::from_pem(RSA_PUBLIC).unwrap().algorithm(),
        Algorithm::Rs256
    );
}

#[test]
fn a_key_that_cannot_be_used_says_what_it_is() {
    for (pem, message) in [
        (
            pem!("rsa3072.pkcs8"),
            "found an rsa key of 3072 bits; CloudFront takes 2048",
        ),
        (
            pem!("p384.pkcs8"),
            "found `PRIVATE KEY`, but it holds neither an ecdsa p-256 nor an rsa-2048 key",
        ),
        (
            pem!("p256.encrypted"),
            "the key is encrypted; store it without a passphrase",
        ),
        (
            pem!("rsa2048.encrypted"),
            "the key is encrypted; store it without a passphrase",
        ),
        (
            P256_PUBLIC,
            "found `PUBLIC KEY` where PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY is expected",
        ),
        ("hello", "not a pem block (-----BEGIN …)"),
        ("", "not a pem block (-----BEGIN …)"),
        (
            "-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----",
            "not a pem block (-----BEGIN …)",
        ),
    ] {
        assert_eq!(SigningKey::from_pem(pem).unwrap_err().to_string(), message);
    }
    for (pem, message) in [
        (
            pem!("rsa3072.spki"),
            "found an rsa key of 3072 bits; CloudFront takes 2048",
        ),
        (
            pem!("p384.spki"),
            "found `PUBLIC KEY`, but it holds neither an ecdsa p-256 nor an rsa-2048 key",
        ),
        (
            pem!("rsa2048.pkcs1-public"),
            "found `RSA PUBLIC KEY` where PUBLIC KEY (spki) is expected",
        ),
        (P256, "found `PRIVATE KEY` where PUBLIC KEY (spki) is expected"),
    ] {
        assert_eq!(PublicKey::from_pem(pem).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_faulty_secret_says_which_key_and_keeps_it_secret() {
    let entry = |id: &str, algorithm: &str, private: Option<&str>, public: &str| {
        let mut entry = serde_json::json!({"id": id, "algorithm": algorithm, "public_pem": public});
        if let Some(private) = private {
            entry["private_pem"] = private.into();
        }
        entry
    };
    let good = entry("K1", "ES256", Some(P256), P256_PUBLIC);
    let read = |active: &str, keys: &[serde_json::Value]| {
        Keyring::from_json(&serde_json::json!({"active": active, "keys": keys}).to_string())
    };
    assert!(read("K1", &[good.clone(), entry("K0", "RS256", None, RSA_PUBLIC)]).is_ok());
    for (result, message) in [
        (
            read("K2", std::slice::from_ref(&good)),
            "the active key is not among the keys: `K2`",
        ),
        (
            read("K1", &[good.clone(), good.clone()]),
            "two keys have the id `K1`",
        ),
        (
            read("K1", &[entry("K1", "ES256", None, P256_PUBLIC)]),
            "the active key has no private half: `K1`",
        ),
        (
            read("K1", &[entry("K1", "RS256", Some(P256), P256_PUBLIC)]),
            "key `K1` is ES256, not RS256",
        ),
        (
            read("K1", &[entry("K1", "RS256", Some(P256), RSA_PUBLIC)]),
            "key `K1` is ES256, not RS256",
        ),
        (
            read("K1", &[entry("K1", "ES256", Some(P256), P256)]),
            "key `K1`: public key: found `PRIVATE KEY` where PUBLIC KEY (spki) is expected",
        ),
        (
            read("a/b", &[entry("a/b", "ES256", Some(P256), P256_PUBLIC)]),
            "not a key id (letters, digits, - and _ are expected): `a/b`",
        ),
    ] {
        assert_eq!(result.unwrap_err().to_string(), message);
    }
    let mismatch = read("K1", &[entry("K1", "ES256", Some(OTHER_P256), P256_PUBLIC)]).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        "key `K1`: its private and public halves do not belong together"
    );
    let quoting = Keyring::from_json(r#"{"active":"K1","keys":"hush"}"#).unwrap_err();
    assert_eq!(
        quoting.to_string(),
        "the signing secret is not the expected json (line 1, column 28)"
    );
}

/// A second key, to be mistaken for the first.
const OTHER_P256: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIBlnwcQtT30gSkUeXTuHcS1zAvUL5EF9Gz4WPLBkUvLdoAoGCCqGSM49
AwEHoUQDQgAEi6Sb7POPF9xry3l5kVitTKDwE8T/1ftz+gC1uXEj2392wRNiaGx2
LJuUopQRQj93LWXg+Bh7xz/lb7bxT9p7bw==
-----END EC PRIVATE KEY-----
";

#[test]
fn a_canned_url_is_good_for_itself_alone() {
    let keyring = keyring("K2P256");
    let url = "https://d111111abcdef8.cloudfront.net/output/a/video.mp4?x=1";
    let signed = sign_canned(&keyring, url, 100).unwrap().url();
    let at = |signed: &str, now| verify(keyring.public_keys(), &request(signed, "", "192.0.2.1", now));
    assert_eq!(
        at(&signed, 99).unwrap(),
        Verified {
            key_id: "K2P256".to_owned(),
            expires: 100
        }
    );
    assert_eq!(at(&signed, 100), Err(Denied::AccessDenied(Reason::Expired)));
    assert_eq!(
        at(&signed.replace("x=1", "x=2"), 99),
        Err(Denied::AccessDenied(Reason::Signature))
    );
}

#[test]
fn old_signatures_outlive_a_rotation() {
    let (old, new) = (keyring("K2P256"), keyring("K2RSA"));
    let policy = Policy {
        resource: Some("https://e.com/*".into()),
        expires: 100,
        not_before: None,
        source: None,
    };
    let signed = sign(&old, &policy).unwrap().url("https://e.com/a");
    assert!(verify(new.public_keys(), &request(&signed, "", "", 1)).is_ok());
    assert_eq!(sign(&new, &policy).unwrap().key_id, "K2RSA");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn round_trip(
        folder in "[a-z0-9-]{1,12}", file in "[a-zA-Z0-9_./-]{0,16}", own in "([a-z]=[0-9]{0,3})?",
        expires in 2..LATEST_EPOCH, start in proptest::option::of(0i64..1), rsa: bool, flip: prop::sample::Index,
    ) {
        let keyring = keyring(if rsa { "K2RSA" } else { "K2P256" });
        let policy = Policy {
            resource: Some(format!("https://e.com/output/{folder}/*")), expires, not_before: start,
            source: "192.0.2.0/24".parse().ok(),
        };
        let signature = sign(&keyring, &policy).unwrap();
        let plain = format!("https://e.com/output/{folder}/{file}{}{own}", if own.is_empty() { "" } else { "?" });
        let url = signature.url(&plain);
        let cookies = signature.cookies().iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ");
        let check = |url: &str, cookies: &str, now| {
            verify(keyring.public_keys(), &request(url, cookies, "192.0.2.77", now))
        };
        prop_assert!(check(&url, "", expires - 1).is_ok());
        prop_assert!(check(&plain, &cookies, expires - 1).is_ok());
        prop_assert_eq!(check(&url, "", expires), Err(Denied::AccessDenied(Reason::Expired)));
        prop_assert_eq!(without_signature(url.split_once('?').unwrap().1), own.as_str());

        // One bit of policy or signature: never accepted.
        let mut policy = decode(&signature.policy).unwrap();
        let mut bytes = decode(&signature.signature).unwrap();
        let at = flip.index(policy.len() + bytes.len());
        if at < policy.len() { policy[at] ^= 1 } else { bytes[at - policy.len()] ^= 1 }
        let broken = Signature { policy: encode(&policy), signature: encode(&bytes), ..signature };
        prop_assert!(check(&broken.url(&plain), "", 1).is_err());
    }
}
