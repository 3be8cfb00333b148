//! Keys: what a notification encodes is decoded once and whole, and whatever the key is, what we make of it is
//! safe in a path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vod_core::asset::AssetId;
use vod_core::events::decode_key;
use vod_core::keys;

fuzz_target!(|text: &str| {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    assert_eq!(decode_key(&encoded).as_deref(), Ok(text), "a key comes back");
    if let Ok(key) = decode_key(text) {
        let again: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
        assert_eq!(decode_key(&again), Ok(key), "a decoded key encodes again");
    }

    let (key, version) = text.split_once('\n').unwrap_or((text, ""));
    let id = AssetId::new("vod", key, Some(version), "etag");
    assert_eq!(id.as_str().parse::<AssetId>().as_ref(), Ok(&id));
    assert!(id.as_str().starts_with(&AssetId::key_prefix("vod", key)));
    assert_eq!(keys::asset_of_record(&keys::record_key(&id)), Some(id));
    if let Ok(id) = text.parse::<AssetId>() {
        assert!(is_safe(id.as_str()), "{id}");
    }
    for template in [text.to_owned(), format!("jobs/{text}.json")] {
        if let Some(name) = keys::template_name(&template) {
            assert!(is_safe(&name) && name.len() <= 71, "{name}");
        }
    }
});

/// One segment of a path that needs no escapes and does not climb.
fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
