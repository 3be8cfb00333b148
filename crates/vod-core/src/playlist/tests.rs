use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Grant, PlaylistError};
use crate::cloudfront::{Hash, Signature};

const KEY: &str = "output/film-1/default/hls/video.m3u8";
const VTT: &str = "output/film-1/default/thumbnails/video.vtt";

fn grant() -> Grant {
    let text = |text: &str| text.to_owned();
    Grant::from(Signature {
        policy: text("UA__"),
        signature: text("Uw__"),
        key_id: text("K"),
        hash: Hash::Sha256,
    })
}

const Q: &str = "Policy=UA__&Signature=Uw__&Key-Pair-Id=K&Hash-Algorithm=SHA256";

fn m3u8(text: &str, key: &str, grant: &Grant) -> Result<String, PlaylistError> {
    super::m3u8(text, key, grant).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn webvtt(text: &str, key: &str, grant: &Grant) -> Result<String, PlaylistError> {
    super::webvtt(text, key, grant).map(|bytes| String::from_utf8(bytes).unwrap())
}

/// The lines after the first of a rewritten playlist.
fn lines(body: &str) -> Result<String, PlaylistError> {
    let rewritten = m3u8(&format!("#EXTM3U\n{body}"), KEY, &grant())?;
    Ok(rewritten.strip_prefix("#EXTM3U\n").unwrap().to_owned())
}

#[test]
fn a_media_playlist() {
    let playlist = "#EXTM3U\r\n#EXT-X-VERSION:4\r\n#EXT-X-TARGETDURATION:7\r\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x1,KEYFORMAT=\"a,URI=\"\r\n\
        #EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"8@0\"\r\n#EXTINF:6,title, URI=\"x\"\r\nvideo_720_00001.ts\r\n\
        #EXTINF:1.5,\r\n  ../hls/video_720_00002.ts?x=1#t \r\n\r\n#EXT-X-ENDLIST";
    let expected = format!(
        "#EXTM3U\r\n#EXT-X-VERSION:4\r\n#EXT-X-TARGETDURATION:7\r\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"/output/film-1/default/hls/key.bin?{Q}\",IV=0x1,KEYFORMAT=\"a,URI=\"\r\n\
        #EXT-X-MAP:URI=\"/output/film-1/default/hls/init.mp4?{Q}\",BYTERANGE=\"8@0\"\r\n#EXTINF:6,title, URI=\"x\"\r\n\
        /output/film-1/default/hls/video_720_00001.ts?{Q}\r\n\
        #EXTINF:1.5,\r\n  /output/film-1/default/hls/video_720_00002.ts?x=1&{Q}#t \r\n\r\n#EXT-X-ENDLIST"
    );
    assert_eq!(m3u8(playlist, KEY, &grant()).unwrap(), expected);
}

#[test]
fn a_master_playlist_keeps_its_variants_relative() {
    let playlist = "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"video_audio.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.4d401e,mp4a.40.2\"\nvideo_360.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=2\nsub/video_720.M3U8?x=1\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"./iframes.m3u8\"\n";
    let session = "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"../keys/k\"\n";
    let session_signed =
        format!("#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"/output/film-1/default/keys/k?{Q}\"\n");
    let rewritten = m3u8(&format!("{playlist}{session}"), KEY, &grant()).unwrap();
    assert_eq!(rewritten, format!("{playlist}{session_signed}"));
}

#[test]
fn each_kind_of_uri() {
    let own = "/output/film-1/default/hls/";
    for (uri, expected) in [
        ("a.ts", format!("{own}a.ts?{Q}")),
        ("./a.ts", format!("{own}a.ts?{Q}")),
        ("a b\u{e9}.ts", format!("{own}a%20b%C3%A9.ts?{Q}")),
        ("a%20b.ts", format!("{own}a%20b.ts?{Q}")),
        ("sub/a.ts?x", format!("{own}sub/a.ts?x&{Q}")),
        ("a.ts?", format!("{own}a.ts?{Q}")),
        ("a.vtt", format!("{own}a.vtt?{Q}")),
        ("../../default/hls/./a.ts", format!("{own}a.ts?{Q}")),
        ("/output/film-1/x/a.ts", format!("/output/film-1/x/a.ts?{Q}")),
        (
            "/output/film-1/x/a.m3u8",
            "/play/UA.Uw.K.SHA256/film-1/x/a.m3u8".to_owned(),
        ),
        (
            "https://cdn.example.com/a.ts",
            "https://cdn.example.com/a.ts".to_owned(),
        ),
        ("//cdn.example.com/a.ts", "//cdn.example.com/a.ts".to_owned()),
        ("HTTP:a.ts", "HTTP:a.ts".to_owned()),
        (
            "data:text/plain;base64,aGk=",
            "data:text/plain;base64,aGk=".to_owned(),
        ),
        ("time/12:30.ts", format!("{own}time/12:30.ts?{Q}")),
    ] {
        assert_eq!(lines(uri).unwrap(), expected, "{uri}");
    }
}

#[test]
fn a_uri_outside_the_folder_is_refused() {
    for uri in [
        "../../../other/a.ts",
        "../../../film-10/a.ts",
        "../../../../input/a.mp4",
        "../../../../../../a.ts",
        "%2e%2e/%2E./../other/a.ts",
        "..%2f..%2f..%2fother/a.ts",
        "x%5c..%5c..",
        "..\\..\\..\\other\\a.ts",
        "/output/other/a.ts",
        "/catalog/x.json",
        "/play/other/a.m3u8",
        "a//b.ts",
        "a\u{0}.ts",
        "a%00.ts",
        "../../../other/video.m3u8",
    ] {
        assert_eq!(lines(uri), Err(PlaylistError::Outside { line: 2 }), "{uri}");
        let key = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\"");
        assert_eq!(lines(&key), Err(PlaylistError::Outside { line: 2 }), "{key}");
    }
}

