//! A change of the signing key while somebody watches: no 403, ever.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

use anyhow::ensure;
use serde_json::Value;
use vod_tests::{LocalStack, film, http, wait};

const SOURCE: &str = "input/film.mp4";

#[test]
fn a_viewer_never_sees_a_403_while_keys_change() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    film::put(&stack, SOURCE)?;
    let before = playback(&stack)?;
    let old = key_of(&before);

    let rotated = stack.vod_json(&["keys", "rotate"])?;
    let after = wait::until("the signer to use the new key", wait::SOON, || {
        let links = playback(&stack)?;
        // Whoever signed them, links of before and of now play at every moment.
        play(&before)?;
        play(&links)?;
        Ok((key_of(&links) != old).then_some(links))
    })?;
    assert_eq!(key_of(&after), rotated["active"].as_str().unwrap());
    play(&before)?;

    // The active key cannot go; when the old one goes, what it signed ends.
    assert!(!stack.vod(&["keys", "remove", &key_of(&after)])?.status.success());
    stack.vod_json(&["keys", "remove", &old])?;
    let url = before["mp4"][0]["url"].as_str().unwrap().to_owned();
    wait::until("the old key to be gone", wait::SOON, || {
        let answer = http::get(&url, &[])?;
        Ok((answer.status == 403 && answer.text().contains("InvalidKey")).then_some(()))
    })?;
    play(&after)
}

fn playback(stack: &LocalStack) -> anyhow::Result<Value> {
    stack.api("/api/playback", &[("source", SOURCE)])
}

fn key_of(links: &Value) -> String {
    links["cookies"]["CloudFront-Key-Pair-Id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Master, variant, segment and file, as a player gets them.
fn play(links: &Value) -> anyhow::Result<()> {
    let master = links["hls"].as_str().unwrap();
    let (folder, _) = master.rsplit_once('/').unwrap();
    let (origin, _) = master.split_once("/play/").unwrap();
    let variant = http::get(&format!("{folder}/video_360.m3u8"), &[])?;
    let segment = variant.text().lines().last().unwrap_or_default().to_owned();
    let urls = [
        master.to_owned(),
        format!("{origin}{segment}"),
        links["mp4"][0]["url"].as_str().unwrap().to_owned(),
    ];
    ensure!(variant.status == 200, "variant: {}", variant.text());
    for url in urls {
        let answer = http::get(&url, &[])?;
        ensure!(answer.status == 200, "{url}: {}", answer.text());
    }
    Ok(())
}
