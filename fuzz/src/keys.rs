//! The keys of the stack: those of vod-core's test vectors.

use serde_json::json;
use vod_core::asset::AssetId;
use vod_core::cloudfront::{Keyring, Policy, Signature, sign};

/// Seconds since the epoch at which everything happens.
pub const NOW: i64 = 1_767_225_600;
/// Under which name viewers know the edge.
pub const HOST: &str = "127.0.0.1:8080";
/// The only bucket.
pub const BUCKET: &str = "vod";

const P256: &str = include_str!("../../crates/vod-core/testdata/cloudfront/p256.pkcs8.pem");
const P256_PUBLIC: &str = include_str!("../../crates/vod-core/testdata/cloudfront/p256.spki.pem");

/// One key, active.
pub fn keyring() -> Keyring {
    let secret = json!({"active": "K2", "keys": [
        {"id": "K2", "algorithm": "ES256", "private_pem": P256, "public_pem": P256_PUBLIC}
    ]});
    Keyring::from_json(&secret.to_string()).expect("the test keys are good")
}

/// The film for which signatures are made.
pub fn film() -> AssetId {
    AssetId::new(BUCKET, "input/my film.mp4", None, "1")
}

/// A film for which none is made.
pub fn other_film() -> AssetId {
    AssetId::new(BUCKET, "input/other.mp4", None, "1")
}

/// The signature of a link to [`film`].
pub fn signature(keyring: &Keyring) -> Signature {
    let policy = Policy {
        resource: Some(format!("http://{HOST}/output/{}/*", film())),
        expires: NOW + 60,
        not_before: None,
        source: None,
    };
    sign(keyring, &policy).expect("signing works")
}
