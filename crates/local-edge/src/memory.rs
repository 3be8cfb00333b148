//! Answers from memory: conditions, ranges and compression, as RFC 9110 and CloudFront have them.

use std::io::Write as _;
use std::ops::Range;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;

use super::cache::Entry;

/// Sizes that CloudFront compresses, in bytes.
const COMPRESSED: std::ops::RangeInclusive<usize> = 1_000..=10_000_000;
/// Types that it compresses, of those that are in our buckets.
const COMPRESSED_TYPES: [&str; 8] = [
    "application/vnd.apple.mpegurl",
    "application/dash+xml",
    "application/json",
    "image/svg+xml",
    "text/css",
    "text/html",
    "text/javascript",
    "text/vtt",
];

/// The answer to `request` out of `entry`.
pub(super) fn answer(entry: &Entry, request: &Parts, now: i64) -> Response {
    let mut response = match precondition(entry, &request.headers) {
        _ if entry.status != StatusCode::OK => (
            entry.status,
            entry.headers.clone(),
            Body::from(entry.body.clone()),
        )
            .into_response(),
        Some(status) => empty(status, entry),
        None => match range(&request.headers, entry) {
            Some(wanted) if wanted.is_empty() => unsatisfiable(entry.body.len()),
            Some(wanted) => part(entry, wanted),
            None => whole(entry, &request.headers),
        },
    };
    if request.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    let age = HeaderValue::from((now - entry.fetched).max(0));
    if now > entry.fetched {
        response.headers_mut().insert(AGE, age);
    }
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// RFC 9110 section 13.2.2, but for `If-Range`.
fn precondition(entry: &Entry, asked: &HeaderMap) -> Option<StatusCode> {
    let etag = text(&entry.headers, &ETAG).unwrap_or_default();
    let modified = text(&entry.headers, &LAST_MODIFIED).and_then(date);
    if let Some(wanted) = text(asked, &IF_MATCH) {
        if !any(wanted, |one| one == etag && !one.starts_with("W/")) {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
    } else if let (Some(since), Some(modified)) = (text(asked, &IF_UNMODIFIED_SINCE).and_then(date), modified)
        && modified > since
    {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    if let Some(known) = text(asked, &IF_NONE_MATCH) {
        let bare = |tag: &str| tag.trim_start_matches("W/").to_owned();
        return any(known, |one| bare(one) == bare(etag)).then_some(StatusCode::NOT_MODIFIED);
    }
    let since = text(asked, &IF_MODIFIED_SINCE).and_then(date)?;
    modified
        .is_some_and(|modified| modified <= since)
        .then_some(StatusCode::NOT_MODIFIED)
}

/// Whether one of a list of entity tags fits, or the list is `*`.
fn any(list: &str, fits: impl Fn(&str) -> bool) -> bool {
    list.trim() == "*" || list.split(',').any(|one| fits(one.trim()))
}

/// Seconds since the epoch of an HTTP date.
fn date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
        .map(Timestamp::as_second)
}

/// The bytes that are asked for, which may be none; `None` is the whole. As S3 does it: one range only, and what cannot be
/// read is ignored.
fn range(asked: &HeaderMap, entry: &Entry) -> Option<Range<usize>> {
    let wanted = parse_range(text(asked, &RANGE)?, entry.body.len())?;
    let Some(validator) = text(asked, &IF_RANGE) else {
        return Some(wanted);
    };
    let current = if validator.starts_with('"') {
        text(&entry.headers, &ETAG) == Some(validator)
    } else {
        // A weak tag is no date either.
        date(validator).is_some() && text(&entry.headers, &LAST_MODIFIED).and_then(date) == date(validator)
    };
    current.then_some(wanted)
}

fn parse_range(text: &str, length: usize) -> Option<Range<usize>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    // Numbers that are too long are beyond any length.
    let number = |text: &str| text.parse().unwrap_or(usize::MAX);
    match (first, last) {
        ("", "") => None,
        ("", count) => Some(length.saturating_sub(number(count))..length),
        (first, "") => Some(number(first)..length),
        (first, last) if number(last) < number(first) => None,
        (first, last) => Some(number(first)..number(last).saturating_add(1).min(length)),
    }
}

fn whole(entry: &Entry, asked: &HeaderMap) -> Response {
    let mut headers = entry.headers.clone();
    let mut body = entry.body.clone();
    if is_compressible(entry) {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
        if accepts_gzip(asked) {
            body = entry.gzip.get_or_init(|| gzip(&entry.body)).clone();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            weaken(&mut headers);
        }
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    (headers, Body::from(body)).into_response()
}

fn part(entry: &Entry, wanted: Range<usize>) -> Response {
    let mut headers = entry.headers.clone();
    let range = format!("bytes {}-{}/{}", wanted.start, wanted.end - 1, entry.body.len());
    if let Ok(range) = HeaderValue::try_from(range) {
        headers.insert(CONTENT_RANGE, range);
    }
    let body = entry.body.slice(wanted);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    (StatusCode::PARTIAL_CONTENT, headers, Body::from(body)).into_response()
}

fn empty(status: StatusCode, entry: &Entry) -> Response {
    let mut headers = entry.headers.clone();
    headers.remove(CONTENT_LENGTH);
    (status, headers, Body::empty()).into_response()
}

/// S3's own words.
fn unsatisfiable(length: usize) -> Response {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidRange</Code>\
                <Message>The requested range is not satisfiable</Message></Error>";
    let headers = [
        (CONTENT_TYPE, "application/xml".to_owned()),
        (CONTENT_RANGE, format!("bytes */{length}")),
    ];
    (StatusCode::RANGE_NOT_SATISFIABLE, headers, body).into_response()
}

fn is_compressible(entry: &Entry) -> bool {
    let kind = text(&entry.headers, &CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    COMPRESSED.contains(&entry.body.len())
        && !entry.headers.contains_key(CONTENT_ENCODING)
        && COMPRESSED_TYPES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(kind))
}

/// CloudFront looks for the word, and for a quality of zero.
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let values = asked
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let quality = parameters
            .trim()
            .strip_prefix("q=")
            .map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && quality.is_ok_and(|quality| quality > 0.0)
    })
}

