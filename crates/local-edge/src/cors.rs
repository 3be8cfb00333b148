//! Cross-origin requests (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>): pages of allowed origins may read what
//! viewers get. Credentials are never allowed, so no page can use the cookies of its reader.

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::Function;
use crate::web_origin::WebOrigin;

/// Methods that a page may use; the template lists the same, as it does for the headers below.
const METHODS: &str = "GET, HEAD, OPTIONS";
const METHODS_OWNER: &str = "GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE";
/// Headers that a page may send: its token for `/api/`. No player sends another one that needs leave.
const HEADERS: &str = "Authorization";
/// Those of a page that uploads: a body comes with its type and its SHA-256.
const HEADERS_OWNER: &str = "Authorization, Content-Type, X-Amz-Content-Sha256";
/// Headers that a page may read beside those that it always may.
const EXPOSED: &str = "Content-Range, ETag, Retry-After";
/// How long a browser keeps the answer to a preflight, in seconds.
const MAX_AGE: &str = "3600";

/// Whether pages of other sites may read what is at `path`: all that a player needs, and the scripts of the player. The page
/// itself is for readers of its own site.
pub(super) fn covers(path: &str) -> bool {
    let script = path.starts_with("/web/") && path.rsplit('.').next() == Some("js");
    script
        || ["/play/", "/api/", "/output/"]
            .iter()
            .any(|prefix| path.starts_with(prefix))
}

/// The answer to `OPTIONS`. To a page of any other origin it allows nothing, and its browser stops there.
pub(super) fn preflight(request: &Parts, origins: &[WebOrigin], function: Function) -> Response {
    let (methods, names) = match function {
        Function::Signer => (METHODS, HEADERS),
        Function::Owner => (METHODS_OWNER, HEADERS_OWNER),
    };
    let mut response = StatusCode::NO_CONTENT.into_response();
    if allowed(request, origins).is_some() {
        let headers = response.headers_mut();
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, methods),
            (ACCESS_CONTROL_ALLOW_HEADERS, names),
            (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Adds to any answer, refusals included, what lets a page of an allowed origin read it.
pub(super) fn share(response: &mut Response, request: &Parts, origins: &[WebOrigin]) {
    if origins.is_empty() {
        return;
    }
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed(request, origins) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// The origin of the page that asks, if it is one of `origins`.
fn allowed(request: &Parts, origins: &[WebOrigin]) -> Option<HeaderValue> {
    let origin = request.headers.get(ORIGIN)?;
    origins
        .iter()
        .any(|allowed| allowed.as_str().as_bytes() == origin.as_bytes())
        .then(|| origin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cors_covers_players_and_not_the_page() {
        for shared in [
            "/play/g/a/video.m3u8",
            "/api/playback",
            "/output/a/1.ts",
            "/web/vod-player.js",
        ] {
            assert!(covers(shared), "{shared}");
        }
        for own in [
            "/",
            "/web/index.html",
            "/web/style.css",
            "/web/js",
            "/x.js",
            "/output",
            "/catalog/a.js",
        ] {
            assert!(!covers(own), "{own}");
        }
    }
}
