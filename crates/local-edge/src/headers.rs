//! The response headers policies: one table, the same as in the distribution's template.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue};

/// What the page may connect to: the edge, and the bucket, to which it uploads.
pub(super) fn page_policy(bucket_origin: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{PAGE}; connect-src 'self' {bucket_origin}")).ok()
}

/// The Content-Security-Policy of the page.
const PAGE: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; worker-src 'self' blob:; \
                    object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers that a behaviour sets on good answers.
pub(super) type Policy = &'static [(HeaderName, &'static str)];

/// Outputs never change under their name. The signature is not part of a cache's key at CloudFront, and a
/// browser's cache is its owner's.
pub(super) const OUTPUT: Policy = &[
    (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// The page changes with each deployment: browsers ask with its `ETag`. Scripts come from here alone (players
/// build a worker and media from blobs, captions from an empty `data:` track), and no link of a viewer leaks by `Referer`.
pub(super) const WEB: Policy = &[
    (CACHE_CONTROL, "no-cache"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CONTENT_SECURITY_POLICY, PAGE),
];

/// The type of a file by its suffix, for objects that were stored without one.
pub(super) fn content_type(key: &str) -> Option<&'static str> {
    Some(match key.rsplit_once('.')?.1 {
        "m3u8" => "application/vnd.apple.mpegurl",
        "mpd" => "application/dash+xml",
        "ts" => "video/mp2t",
        "mp4" | "m4s" | "cmfv" => "video/mp4",
        "cmfa" => "audio/mp4",
        "aac" => "audio/aac",
        "vtt" => "text/vtt; charset=utf-8",
        "jpg" => "image/jpeg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

/// Whether a stored type says nothing: what S3 keeps for an upload without one.
pub(super) fn is_unknown(content_type: &str) -> bool {
    matches!(
        content_type,
        "" | "binary/octet-stream" | "application/octet-stream"
    )
}