#[test]
fn malformed_attributes_are_copied() {
    for line in [
        "#EXT-X-KEY:URI=\"a.ts",
        "#EXT-X-KEY:URI",
        "#EXT-X-KEY:,URI=a.ts",
        "#EXT-X-KEY:X-URI=\"a\"",
        "#EXT-X-KEY:=\"\"",
    ] {
        assert_eq!(lines(line).unwrap(), line);
    }
}

#[test]
fn only_playlists_below_an_asset() {
    assert_eq!(m3u8("<html>", KEY, &grant()), Err(PlaylistError::NotA("#EXTM3U")));
    assert_eq!(m3u8("", KEY, &grant()), Err(PlaylistError::NotA("#EXTM3U")));
    assert!(m3u8("\u{feff}#EXTM3U\n", KEY, &grant()).is_ok());
    for key in [
        "video.m3u8",
        "output/video.m3u8",
        "output//video.m3u8",
        "input/a/video.m3u8",
        "",
    ] {
        assert_eq!(
            m3u8("#EXTM3U", key, &grant()),
            Err(PlaylistError::Key(key.to_owned()))
        );
    }
}

#[test]
fn images_in_cues_are_signed_and_captions_are_not() {
    let file = "WEBVTT\n\nNOTE sprite.jpg\n\n1\n00:00.000 --> 00:05.000\nsprite.jpg#xywh=0,0,160,90\n\n\
        00:05.000 --> 00:10.000\n../thumbnails/video.0000001.JPG\n\n00:10.000 --> 00:11.000\nlook at a.jpg\nvideo.mp4\n";
    let folder = "/output/film-1/default/thumbnails/";
    let expected = file
        .replace(
            "\nsprite.jpg#xywh=0,0,160,90",
            &format!("\n{folder}sprite.jpg?{Q}#xywh=0,0,160,90"),
        )
        .replace(
            "../thumbnails/video.0000001.JPG",
            &format!("{folder}video.0000001.JPG?{Q}"),
        );
    assert_eq!(webvtt(file, VTT, &grant()).unwrap(), expected);
    assert_eq!(
        webvtt(
            "WEBVTT\n\n00:00.000 --> 00:01.000\n../../../x/a.jpg",
            VTT,
            &grant()
        ),
        Err(PlaylistError::Outside { line: 4 })
    );
    assert_eq!(
        webvtt("#EXTM3U", VTT, &grant()),
        Err(PlaylistError::NotA("WEBVTT"))
    );
}

#[test]
fn a_long_playlist_is_rewritten_in_linear_time() {
    let mut playlist = "#EXTM3U\n".to_owned();
    for index in 0..200_000 {
        let _ = write!(
            playlist,
            "#EXT-X-KEY:A=\"\",URI=\"\n#EXTINF:6,\nv_{index:06}.ts\n"
        );
    }
    let attributes = format!("#EXT-X-KEY:{}\n", "A=\"b\",URI=\"c\",".repeat(20_000));
    let rewritten = m3u8(&format!("{playlist}{attributes}"), KEY, &grant()).unwrap();
    assert_eq!(rewritten.matches(Q).count(), 220_000);
}

#[test]
fn an_error_names_its_line() {
    let text = format!(
        "#EXTM3U\n{}\n#EXT-X-X\n../../../a\n",
        "#EXTINF:6,\na1.ts\n".repeat(50)
    );
    assert_eq!(
        m3u8(&text, KEY, &grant()),
        Err(PlaylistError::Outside { line: 104 })
    );
}

proptest! {
    #[test]
    fn only_uris_change(
        parts in prop::collection::vec(prop_oneof![
            "[a-z0-9_]{1,8}\\.ts", "#[A-Z:=\",a-z]{0,12}", Just(String::new()), "#EXT-X-MAP:URI=\"[a-z]{1,5}\"[,A-Z=a-z\"]{0,8}",
        ], 0..12),
        crlf: bool, last: bool,
    ) {
        let eol = if crlf { "\r\n" } else { "\n" };
        let mut text = format!("#EXTM3U{eol}{}", parts.join(eol));
        if last { text.push_str(eol) }
        let rewritten = m3u8(&text, KEY, &grant()).unwrap();
        let undone = rewritten.replace(&format!("?{Q}"), "").replace("/output/film-1/default/hls/", "");
        prop_assert_eq!(undone, text);
    }

    #[test]
    fn no_uri_leads_out_of_the_folder(uri in "[./%25eEfF\\\\a?#:]{0,24}") {
        if let Ok(line) = lines(&uri)
            && let Some(path) = line.strip_suffix(Q).and_then(|line| line.split('?').next())
        {
            prop_assert!(path.starts_with("/output/film-1/"), "{} -> {}", uri, line);
            let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
            prop_assert!(!decoded.split('/').any(|segment| segment == ".."), "{} -> {}", uri, line);
        }
    }
}
