//! `GET /play/{grant}/{key}`: a playlist in which every URI carries the grant of its path.
//!
//! Nothing is signed here: the grant is verified by the edge's own rules, refused with the edge's own words,
//! and used again.

use std::io::Write as _;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use vod_core::asset::AssetId;
use vod_core::cloudfront::{Denied, Reason, Request};
use vod_core::grant::Grant;
use vod_core::playlist;
use vod_core::record::Record;

use crate::app::App;
use crate::{captions, thumbnails, viewer};
use vod_http::Problem;

/// Largest playlist that is read, in bytes: with P-256 signatures and gzip, ten hours of two-second segments
/// stay within Lambda's answer of 6 MB.
const SIZE_MAX: usize = 2 << 20;

/// An answer below this many bytes is not worth compressing.
const GZIP_MIN: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    M3u8,
    Mpd,
    Vtt,
}

impl Kind {
    fn of(key: &str) -> Option<Self> {
        match key.rsplit_once('.')?.1 {
            "m3u8" => Some(Self::M3u8),
            "mpd" => Some(Self::Mpd),
            "vtt" => Some(Self::Vtt),
            _ => None,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::M3u8 => "application/vnd.apple.mpegurl",
            Self::Mpd => "application/dash+xml",
            Self::Vtt => "text/vtt; charset=utf-8",
        }
    }
}

/// The edge's own refusal.
fn refused(denied: Denied) -> Response {
    let headers = [(CONTENT_TYPE, "text/xml"), (CACHE_CONTROL, "private, no-store")];
    (StatusCode::FORBIDDEN, headers, denied.body()).into_response()
}

pub(crate) async fn play(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Response> {
    // What is not UTF-8 once decoded is no key of ours.
    let other_resource = || refused(Denied::AccessDenied(Reason::Resource));
    let Path((token, key)) = path.map_err(|_| other_resource())?;
    let grant = Grant::decode(&token).map_err(refused)?;
    // Keys of playlists need no escapes; a path that has some could mean two things.
    if !is_plain(&key) || !uri.path().ends_with(&key) {
        return Err(other_resource());
    }
    if let Some(Ok(id)) = key.split('/').next().map(str::parse) {
        vod_http::log_asset(&id);
    }
    let keys = app.keyring().await?;
    let request = Request {
        scheme: app.scheme.as_str(),
        host: &viewer::host(&headers)?,
        path: &format!("/output/{key}"),
        query: "",
        cookies: "",
        address: viewer::address(&headers),
        now: (app.clock)().as_second(),
    };
    grant.verify(keys.public_keys(), &request).map_err(refused)?;

    let kind =
        Kind::of(&key).ok_or_else(|| Problem::not_found("only .m3u8, .mpd and .vtt are served here"))?;
    let key = format!("output/{key}");
    let Some(text) = read(&app, &key).await? else {
        // What follows from the record alone: captions that the owner has added, and the track of seek previews.
        let made = match captions::made(&app, &key).await? {
            Some(caption) => caption.into_bytes(),
            None if kind == Kind::Vtt => {
                let text = made_thumbnails(&app, &key).await?;
                playlist::webvtt(&text, &key, &grant).map_err(|error| Problem::bad_file(error.to_string()))?
            }
            None => return Err(missing().into()),
        };
        return Ok(answer(kind, made, &headers));
    };
    let text = match kind {
        Kind::M3u8 | Kind::Mpd => captions::added(&app, &key, text).await?,
        Kind::Vtt => text,
    };
    let rewritten = match kind {
        Kind::M3u8 => playlist::m3u8(&text, &key, &grant),
        Kind::Mpd => playlist::mpd(&text, &key, &grant),
        Kind::Vtt => playlist::webvtt(&text, &key, &grant),
    };
    let rewritten = rewritten.map_err(|error| Problem::bad_file(error.to_string()))?;
    Ok(answer(kind, rewritten, &headers))
}

/// Letters, digits, `-`, `_` and `.` in segments that are neither empty nor dots.
fn is_plain(key: &str) -> bool {
    key.split('/').all(|segment| {
        !segment.trim_matches('.').is_empty()
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    })
}

fn missing() -> Problem {
    Problem::not_found("no such playlist")
}

/// The text of an object. `None`: it does not exist.
pub(crate) async fn read(app: &App, key: &str) -> Result<Option<String>, Problem> {
    let found = app.outputs.get(key, SIZE_MAX).await;
    let found = found.map_err(|error| {
        if error.is_damaged() {
            Problem::bad_file(format!("the playlist has more than {SIZE_MAX} bytes"))
        } else {
            Problem::unavailable("the storage", &error)
        }
    })?;
    let text = found.map(|found| String::from_utf8(found.value)).transpose();
    text.map_err(|_| Problem::bad_file("the playlist is not UTF-8"))
}

/// The record of the asset that an output belongs to. `None`: it does not exist.
pub(crate) async fn record_of(app: &App, key: &str) -> Result<Option<Record>, Problem> {
    let id = key.split('/').nth(1).and_then(|id| id.parse::<AssetId>().ok());
    let Some(id) = id else { return Ok(None) };
    Ok(app.catalog.get(&id).await?.map(|found| found.value))
}

/// The track of seek previews of an asset whose outputs hold none: it follows from the record.
async fn made_thumbnails(app: &App, key: &str) -> Result<String, Problem> {
    let record = record_of(app, key).await?.ok_or_else(missing)?;
    thumbnails::webvtt(&record, key).ok_or_else(missing)
}

fn answer(kind: Kind, text: Vec<u8>, headers: &HeaderMap) -> Response {
    let fixed = [
        (CONTENT_TYPE, kind.content_type()),
        (CACHE_CONTROL, "private, no-store"),
        (VARY, "accept-encoding"),
    ];
    if text.len() >= GZIP_MIN && accepts_gzip(headers) {
        let mut gzip = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
        // Writing to memory does not fail; if it did, the plain text is as good.
        if gzip.write_all(&text).is_ok()
            && let Ok(bytes) = gzip.finish()
        {
            let mut response = (fixed, bytes).into_response();
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            return response;
        }
    }
    (fixed, text).into_response()
}

/// Whether the viewer's `Accept-Encoding` names gzip (or `*`) with a quality above zero. The edge passes it on under a name
/// of its own: an origin request policy of CloudFront does not take `Accept-Encoding`.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all("x-viewer-accept-encoding")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut star = false;
    for item in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let quality = parameters
            .trim()
            .strip_prefix("q=")
            .map_or(Ok(1.0), str::parse::<f32>);
        let wanted = quality.is_ok_and(|quality| quality > 0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return wanted,
            "*" => star = wanted,
            _ => {}
        }
    }
    star
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_keys() {
        for good in ["film/default/hls/video.m3u8", "a", "a/b-c_d.e"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", "a/../b", "a/./b", "..", "a b", "a%2eb", "a\\b", "a\0", "\u{e9}",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }

    #[test]
    fn accept_encoding() {
        for (value, expected) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("*;q=0, gzip", true),
            ("gzip;q=0, *", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-viewer-accept-encoding", value.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
