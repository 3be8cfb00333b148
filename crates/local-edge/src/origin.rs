//! The origins behind the edge: the bucket and the Function URLs of signer and owner, all on the API port, all over HTTP
//! with SigV4, as origin access control does it.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, ACCEPT_RANGES, AUTHORIZATION, CACHE_CONTROL,
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, USER_AGENT,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local_base::sigv4::{Keys, strip_hop_by_hop};
use tracing::warn;
use vod_core::cloudfront::without_signature;

use super::invalidation::DISTRIBUTION;
use super::request::Viewer;
use super::{Function, answer, headers, path};

/// How long an origin may take until it answers (CloudFront's default).
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The SHA-256 of a body as the viewer states it. CloudFront signs this and not what it receives, because it does not read a
/// body before it sends it on ("Restrict access to an AWS Lambda function URL origin", CloudFront developer guide).
const PAYLOAD_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// What of a viewer's request reaches the bucket: never its query, its cookies or its body.
const TO_BUCKET: [HeaderName; 6] = [
    RANGE,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_MATCH,
    IF_UNMODIFIED_SINCE,
    IF_RANGE,
];

/// What reaches the function as it came.
const TO_FUNCTION: [HeaderName; 3] = [ACCEPT, ACCEPT_LANGUAGE, USER_AGENT];

/// What reaches the function under a name that only the edge sets: origin access control overwrites `Authorization`, and
/// an origin request policy takes neither of them.
const TO_FUNCTION_RENAMED: [(HeaderName, &str); 2] = [
    (AUTHORIZATION, "x-viewer-authorization"),
    (ACCEPT_ENCODING, "x-viewer-accept-encoding"),
];

/// What of the bucket's answer reaches the viewer.
const FROM_BUCKET: [HeaderName; 10] = [
    ACCEPT_RANGES,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    HeaderName::from_static("content-language"),
];

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Both origins. Cheap to clone.
#[derive(Clone)]
pub(super) struct Origin {
    client: Client<HttpConnector, Full<Bytes>>,
    api_url: String,
    bucket: String,
    keys: Keys,
}

impl Origin {
    pub(super) fn new(api_url: &str, bucket: &str, keys: Keys) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self {
            client,
            api_url: api_url.trim_end_matches('/').to_owned(),
            bucket: bucket.to_owned(),
            keys,
        }
    }

    /// The object `key`, as the viewer asked for it.
    pub(super) async fn object(&self, request: &Parts, key: &str) -> Result<Response<Incoming>, Failure> {
        let mut wanted = HeaderMap::new();
        copy(&request.headers, &mut wanted, &TO_BUCKET);
        if wanted
            .get(RANGE)
            .is_some_and(|range| range.as_bytes().contains(&b','))
        {
            // S3 gives one range or the whole.
            wanted.remove(RANGE);
        }
        let conditional = take_if_range(&mut wanted);
        let found = self.fetch(&request.method, key, wanted.clone()).await?;
        if !conditional || found.status() != StatusCode::PRECONDITION_FAILED {
            return Ok(found);
        }
        // The viewer's part is of another version: it gets the whole of this one.
        for name in [RANGE, IF_MATCH, IF_UNMODIFIED_SINCE] {
            wanted.remove(name);
        }
        self.fetch(&request.method, key, wanted).await
    }

    /// The object `key`, with the headers in `wanted`.
    pub(super) async fn fetch(
        &self,
        method: &Method,
        key: &str,
        wanted: HeaderMap,
    ) -> Result<Response<Incoming>, Failure> {
        let uri: Uri = format!("{}/{}/{}", self.api_url, self.bucket, path::encode(key)).parse()?;
        let request = Request::builder().method(method).uri(&uri);
        let mut request = request.header(HOST, host(&uri)?).body(Bytes::new())?;
        self.keys.sign("s3", &mut request, SystemTime::now())?;
        // Added now, so that they are not signed: not every header of a viewer survives canonicalization.
        request.headers_mut().extend(wanted);
        self.send(request.map(Full::new)).await
    }

    /// The answer of a function.
    pub(super) async fn function(
        &self,
        function: Function,
        request: &Parts,
        viewer: &Viewer,
        body: Bytes,
    ) -> Response {
        match self.call_function(function, request, viewer, body).await {
            Ok(mut response) => {
                strip_hop_by_hop(response.headers_mut());
                response.map(Body::new)
            }
            Err(error) => unreachable(&*error),
        }
    }

    async fn call_function(
        &self,
        function: Function,
        request: &Parts,
        viewer: &Viewer,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let path = request.uri.path();
        // Once a distribution has trusted keys, its origins never see CloudFront's own parameters.
        let query = without_signature(request.uri.query().unwrap_or_default());
        let question = if query.is_empty() { "" } else { "?" };
        let uri: Uri = format!(
            "{}/lambda-url/{}{path}{question}{query}",
            self.api_url,
            function.name()
        )
        .parse()?;
        let mut forwarded = Request::builder().method(&request.method).uri(&uri).body(body)?;
        *forwarded.headers_mut() = to_function(&request.headers, viewer)?;
        forwarded.headers_mut().insert(HOST, host(&uri)?);
        self.keys.sign("lambda", &mut forwarded, SystemTime::now())?;
        if !forwarded.body().is_empty() {
            let stated = request.headers.get(&PAYLOAD_HASH).cloned();
            let stated = stated.filter(|stated| stated.to_str().is_ok());
            let stated = stated.unwrap_or(HeaderValue::from_static("UNSIGNED-PAYLOAD"));
            forwarded.headers_mut().insert(PAYLOAD_HASH, stated);
        }
        self.send(forwarded.map(Full::new)).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.client.request(request)).await??;
        Ok(answer)
    }
}

