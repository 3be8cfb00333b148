//! Removes secrets from the log: they are recognized by their shape, wherever a mangled link has put them.
//!
//! Whole segments of paths are left out, because a grant has no `/`: what a line break or a cut leaves of one is in the
//! same segment. Ordinary names stay as they are.

use std::borrow::Cow;

use http::Uri;
use percent_encoding::percent_decode_str;
use vod_core::asset::AssetId;

use super::Operation;

/// Replaces a part that is left out.
const HIDDEN: &str = "…";
/// How often a text is decoded at most: links are encoded once more each time a program takes one for plain text.
const LAYERS: usize = 4;
/// A run of base64url from this length on may be a signature. That of an HS256 token, the shortest, has 43 characters.
const RUN: usize = 40;
/// Base64 of `{"`: policies and both readable parts of a token are JSON objects.
const JSON: &str = "eyJ";

/// The path and the *names* of the query parameters, without what is or may be a secret.
pub fn uri(uri: &Uri) -> String {
    let mut shown = path(uri.path()).into_owned();
    let pairs = uri.query().unwrap_or_default().split('&');
    for (index, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        shown.push_str(&path(pair.split('=').next().unwrap_or_default()));
    }
    shown
}

/// The same for the parts of a path that an operation has taken over.
pub(super) fn operation(operation: Operation) -> Operation {
    Operation {
        operation: path(&operation.operation).into_owned(),
        bucket: operation.bucket.map(|bucket| path(&bucket).into_owned()),
        key: operation.key.map(|key| path(&key).into_owned()),
        ..operation
    }
}

/// A path as it came if nothing has to be left out, otherwise decoded.
fn path(text: &str) -> Cow<'_, str> {
    let decoded = decode(text);
    // After an encoded `?`, the path contains a whole link: of its query the names are enough.
    let (before, query) = decoded.split_once('?').unwrap_or((&decoded, ""));
    let mut follows_play = false;
    let segments = before.split('/').map(|segment| {
        let hide = (follows_play && !segment.is_empty()) || is_secret(segment);
        follows_play = segment.eq_ignore_ascii_case("play");
        if hide { HIDDEN } else { segment }
    });
    let mut shown = segments.collect::<Vec<_>>().join("/");
    for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        let name = pair.split('=').next().unwrap_or_default();
        shown.push(if index == 0 { '?' } else { '&' });
        shown.push_str(if is_secret(name) { HIDDEN } else { name });
    }
    if shown == decoded {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(shown)
    }
}

fn decode(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..LAYERS {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            break;
        }
        text = decoded;
    }
    text
}

/// Whether a segment holds a token, a policy or a signature, or a good part of one.
fn is_secret(segment: &str) -> bool {
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '~');
    segment.contains(JSON)
        || segment.to_ascii_lowercase().contains("signature=")
        || segment.split(|c| !is_base64url(c)).any(is_random)
}

