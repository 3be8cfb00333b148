//! `/play/…`: what a grant opens, and nothing else.

use std::io::Read as _;

use vod_core::grant::Grant;

use crate::world::{NOW, World, everything, request};

const DENIED: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>"#;

#[tokio::test]
async fn playlists_carry_the_grant() {
    let world = World::new().await;
    let (film, grant) = (&world.film, world.grant("").await);
    let master = world
        .get(&format!("/play/{grant}/{film}/default/hls/video.m3u8"), "")
        .await;
    assert_eq!(master.status, 200);
    assert_eq!(master.header("content-type"), "application/vnd.apple.mpegurl");
    assert_eq!(master.header("cache-control"), "private, no-store");
    assert_eq!(
        master.text(),
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo_360.m3u8\n"
    );

    let variant = format!("/play/{grant}/{film}/default/hls/video_360.m3u8");
    let media = world.get(&variant, "").await;
    let query = Grant::decode(&grant).unwrap().to_query();
    let uri = format!("\n/output/{film}/default/hls/video_360_00001.ts?{query}\n");
    assert_eq!(media.text().matches(&uri).count(), 100);
    assert_eq!(media.header("content-encoding"), "");

    let mut request = request("GET", &variant, "");
    request
        .headers_mut()
        .insert("x-viewer-accept-encoding", "gzip, br".parse().unwrap());
    let small = world.send(request).await;
    assert_eq!(
        (small.header("content-encoding"), small.header("vary")),
        ("gzip", "accept-encoding")
    );
    assert!(small.body.len() * 10 < media.body.len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(small.body.as_ref())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, media.text());
}

#[tokio::test]
async fn dash_manifests_carry_the_grant() {
    let world = World::new().await;
    let (film, grant) = (&world.film, world.grant("").await);
    let answer = world
        .get(&format!("/play/{grant}/{film}/default/cmaf/video.mpd"), "")
        .await;
    assert_eq!(answer.header("content-type"), "application/dash+xml");
    assert_eq!(answer.header("cache-control"), "private, no-store");
    let query = Grant::decode(&grant).unwrap().to_query().replace('&', "&amp;");
    let expected = format!(
        "<?xml version=\"1.0\"?>\n<MPD><SegmentTemplate media=\"/output/{film}/default/cmaf/v_$Number%09d$.cmfv?{query}\"/></MPD>\n"
    );
    assert_eq!(answer.text(), expected);
}

#[tokio::test]
async fn seek_previews_follow_from_the_record() {
    let world = World::new().await;
    let (film, grant) = (&world.film, world.grant("").await);
    let track = world
        .get(&format!("/play/{grant}/{film}/default/thumbnails/video.vtt"), "")
        .await;
    assert_eq!(track.header("content-type"), "text/vtt; charset=utf-8");
    let query = Grant::decode(&grant).unwrap().to_query();
    let image = format!("/output/{film}/default/thumbnails/video.000000");
    assert_eq!(
        track.text(),
        format!(
            "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\n{image}0.jpg?{query}\n\n\
             00:00:05.000 --> 00:00:07.000\n{image}1.jpg?{query}\n"
        )
    );
}

#[tokio::test]
async fn a_bad_grant_is_refused_as_at_the_edge() {
    let world = World::new().await;
    let (film, grant) = (&world.film, world.grant("").await);
    let path = |grant: &str, rest: &str| format!("/play/{grant}/{rest}");
    let own = format!("{film}/default/hls/video.m3u8");
    let parts: Vec<&str> = grant.split('.').collect();
    let flipped = |index: usize| {
        let mut parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
        let first = if parts[index].starts_with('M') { "N" } else { "M" };
        parts[index].replace_range(0..1, first);
        parts.join(".")
    };
    let expired = world.grant_until(NOW);
    let elsewhere = world.grant("&ip=198.51.100.1").await;
    for (grant, rest, code) in [
        ("x", own.as_str(), "MissingSignature"),
        ("a.b.c", &own, "MissingKey"),
        (&flipped(0), &own, "Malformed"),
        (&flipped(1), &own, "AccessDenied"),
        (&grant.replace(".K2.", ".K3."), &own, "InvalidKey"),
        (&grant.replace("SHA256", "SHA1"), &own, "AccessDenied"),
        (&elsewhere, &own, "AccessDenied"),
        (&expired, &own, "AccessDenied"),
        (&grant, &own.replace(film.as_str(), &world.newer), "AccessDenied"),
        (
            &grant,
            &format!("{film}/../{}/default/hls/video.m3u8", world.newer),
            "AccessDenied",
        ),
        (
            &grant,
            &format!("{film}/%2e%2e/{}/default/hls/video.m3u8", world.newer),
            "AccessDenied",
        ),
        (
            &grant,
            &format!("{film}%2fdefault/hls/video.m3u8"),
            "AccessDenied",
        ),
        (&grant, &format!("{film}//default/hls/video.m3u8"), "AccessDenied"),
        (
            &grant,
            &format!("{film}/default/hls/vide%6f.m3u8"),
            "AccessDenied",
        ),
        (
            &grant,
            &format!("{film}/default/hls/video.m3u8%00"),
            "AccessDenied",
        ),
        (&grant, "catalog/x.m3u8", "AccessDenied"),
    ] {
        let answer = world.get(&path(grant, rest), "").await;
        assert_eq!(answer.status, 403, "{rest}");
        assert_eq!(answer.header("content-type"), "text/xml");
        assert!(
            answer.text().contains(&format!("<Code>{code}")),
            "{rest}: {}",
            answer.text()
        );
        if code == "AccessDenied" {
            assert_eq!(answer.text(), DENIED);
        }
    }
    assert_eq!(
        world
            .get(&path(&world.grant_until(NOW + 1), &own), "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn only_good_playlists_are_handed_out() {
    let world = World::new().await;
    let (film, grant) = (&world.film, world.grant("").await);
    for (name, status) in [
        ("hls/missing.m3u8", 404),
        ("hls/missing.vtt", 404),
        ("hls/video_360_00001.ts", 404),
        ("hls/evil.m3u8", 502),
        ("hls/page.m3u8", 502),
        ("hls/large.m3u8", 502),
        ("hls/binary.m3u8", 502),
    ] {
        let answer = world
            .get(&format!("/play/{grant}/{film}/default/{name}"), "")
            .await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
}

/// Fuzzing found that axum's own words answered here.
#[tokio::test]
async fn a_path_that_is_no_text_is_refused_in_the_usual_form() {
    let world = World::new().await;
    let (film, grant) = (&world.film, world.grant("").await);
    let answer = world
        .get(&format!("/play/{grant}/{film}%de/video.m3u8"), "")
        .await;
    assert_eq!((answer.status.as_u16(), answer.text()), (403, DENIED));
    let answer = world.get("/api/assets/%de", &everything()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (404, "application/problem+json")
    );
}