/// A viewer's headers for the function. The names that only the edge may use are set here and nowhere else, so
/// whatever a client sent under them is gone.
fn to_function(viewers: &HeaderMap, viewer: &Viewer) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    copy(viewers, &mut headers, &TO_FUNCTION);
    headers.insert("x-viewer-host", viewer.host.parse()?);
    headers.insert("x-viewer-distribution", HeaderValue::from_static(DISTRIBUTION));
    headers.insert("x-forwarded-proto", viewer.scheme.parse()?);
    for (name, renamed) in TO_FUNCTION_RENAMED {
        if let Some(value) = viewers.get(name).filter(|value| value.to_str().is_ok()) {
            headers.insert(renamed, value.clone());
        }
    }
    if let Some(address) = viewer.address {
        // Without brackets around an IPv6 address, as CloudFront writes it.
        let text = format!("{}:{}", address.ip().to_canonical(), address.port());
        headers.insert("cloudfront-viewer-address", text.parse()?);
        headers.insert(
            "x-forwarded-for",
            address.ip().to_canonical().to_string().parse()?,
        );
    }
    Ok(headers)
}

/// Copies the first value of each name, if it can be signed.
fn copy(from: &HeaderMap, to: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        if let Some(value) = from.get(name).filter(|value| value.to_str().is_ok()) {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// Turns `If-Range` into what S3 understands. Returns whether a 412 means "send the whole".
fn take_if_range(headers: &mut HeaderMap) -> bool {
    let Some(validator) = headers.remove(IF_RANGE) else {
        return false;
    };
    if !headers.contains_key(RANGE) {
        return false;
    }
    if validator.as_bytes().starts_with(b"W/") {
        // A weak validator never matches here (RFC 9110 section 13.1.5).
        headers.remove(RANGE);
        return false;
    }
    let name = if validator.as_bytes().starts_with(b"\"") {
        IF_MATCH
    } else {
        IF_UNMODIFIED_SINCE
    };
    headers.insert(name, validator);
    true
}

fn host(uri: &Uri) -> Result<HeaderValue, Failure> {
    Ok(uri
        .authority()
        .ok_or("the api url has no host")?
        .as_str()
        .parse()?)
}

/// An answer of the bucket, with what `policy` adds to a good one.
pub(super) fn from_bucket(
    found: Response<Incoming>,
    key: &str,
    policy: headers::Policy,
) -> Response<Incoming> {
    let (parts, body) = found.into_parts();
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    let headers = response.headers_mut();
    copy(&parts.headers, headers, &FROM_BUCKET);
    if parts.status.is_success() || parts.status == StatusCode::NOT_MODIFIED {
        for (name, value) in policy {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if parts.status.is_success() {
        let stored = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if let Some(known) = headers::content_type(key).filter(|_| headers::is_unknown(stored)) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(known));
        }
    }
    response
}

pub(super) fn unreachable(error: &(dyn std::error::Error + 'static)) -> Response {
    if error.is::<tokio::time::error::Elapsed>() {
        warn!("origin did not answer in time");
        return answer::error_page(StatusCode::GATEWAY_TIMEOUT, "The origin did not respond in time.");
    }
    // The error of a connection names addresses; the URL, which may hold a grant, is not in it.
    warn!(error, "origin cannot be reached");
    answer::error_page(
        StatusCode::BAD_GATEWAY,
        "We can't connect to the server for this app or website at this time.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As CloudFront refuses them in an origin request policy (aws-cdk pull request 15327).
    #[test]
    fn no_header_reaches_the_function_that_a_policy_cannot_name() {
        for refused in [AUTHORIZATION, ACCEPT_ENCODING, HOST] {
            assert!(!TO_FUNCTION.contains(&refused), "{refused}");
        }
    }
}
