//! Random input as any client can send it: the same properties that `fuzz/` checks for longer.

mod playlists;
mod signatures;
mod templates;

use serde_json::json;
use vod_core::asset::AssetId;
use vod_core::cloudfront::{Keyring, Policy, Signature, sign};

const NOW: i64 = 1_767_225_600;
const HOST: &str = "127.0.0.1:8080";

fn keyring() -> Keyring {
    let secret = json!({"active": "K2", "keys": [{
        "id": "K2",
        "algorithm": "ES256",
        "private_pem": include_str!("../../testdata/cloudfront/p256.pkcs8.pem"),
        "public_pem": include_str!("../../testdata/cloudfront/p256.spki.pem"),
    }]});
    Keyring::from_json(&secret.to_string()).expect("the test keys are good")
}

/// The film for which links are made.
fn film() -> AssetId {
    AssetId::new("vod", "input/my film.mp4", None, "1")
}

/// The one signature there is: for the film, for a minute.
fn signature() -> Signature {
    let policy = Policy {
        resource: Some(format!("http://{HOST}/output/{}/*", film())),
        expires: NOW + 60,
        not_before: None,
        source: None,
    };
    sign(&keyring(), &policy).expect("signing works")
}
