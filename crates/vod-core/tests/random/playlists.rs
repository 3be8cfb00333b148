//! Playlists of any text: line by line as they were, and signed only where a browser finds an own file.

use std::sync::LazyLock;

use proptest::prelude::*;
use url::Url;
use vod_core::grant::Grant;
use vod_core::playlist::{PlaylistError, m3u8, webvtt};

use crate::{HOST, film, signature};

static GRANT: LazyLock<Grant> = LazyLock::new(|| Grant::from(signature()));
static QUERY: LazyLock<String> = LazyLock::new(|| GRANT.to_query());

fn key(file: &str) -> String {
    format!("output/{}/default/{file}", film())
}

fn rewritten(text: &str) -> Result<String, PlaylistError> {
    let bytes = m3u8(text, &key("hls/video.m3u8"), &GRANT)?;
    Ok(String::from_utf8(bytes).expect("is UTF-8"))
}

fn line() -> impl Strategy<Value = String> {
    let tag = r#"#EXT(INF:[0-9]\.[0-9]{0,3},|-X-(MAP|KEY|MEDIA):[A-Z]{0,3}[=,]?(URI="[./%2eE\\:a-z]{0,12}")?,?[A-Z="]{0,6})"#;
    prop_oneof![
        3 => r"video_[0-9]{1,3}\.ts",
        2 => tag,
        2 => r"[./%25eE\\a:?#]{0,12}(\.m3u8|\.ts)?",
        1 => "(https?:|//|/output/|/play/|data:)[./a-z%]{0,10}",
        1 => r#"[ \t"=,\x00é]{0,4}"#,
        1 => r"\PC{0,12}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec((line(), prop_oneof![4 => Just("\n"), 1 => Just("\r\n")]), 0..12);
    (lines, any::<bool>()).prop_map(|(lines, ends)| {
        let mut text = "#EXTM3U\n".to_owned();
        for (line, end) in lines {
            text.push_str(&line);
            text.push_str(end);
        }
        if ends { text } else { text.trim_end().to_owned() }
    })
}

/// Candidates for a URI: the line, or the quoted values of a tag.
fn uris(line: &str) -> impl Iterator<Item = &str> {
    let separator: &[char] = if line.starts_with('#') { &['"'] } else { &[] };
    line.split(separator).map(str::trim)
}

fn is_own(uri: &str) -> bool {
    let at = format!(
        "http://{HOST}/play/{}/{}/default/hls/video.m3u8",
        GRANT.encode(),
        film()
    );
    let url = Url::parse(&at).expect("is a URL").join(uri).expect("is a URL");
    let origin = (url.scheme(), url.host_str(), url.port());
    origin == ("http", Some("127.0.0.1"), Some(8080))
        && url.path().starts_with(&format!("/output/{}/", film()))
        && url.query().is_some_and(|query| query.ends_with(QUERY.as_str()))
}

proptest! {
    #[test]
    fn foreign_urls_are_never_signed(text in text()) {
        if let Ok(after) = rewritten(&text) {
            prop_assert_eq!(text.split('\n').count(), after.split('\n').count());
            for (before, after) in text.split('\n').zip(after.split('\n')) {
                let signed: Vec<&str> = uris(after).filter(|uri| uri.contains(QUERY.as_str())).collect();
                prop_assert!(signed.iter().all(|uri| is_own(uri)), "{} -> {}", before, after);
                prop_assert_eq!(after.matches(QUERY.as_str()).count(), signed.len());
                if before.trim().is_empty() || (before.starts_with('#') && !before.contains("URI=")) {
                    prop_assert_eq!(before, after);
                }
            }
        }
    }

    /// No line depends on another: whatever is remembered from one to the next must not show.
    #[test]
    fn each_line_is_rewritten_as_if_alone(text in text()) {
        let mut alone = String::new();
        let mut refused = None;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let Ok(two) = rewritten(&format!("#EXTM3U\n{line}")) else {
                refused = Some(PlaylistError::Outside { line: index + 1 });
                break;
            };
            alone.push_str(&two["#EXTM3U\n".len()..]);
        }
        prop_assert_eq!(rewritten(&text), refused.map_or(Ok(alone), Err));
    }

    #[test]
    fn captions_stay_as_they_are(
        cues in prop::collection::vec(
            prop_oneof![
                "[a-z./]{1,8}\\.jpg(#xywh=1,2,3,4)?", "00:00.000 --> 00:0[1-9].000", Just(String::new()), "\\PC{0,16}",
            ],
            0..10,
        ),
    ) {
        let text = format!("WEBVTT\n\n{}", cues.join("\n"));
        if let Ok(after) = webvtt(&text, &key("thumbnails/video.vtt"), &GRANT) {
            let after = String::from_utf8(after).expect("is UTF-8");
            prop_assert_eq!(text.split('\n').count(), after.split('\n').count());
            for (before, after) in text.split('\n').zip(after.split('\n')) {
                prop_assert!(before == after || before.contains(".jpg"), "{} -> {}", before, after);
            }
        }
    }
}
