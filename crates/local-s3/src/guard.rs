//! Refuses requests whose signature does not cover what it has to, before s3s sees them.
//!
//! s3s recomputes a signature over the headers that the client lists in `SignedHeaders` and acts on every `x-amz-*` header
//! that arrives. Without this check the holder of a presigned upload could add `x-amz-copy-source` and read the bucket.
//! Sources: "Authenticating Requests: Using the Authorization Header" and "Using Query Parameters", S3 API reference.

use std::borrow::Cow;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use local_base::sigv4::{Authorization, Scope};
use quick_xml::escape::partial_escape;

/// The longest that a presigned request may be good for, in seconds: seven days.
const MAX_EXPIRES: u64 = 7 * 24 * 3600;
/// The most bytes that an XML document in a request may have. A `DeleteObjects` of 1,000 of the longest keys has some 6 MiB.
pub(super) const MAX_XML: usize = 8 << 20;

const PAYLOAD_HASH: &str = "x-amz-content-sha256";

/// A request that is refused with an error of S3.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    /// One more element of the error: its name and its text.
    detail: Option<(&'static str, String)>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            detail: None,
        }
    }

    fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    fn not_signed(names: &[&str]) -> Self {
        let message = "There were headers present in the request which were not signed";
        Self {
            detail: Some(("HeadersNotSigned", names.join(", "))),
            ..Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
        }
    }

    /// The answer; one to HEAD has no body.
    pub(super) fn respond(&self, method: &Method) -> Response<Body> {
        let detail = self.detail.as_ref().map_or_else(String::new, |(name, text)| {
            format!("<{name}>{}</{name}>", partial_escape(text))
        });
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{detail}</Error>",
            self.code,
            partial_escape(&*self.message)
        );
        let body = if method == Method::HEAD {
            Body::empty()
        } else {
            Body::from(body)
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let xml = http::HeaderValue::from_static("application/xml");
        response.headers_mut().insert(CONTENT_TYPE, xml);
        response
    }
}

/// Checks everything of a request that can be checked without its body and without the secret.
pub(super) fn check(request: &Parts, region: &str) -> Result<(), Refused> {
    if is_form(request) {
        // It is signed by its policy, which is in the body; s3s acts on no other header.
        return check_length(&request.headers);
    }
    let query = Query::of(request);
    let mut headers = request.headers.get_all(AUTHORIZATION).iter();
    let authorization = headers.next();
    let presigned = query.get("X-Amz-Signature").is_some() || query.get("X-Amz-Algorithm").is_some();
    if headers.next().is_some() || (presigned && authorization.is_some()) {
        return Err(Refused::bad_request(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
             parameter or the Authorization header should be specified",
        ));
    }
    let authorization = authorization.and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    if query.get("Signature").is_some() || authorization.is_some_and(|text| text.starts_with("AWS ")) {
        return Err(Refused::bad_request(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ));
    }
    if presigned {
        check_presigned(&query, &request.headers, region)?;
    } else if let Some(text) = authorization {
        check_header(text, &request.headers, region)?;
    }
    check_document(request)
}

/// Whether s3s takes a request for a browser's form upload.
pub(super) fn is_form(request: &Parts) -> bool {
    let form = |value: &http::HeaderValue| {
        let name = value
            .as_bytes()
            .split(|&byte| byte == b';')
            .next()
            .unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data")
    };
    request.method == Method::POST && request.headers.get_all(CONTENT_TYPE).iter().any(form)
}

fn check_presigned(query: &Query, headers: &HeaderMap, region: &str) -> Result<(), Refused> {
    let error = |message: String| Refused::bad_request("AuthorizationQueryParametersError", message);
    let needed = |name: &'static str| {
        query.get(name).ok_or_else(|| {
            error(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
                    .to_owned(),
            )
        })
    };
    let expires = needed("X-Amz-Expires")?;
    let expires: u64 = expires
        .parse()
        .map_err(|_| error("X-Amz-Expires should be a number".to_owned()))?;
    if expires > MAX_EXPIRES {
        return Err(error(format!(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             {MAX_EXPIRES} seconds"
        )));
    }
    let credential = needed("X-Amz-Credential")?;
    let parse = "Error parsing the X-Amz-Credential parameter; ";
    let scope = Scope::parse(credential)
        .ok_or_else(|| error(format!("{parse}the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")))?;
    check_scope(&scope, region).map_err(|wrong| error(format!("{parse}{wrong}")))?;
    let signed: Vec<_> = needed("X-Amz-SignedHeaders")?.split(';').collect();
    // A presigned PUT is signed before its body is known; the hash is checked against the body all the same.
    check_signed(headers, &signed, |name| name == PAYLOAD_HASH)
}

fn check_header(text: &str, headers: &HeaderMap, region: &str) -> Result<(), Refused> {
    let error = |message: &str| {
        let message = format!("The authorization header is malformed; {message}");
        Refused::bad_request("AuthorizationHeaderMalformed", message)
    };
    let claimed = Authorization::parse(text).map_err(|malformed| error(&malformed.to_string()))?;
    check_scope(&claimed.scope, region).map_err(|wrong| error(&wrong))?;
    check_signed(headers, &claimed.signed_headers, |_| false)
}

fn check_scope(scope: &Scope<'_>, region: &str) -> Result<(), String> {
    if scope.service != "s3" {
        return Err(format!(
            "incorrect service \"{}\". This endpoint belongs to \"s3\".",
            scope.service
        ));
    }
    if scope.region != region {
        return Err(format!(
            "the region '{}' is wrong; expecting '{region}'",
            scope.region
        ));
    }
    Ok(())
}

/// `host` and all that S3 acts on must be in the list.
fn check_signed(headers: &HeaderMap, signed: &[&str], may_lack: fn(&str) -> bool) -> Result<(), Refused> {
    let acted_on = |name: &str| name.starts_with("x-amz-") || name == "content-md5";
    let arrived = headers.keys().map(http::HeaderName::as_str);
    let mut missing: Vec<_> = std::iter::once("host")
        .chain(arrived.filter(|name| acted_on(name) && !may_lack(name)))
        .filter(|name| !signed.contains(name))
        .collect();
    missing.sort_unstable();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Refused::not_signed(&missing))
    }
}

/// Documents are read whole, so they are limited; bodies of objects are not documents.
fn check_document(request: &Parts) -> Result<(), Refused> {
    let of_object = request.uri.path().trim_start_matches('/').contains('/');
    if request.method == Method::PUT && of_object {
        return Ok(());
    }
    check_length(&request.headers)?;
    let length = length(&request.headers);
    if length.is_some_and(|length| length > MAX_XML as u64) {
        return Err(Refused::bad_request(
            "MaxMessageLengthExceeded",
            "Your request was too big.",
        ));
    }
    Ok(())
}

/// A body that is read whole must say how long it is.
fn check_length(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.contains_key(TRANSFER_ENCODING) && length(headers).is_none() {
        let message = "You must provide the Content-Length HTTP header.";
        return Err(Refused::new(
            StatusCode::LENGTH_REQUIRED,
            "MissingContentLength",
            message,
        ));
    }
    Ok(())
}

/// The declared length of a body in bytes.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The parameters of a query, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Parts) -> Self {
        let query = request.uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The first of that name; s3s refuses a second.
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests;