/// The bytes are others now, so a strong tag becomes a weak one.
fn weaken(headers: &mut HeaderMap) {
    if let Some(tag) = text(headers, &ETAG).filter(|tag| !tag.starts_with("W/"))
        && let Ok(weak) = HeaderValue::try_from(format!("W/{tag}"))
    {
        headers.insert(ETAG, weak);
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, wanted) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=2-4", Some(2..5)),
            ("bytes=2-", Some(2..10)),
            ("bytes=9-99", Some(9..10)),
            ("bytes=0-99999999999999999999999", Some(0..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-99", Some(0..10)),
            ("bytes=-0", Some(0..0)),
            ("bytes=10-", Some(0..0)),
            ("bytes=10-11", Some(0..0)),
            ("bytes=99999999999999999999999-", Some(0..0)),
            ("bytes=4-2", None),
            ("bytes=-", None),
            ("bytes=", None),
            ("bytes=a-b", None),
            ("bytes=0-1,3-4", None),
            ("bytes=+1-2", None),
            ("items=0-1", None),
            ("", None),
        ] {
            let found = parse_range(text, 10);
            let found = found.map(|range| if range.is_empty() { 0..0 } else { range });
            assert_eq!(found, wanted, "{text}");
        }
        assert!(parse_range("bytes=0-", 0).unwrap().is_empty());
        assert!(parse_range("bytes=-1", 0).unwrap().is_empty());
    }

    #[test]
    fn conditions() {
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, "\"a\"".parse().unwrap());
        headers.insert(LAST_MODIFIED, "Thu, 01 Jan 2026 00:00:00 GMT".parse().unwrap());
        let entry = Entry::new(headers, Bytes::from_static(b"0123456789"), None, 0);
        let (before, same) = ("Wed, 31 Dec 2025 23:59:59 GMT", "Thu, 01 Jan 2026 00:00:00 GMT");
        for (asked, status) in [
            (vec![], 200),
            (vec![(IF_NONE_MATCH, "\"a\"")], 304),
            (vec![(IF_NONE_MATCH, "W/\"a\"")], 304),
            (vec![(IF_NONE_MATCH, "\"x\", \"a\"")], 304),
            (vec![(IF_NONE_MATCH, "*")], 304),
            (vec![(IF_NONE_MATCH, "\"x\"")], 200),
            // A tag that does not match counts before any date.
            (vec![(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, same)], 200),
            (vec![(IF_MODIFIED_SINCE, same)], 304),
            (vec![(IF_MODIFIED_SINCE, before)], 200),
            (vec![(IF_MODIFIED_SINCE, "yesterday")], 200),
            (vec![(IF_MATCH, "\"a\"")], 200),
            (vec![(IF_MATCH, "W/\"a\"")], 412),
            (vec![(IF_MATCH, "\"x\"")], 412),
            (vec![(IF_UNMODIFIED_SINCE, same)], 200),
            (vec![(IF_UNMODIFIED_SINCE, before)], 412),
            (vec![(RANGE, "bytes=1-2")], 206),
            (vec![(RANGE, "bytes=1-2"), (IF_RANGE, "\"a\"")], 206),
            (vec![(RANGE, "bytes=1-2"), (IF_RANGE, same)], 206),
            (vec![(RANGE, "bytes=1-2"), (IF_RANGE, before)], 200),
            (vec![(RANGE, "bytes=1-2"), (IF_RANGE, "\"x\"")], 200),
            (vec![(RANGE, "bytes=1-2"), (IF_RANGE, "W/\"a\"")], 200),
            (vec![(RANGE, "bytes=1-2"), (IF_NONE_MATCH, "\"a\"")], 304),
            (vec![(RANGE, "bytes=10-")], 416),
        ] {
            let mut request = http::Request::get("/");
            for (name, value) in &asked {
                request = request.header(name, *value);
            }
            let (request, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(answer(&entry, &request, 0).status(), status, "{asked:?}");
        }
    }
}
