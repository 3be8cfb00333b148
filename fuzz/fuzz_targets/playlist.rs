//! Playlists: line by line as they were, with the signature on own files only, where a browser's idea of a URL
//! decides what is own.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use url::Url;
use vod_core::grant::Grant;
use vod_core::playlist::{m3u8, mpd, webvtt};
use vod_fuzz::keys;

static GRANT: LazyLock<Grant> = LazyLock::new(|| Grant::from(keys::signature(&keys::keyring())));
static QUERY: LazyLock<String> = LazyLock::new(|| GRANT.to_query());
static TOKEN: LazyLock<String> = LazyLock::new(|| GRANT.encode());
/// Where a player finds the playlist.
static AT: LazyLock<Url> = LazyLock::new(|| {
    let url = format!(
        "http://{}/play/{}/{}/default/hls/video.m3u8",
        keys::HOST,
        *TOKEN,
        keys::film()
    );
    Url::parse(&url).expect("is a URL")
});

fuzz_target!(|text: &str| {
    manifest(text);
    let (folder, name) = match text.starts_with("WEBVTT") {
        true => ("thumbnails", "video.vtt"),
        false => ("hls", "video.m3u8"),
    };
    let key = format!("output/{}/default/{folder}/{name}", keys::film());
    let rewrite = |text: &str| match name {
        "video.vtt" => webvtt(text, &key, &GRANT),
        _ => m3u8(text, &key, &GRANT),
    };
    let Ok(rewritten) = rewrite(text) else { return };
    let rewritten = String::from_utf8(rewritten).expect("is UTF-8");
    let (before, after): (Vec<&str>, Vec<&str>) =
        (text.split('\n').collect(), rewritten.split('\n').collect());
    assert_eq!(before.len(), after.len(), "the number of lines");
    for (index, (before, after)) in before.into_iter().zip(after).enumerate() {
        line(before, after);
        if name == "video.m3u8" && before == after {
            unsigned(before);
        }
        // No line of an HLS playlist depends on another.
        if index > 0 && name == "video.m3u8" {
            let alone = rewrite(&format!("#EXTM3U\n{before}")).expect("it was good among others");
            assert_eq!(
                alone.strip_prefix(b"#EXTM3U\n"),
                Some(after.as_bytes()),
                "{before}"
            );
        }
    }
    // Elsewhere than below an asset there is nothing to rewrite.
    assert!(m3u8(text, "input/my film.mp4", &GRANT).is_err());
});

/// DASH manifests: nothing outside of the asset is signed.
fn manifest(text: &str) {
    let key = format!("output/{}/default/cmaf/video.mpd", keys::film());
    let Ok(rewritten) = mpd(text, &key, &GRANT) else {
        return;
    };
    let rewritten = String::from_utf8(rewritten).expect("is UTF-8");
    let query = QUERY.replace('&', "&amp;");
    let own = format!("/output/{}/", keys::film());
    let signed = rewritten
        .split(['"', '\'', '>', '<'])
        .filter(|part| part.contains(&query));
    for uri in signed.filter(|uri| !text.contains(*uri)) {
        let url = AT
            .join(&uri.replace("&amp;", "&"))
            .expect("what is signed is a URL");
        assert_eq!(url.host_str(), Some("127.0.0.1"), "{uri}");
        assert!(url.path().starts_with(&own), "{uri} is {url}");
    }
}

fn line(before: &str, after: &str) {
    if before == after {
        return;
    }
    let mut signed = 0;
    for uri in uris(after).filter(|uri| uri.contains(QUERY.as_str())) {
        signed += 1;
        let url = AT.join(uri).expect("what is signed is a URL");
        assert_eq!(url.host_str(), Some("127.0.0.1"), "{uri}");
        assert_eq!((url.scheme(), url.port()), ("http", Some(8080)), "{uri}");
        let own = format!("/output/{}/", keys::film());
        assert!(url.path().starts_with(&own), "{uri} is {url}");
        assert!(
            url.query().is_some_and(|query| query.ends_with(QUERY.as_str())),
            "{uri} is {url}"
        );
    }
    assert_eq!(
        after.matches(QUERY.as_str()).count(),
        signed + before.matches(QUERY.as_str()).count()
    );
    // The grant itself stands in paths of our own playlists only.
    for uri in uris(after).filter(|uri| uri.contains(TOKEN.as_str())) {
        let own = format!("/play/{}/{}/", *TOKEN, keys::film());
        assert!(
            AT.join(uri).is_ok_and(|url| url.path().starts_with(&own)),
            "{uri}"
        );
    }
    assert!(
        signed > 0 || after.contains(TOKEN.as_str()),
        "{before} -> {after}"
    );
}

/// What may be a URI: the line, or what a tag has in quotes.
fn uris(line: &str) -> impl Iterator<Item = &str> {
    let separator: &[char] = if line.starts_with('#') { &['"'] } else { &[] };
    line.split(separator).map(str::trim)
}

/// A URI that was left as it is: a player that follows it with the grant stays in the asset, or leaves the host.
fn unsigned(line: &str) {
    let uri = line.trim();
    if uri.is_empty() || uri.starts_with('#') {
        return;
    }
    let Ok(url) = AT.join(uri) else { return };
    if url.origin() == AT.origin()
        && url.path().starts_with("/play/")
        && uri.ends_with(".m3u8")
        && !uri.contains("://")
    {
        let own = format!("/play/{}/{}/", *TOKEN, keys::film());
        assert!(url.path().starts_with(&own), "{uri} is {url}");
    }
}
