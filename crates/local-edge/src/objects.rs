//! Objects of the bucket: from the cache, or from the origin and into it.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use super::answer::Hit;
use super::cache::{ENTRY_MAX, Entry, Fill, cache_control, error_ttl};
use super::origin::{self, Failure};
use super::{Edge, headers, memory};

/// Longest body of an error, in bytes: S3's have a few hundred.
const ERROR_MAX: usize = 64 << 10;

/// The object at `/` (the distribution's default root object).
const ROOT: &str = "web/index.html";

impl Edge {
    /// The object at `path` (decoded, without its first slash), with what `policy` adds to a good answer.
    pub(super) async fn object(&self, request: &Parts, path: &str, policy: headers::Policy) -> Response {
        let now = (self.options.clock)().as_second();
        if let Some(entry) = self.options.cache.get(path, now) {
            let mut response = memory::answer(&entry, request, now);
            response.extensions_mut().insert(Hit);
            return response;
        }
        let fill = self.options.cache.fill().await;
        self.fetch(request, path, policy, now, &fill)
            .await
            .unwrap_or_else(|error| origin::unreachable(&*error))
    }

    /// Asks the origin as the viewer asked, and keeps what is small enough.
    async fn fetch(
        &self,
        request: &Parts,
        path: &str,
        policy: headers::Policy,
        now: i64,
        fill: &Fill<'_>,
    ) -> Result<Response, Failure> {
        let key = if path.is_empty() { ROOT } else { path };
        let mut found = self.origin.object(request, key).await?;
        if found.status().is_client_error() || found.status().is_server_error() {
            return keep_error(request, path, origin::from_bucket(found, key, policy), now, fill).await;
        }
        if request.method != Method::GET || !is_small(&found) {
            return Ok(origin::from_bucket(found, key, policy).map(Body::new));
        }
        if found.status() == StatusCode::PARTIAL_CONTENT {
            // The rest will be wanted as well.
            found = self.origin.fetch(&Method::GET, key, HeaderMap::new()).await?;
            if found.status() != StatusCode::OK || !is_small(&found) {
                return Ok(origin::from_bucket(found, key, policy).map(Body::new));
            }
        }
        let says = cache_control(found.headers()).map(str::to_owned);
        let (parts, body) = origin::from_bucket(found, key, policy).into_parts();
        // Its length is known, so this is bounded.
        let body = body.collect().await?.to_bytes();
        let entry = Arc::new(Entry::new(parts.headers, body, says.as_deref(), now));
        fill.keep(path, &entry);
        Ok(memory::answer(&entry, request, now))
    }
}

/// Passes an error on, and keeps it for the seconds that CloudFront would, so that not every viewer of a missing file
/// asks the origin.
async fn keep_error<B>(
    request: &Parts,
    path: &str,
    found: Response<B>,
    now: i64,
    fill: &Fill<'_>,
) -> Result<Response, Failure>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Failure>,
{
    let seconds = error_ttl(found.status(), cache_control(found.headers()));
    let Some(seconds) = seconds.filter(|_| request.method == Method::GET) else {
        return Ok(found.map(Body::new));
    };
    let (parts, body) = found.into_parts();
    let body = Limited::new(body, ERROR_MAX).collect().await?.to_bytes();
    let entry = Arc::new(Entry::error(parts.status, parts.headers, body, seconds, now));
    fill.keep(path, &entry);
    Ok(memory::answer(&entry, request, now))
}

/// Whether an answer is a whole object, or a part of one, that may be kept.
fn is_small(found: &Response<Incoming>) -> bool {
    let header = |name| found.headers().get(name).and_then(|value| value.to_str().ok());
    let length = match found.status() {
        StatusCode::OK => header(CONTENT_LENGTH),
        StatusCode::PARTIAL_CONTENT => header(CONTENT_RANGE).and_then(|range| range.rsplit('/').next()),
        _ => None,
    };
    length
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length <= ENTRY_MAX)
}
