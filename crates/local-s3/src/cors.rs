//! CORS: what a browser asks before and after it sends a presigned upload from another origin.
//!
//! Source: "Using cross-origin resource sharing", S3 user guide; one permissive rule for the configured origins.

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::guard::Refused;

const METHODS: &str = "GET, PUT, POST, DELETE, HEAD";
/// What an uploading page has to read: the ETag of each part.
const EXPOSED: &str = "ETag, x-amz-request-id, x-amz-id-2, x-amz-version-id";
const MAX_AGE_SECONDS: &str = "3000";
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// The origins that may use the endpoint from a page.
pub(super) struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// `*` means every origin.
    pub(super) fn new(origins: Vec<String>) -> Self {
        Self { origins }
    }

    /// Answers a preflight; None for every other request. A preflight carries no signature.
    pub(super) fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        if request.method() != Method::OPTIONS {
            return None;
        }
        let asked = request.headers();
        let method = asked
            .get(ACCESS_CONTROL_REQUEST_METHOD)
            .and_then(|method| method.to_str().ok());
        let known = method.is_some_and(|method| METHODS.split(", ").any(|allowed| allowed == method));
        let Some(origin) = self.allowed(asked).filter(|_| known) else {
            let refused = Refused::new(StatusCode::FORBIDDEN, "AccessForbidden", FORBIDDEN);
            return Some(refused.respond(&Method::OPTIONS));
        };
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECONDS));
        headers.insert(VARY, HeaderValue::from_static(VARIES));
        if let Some(wanted) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        Some(response)
    }

    /// The origin to name in the answer to a request with `asked`, when it may read the answer.
    pub(super) fn allowed(&self, asked: &HeaderMap) -> Option<HeaderValue> {
        let origin = asked.get(ORIGIN)?;
        let known = self
            .origins
            .iter()
            .any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes());
        known.then(|| origin.clone())
    }
}

/// Lets the page at `origin` read the answer.
pub(super) fn expose(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(VARY, HeaderValue::from_static(VARIES));
}

const FORBIDDEN: &str = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, \
    request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
    resource's CORS spec.";

#[cfg(test)]
mod tests {
    use super::*;

    fn preflight(origins: &[&str], origin: &str, method: &str) -> Response<Body> {
        let request = Request::options("/vod/input/x.mp4")
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "content-type,x-amz-meta-a")
            .body(())
            .unwrap();
        let cors = Cors::new(origins.iter().map(|&origin| origin.to_owned()).collect());
        cors.preflight(&request).unwrap()
    }

    #[test]
    fn a_known_origin_may_put() {
        let response = preflight(&["http://127.0.0.1:8080"], "http://127.0.0.1:8080", "PUT");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN],
            "http://127.0.0.1:8080"
        );
        assert_eq!(
            response.headers()[ACCESS_CONTROL_ALLOW_HEADERS],
            "content-type,x-amz-meta-a"
        );
    }

    #[test]
    fn others_may_not() {
        for (origins, origin, method) in [
            (&["http://127.0.0.1:8080"][..], "http://evil.example", "PUT"),
            (&["*"][..], "http://a.example", "PATCH"),
            (&[][..], "http://a.example", "GET"),
        ] {
            let response = preflight(origins, origin, method);
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert!(!response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        }
        assert_eq!(
            preflight(&["*"], "http://a.example", "GET").status(),
            StatusCode::OK
        );
    }

    #[test]
    fn other_requests_pass() {
        let request = Request::get("/").body(()).unwrap();
        assert!(Cors::new(vec!["*".to_owned()]).preflight(&request).is_none());
    }
}