/// Whether a run is as mixed as base64 of random bytes: there, two neighbors in three are of different classes (upper
/// case, lower case, digit), in names written by people one in four. Asset ids end in hex, which is mixed as well.
fn is_random(run: &str) -> bool {
    if run.len() < RUN || run.parse::<AssetId>().is_ok() {
        return false;
    }
    let class = |byte: u8| match byte {
        b'A'..=b'Z' => Some(0),
        b'a'..=b'z' => Some(1),
        b'0'..=b'9' => Some(2),
        _ => None,
    };
    let classes: Vec<u8> = run.bytes().filter_map(class).collect();
    let changes = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    (0..3).all(|class| classes.contains(&class)) && changes * 5 >= classes.len() * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "eyJTdGF0ZW1lbnQiOlt7IlJlc291cmNlIjoiaHR0cDovLzEyNy4wLjAuMTo4MDgwL291dHB1dC9hLyoiLCJDb25kaXRpb24iOnt9fV19";
    const SIGNATURE: &str =
        "MEUCIQDdwQ3Vj0TnDXFmK2o3y5YQ1N9v0uLZ6gq8xk7Hn4c2RwIgT5pYb1m3sXeV0dJt9aQz8rKc6uWf2hLyG4oN7iBxM1E";
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NjcyMjU2NjAsInNjb3BlIjoiYWRtaW4ifQ.\
                         Qk8x3vJ1mZ7tR0sLw5yN2aHcVd9eUfGb4pKiOqXj6lE";

    fn shown(text: &str) -> String {
        uri(&text.parse().unwrap())
    }

    #[test]
    fn harmless_text_is_kept() {
        for text in [
            "/output/my-film-b4032d909eef0738-3bfc2695/default/hls/video_360_00001.ts",
            "/web/hls.min.js",
            "/vod/input/Screen_Recording_2026-11-28_final-cut-version-for-the-client.mov",
            "/vod/input/%ED%95%9C%EA%B5%AD%20%26%20caf%C3%A9+1.mp4",
            "/vod/input/MyHolidayVideoByTheSea2026.mp4",
            "/vod/catalog/Stra-e-99-final-2-77675530b4bbeb1f-f215faf9.json",
            "/vod/ops/uploads/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "/2017-08-29/jobs/1625859001514-vvqfwj",
            "/2015-03-31/functions/submit/invocations",
            "/",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn of_a_query_the_names_are_kept() {
        for (text, expected) in [
            (
                "/output/a/v.mp4?Policy=p&Signature=s&Key-Pair-Id=k",
                "/output/a/v.mp4?Policy&Signature&Key-Pair-Id",
            ),
            ("/vod?list-type=2&prefix=a%2F", "/vod?list-type&prefix"),
            ("/vod/input/a%3Fb.mp4", "/vod/input/a%3Fb.mp4"),
            ("/vod/input/a%3Fx=1", "/vod/input/a?x"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn everything_after_play_is_a_grant() {
        for (text, expected) in [
            ("/play/eyJ.sig.K2.SHA256/a/hls/v.m3u8", "/play/…/a/hls/v.m3u8"),
            (
                "/lambda-url/signer/play/x.y/a.m3u8?x=1",
                "/lambda-url/signer/play/…/a.m3u8?x",
            ),
            ("/play/x", "/play/…"),
            ("/%70lay/x/a.m3u8", "/play/…/a.m3u8"),
            ("/PLAY/x", "/PLAY/…"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    /// Each way in which a link gets mangled, with each secret in it.
    #[test]
    fn no_secret_is_shown_wherever_it_is() {
        let grant = format!("{POLICY}.{SIGNATURE}.K2P256.SHA256");
        let encoded = grant.replace('.', "%2E");
        let doubly = grant.replace('.', "%252E");
        let wrapped = format!("{}%0A{}", &grant[..60], &grant[60..]);
        let (_, tail) = grant.split_at(90);
        for secret in [&grant, &encoded, &doubly, &wrapped, tail, TOKEN, SIGNATURE] {
            for text in [
                format!("/play//{secret}/a/hls/v.m3u8"),
                format!("/play/x/{secret}"),
                format!("/web/{secret}"),
                format!("/api/{secret}"),
                format!("/{secret}/a.m3u8"),
                format!("/api/playback?{secret}"),
                format!("/api/playback?{secret}=1&b"),
                format!("/output/a/v.mp4&Policy={secret}&Signature={secret}"),
                format!("/output/a/v.mp4%3FPolicy={secret}%26Signature={secret}"),
                format!("/vod/input/a.mp4&X-Amz-Signature={secret}"),
                format!("/api/Bearer%20{secret}"),
            ] {
                let shown = shown(&text);
                for part in secret.split(['.', '%']).filter(|part| part.len() > 20) {
                    assert!(!shown.contains(&part[2..22]), "{part} of {text} is in {shown}");
                    assert!(
                        !shown.contains(&part[part.len() - 20..]),
                        "{part} of {text} is in {shown}"
                    );
                }
            }
        }
    }
}
