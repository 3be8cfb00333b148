//! Signature Version 4, both ways: what arrives at the API port is verified, what the edge and the event
//! dispatcher send to it is signed.
//!
//! S3 requests are verified by `s3s`, which also knows presigned URLs and chunked uploads; this module
//! serves the other services (`mediaconvert`, `lambda`, `sqs`, `cloudfront`), whose clients sign with headers.
//! The signature is recomputed with the same crate that the SDK signs with, over exactly the headers that
//! the client lists in `SignedHeaders`.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_lc_rs::constant_time;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign as compute,
};
use aws_sigv4::sign::v4;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use vod_core::digest::sha256_hex;

mod guard;

pub use guard::{WriteError, require, require_in};

/// How far a client's clock may differ from ours.
pub const MAX_SKEW: Duration = Duration::from_mins(15);

const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The one pair of keys of a local stack, and its region.
#[derive(Clone)]
pub struct Keys {
    /// What AWS calls the access key id.
    pub access_key: String,
    /// The secret of the pair; never printed.
    pub secret_key: String,
    /// The region that signatures must be scoped to, such as `us-east-1`.
    pub region: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("access_key", &self.access_key)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The reason for which a request is refused. `Display` is the text that AWS gives.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuthError {
    /// No `Authorization` header at all.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// A part of the header, or the date, is missing or cannot be read.
    #[error("{0}")]
    IncompleteSignature(String),
    /// An access key that this stack does not know.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// Wrong scope, wrong time, or simply a wrong signature.
    #[error("{0}")]
    InvalidSignature(String),
}

impl AuthError {
    /// The name that AWS gives the error on the wire.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::IncompleteSignature(_) => "IncompleteSignatureException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::InvalidSignature(_) => "InvalidSignatureException",
        }
    }

    fn incomplete(text: &str) -> Self {
        Self::IncompleteSignature(text.to_owned())
    }

    fn mismatch() -> Self {
        Self::InvalidSignature(
            "The request signature we calculated does not match the signature you provided. Check your AWS \
             Secret Access Key and signing method. Consult the service documentation for details."
                .to_owned(),
        )
    }
}

/// A request could not be signed: a header or URI that no client could send.
#[derive(Debug, thiserror::Error)]
#[error("failed to sign request to {service}")]
pub struct SignError {
    service: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// An error as the rest-json services write it: the type in a header, the text as `message`.
pub fn rest_json_error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "message": message }).to_string();
    let headers = [("x-amzn-errortype", code), ("content-type", "application/json")];
    (status, headers, body).into_response()
}

/// What a signature is good for: `key/date/region/service/aws4_request`.
#[derive(Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    pub access_key: &'a str,
    /// `YYYYMMDD`.
    pub date: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

impl<'a> Scope<'a> {
    /// Reads a `Credential`. An access key may hold a slash, so it is read from the right.
    pub fn parse(credential: &'a str) -> Option<Self> {
        let mut parts = credential.rsplitn(5, '/');
        (parts.next()? == "aws4_request").then_some(())?;
        let (service, region, date) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            access_key: parts.next()?,
            date,
            region,
            service,
        })
    }
}

/// What an `Authorization` header of the form `AWS4-HMAC-SHA256 …` says.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    pub scope: Scope<'a>,
    pub signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub fn parse(header: &'a str) -> Result<Self, AuthError> {
        // The texts are AWS's without its echo of the header: a signature has no place in an error.
        let missing = |what: &str| {
            AuthError::IncompleteSignature(format!("Authorization header requires '{what}' parameter."))
        };
        let algorithm = "Unsupported AWS 'algorithm', expected AWS4-HMAC-SHA256.";
        let rest = header.strip_prefix("AWS4-HMAC-SHA256");
        let rest = rest.ok_or_else(|| AuthError::incomplete(algorithm))?;
        let field = |name: &str| {
            rest.split(',')
                .filter_map(|part| part.trim().split_once('='))
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v)
        };
        let credential = field("Credential").ok_or_else(|| missing("Credential"))?;
        let signature = field("Signature").ok_or_else(|| missing("Signature"))?;
        let signed = field("SignedHeaders").ok_or_else(|| missing("SignedHeaders"))?;

        let five =
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.";
        let scope = Scope::parse(credential).ok_or_else(|| AuthError::incomplete(five))?;
        Ok(Self {
            scope,
            signed_headers: signed.split(';').collect(),
            signature,
        })
    }
}

impl Keys {
    /// Checks all of a signature that does not depend on the body or the secret: key, scope and date. Before a body is
    /// read into memory, this keeps out what could not be let in anyway.
    pub fn verify_head(&self, service: &str, parts: &Parts, now: SystemTime) -> Result<(), AuthError> {
        self.claim(service, parts, now).map(drop)
    }

    /// Checks that `parts` and `body` were signed for `service` with these keys within [`MAX_SKEW`] of `now`.
    pub fn verify(
        &self,
        service: &str,
        parts: &Parts,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), AuthError> {
        let (claimed, time) = self.claim(service, parts, now)?;
        if text(&parts.headers, "x-amz-content-sha256").is_some_and(|claim| claim != sha256_hex(body)) {
            return Err(AuthError::mismatch());
        }

        let mut headers = Vec::with_capacity(claimed.signed_headers.len());
        for name in &claimed.signed_headers {
            for value in parts.headers.get_all(*name) {
                headers.push((*name, value.to_str().map_err(|_| AuthError::mismatch())?));
            }
        }
        let expected = self
            .signature(service, &parts.method, &uri_of(parts), &headers, body, time)
            .map_err(|_| AuthError::mismatch())?;
        constant_time::verify_slices_are_equal(expected.as_bytes(), claimed.signature.as_bytes())
            .map_err(|_| AuthError::mismatch())
    }

    /// Reads the signature and its time, and checks key, scope and time.
    fn claim<'a>(
        &self,
        service: &str,
        parts: &'a Parts,
        now: SystemTime,
    ) -> Result<(Authorization<'a>, SystemTime), AuthError> {
        let header = text(&parts.headers, "authorization").ok_or(AuthError::MissingAuthenticationToken)?;
        let authorization = Authorization::parse(header)?;
        let claimed = &authorization.scope;
        if claimed.access_key != self.access_key {
            return Err(AuthError::UnrecognizedClient);
        }
        if claimed.service != service {
            let message = format!("Credential should be scoped to correct service: '{service}'. ");
            return Err(AuthError::InvalidSignature(message));
        }
        if claimed.region != self.region {
            let message = format!(
                "Credential should be scoped to a valid region, not '{}'. ",
                claimed.region
            );
            return Err(AuthError::InvalidSignature(message));
        }
        let undated = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
        let date = text(&parts.headers, "x-amz-date").ok_or_else(|| AuthError::incomplete(undated))?;
        let form = "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601";
        let time = parse_date(date).ok_or_else(|| AuthError::incomplete(form))?;
        if !date.starts_with(claimed.date) || claimed.date.len() != 8 {
            let message =
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP";
            return Err(AuthError::InvalidSignature(message.to_owned()));
        }
        check_skew(time, now)?;
        Ok((authorization, time.into()))
    }

    /// The signature over exactly these headers (and `x-amz-date`, which must be among them).
    fn signature(
        &self,
        service: &str,
        method: &http::Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        time: SystemTime,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        // The caller has chosen the headers already: nothing may be left out by the signer's own list.
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        let identity = self.identity();
        let params = self.params(service, &identity, settings, time)?;
        let request = SignableRequest::new(
            method.as_str(),
            uri,
            headers.iter().copied(),
            SignableBody::Bytes(body),
        )?;
        Ok(compute(request, &params)?.signature().to_owned())
    }

    /// Signs `request` for `service` as of `now` and adds the headers that carry the signature.
    ///
    /// All its headers are signed. The URI must be absolute. `x-amz-content-sha256` is always sent: a Function URL behind origin
    /// access control wants it, and other services do not mind.
    pub fn sign(
        &self,
        service: &str,
        request: &mut http::Request<Bytes>,
        now: SystemTime,
    ) -> Result<(), SignError> {
        let fail = |source: Box<dyn std::error::Error + Send + Sync>| SignError {
            service: service.to_owned(),
            source,
        };
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        if service == "s3" {
            // S3 signs the path as it is sent, unlike all other services.
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let identity = self.identity();
        let params = self.params(service, &identity, settings, now).map_err(fail)?;
        let uri = request.uri().to_string();
        let mut headers = Vec::with_capacity(request.headers().len());
        for (name, value) in request.headers() {
            headers.push((name.as_str(), value.to_str().map_err(|error| fail(error.into()))?));
        }
        let body = SignableBody::Bytes(request.body());
        let instructions = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), body)
            .and_then(|signable| compute(signable, &params))
            .map_err(|error| fail(error.into()))?
            .into_parts()
            .0;
        instructions.apply_to_request_http1x(request);
        Ok(())
    }

    fn identity(&self) -> aws_smithy_runtime_api::client::identity::Identity {
        Credentials::new(
            self.access_key.clone(),
            self.secret_key.clone(),
            None,
            None,
            "vod-local",
        )
        .into()
    }

    fn params<'a>(
        &'a self,
        service: &'a str,
        identity: &'a aws_smithy_runtime_api::client::identity::Identity,
        settings: SigningSettings,
        time: SystemTime,
    ) -> Result<aws_sigv4::http_request::SigningParams<'a>, Box<dyn std::error::Error + Send + Sync>> {
        let params = v4::SigningParams::builder()
            .identity(identity)
            .region(&self.region)
            .name(service)
            .time(time)
            .settings(settings)
            .build()?;
        Ok(params.into())
    }
}

/// The absolute URI that the client signed. Servers see only the path and the query; the scheme is not
/// signed, and the host is taken from the header.
fn uri_of(parts: &Parts) -> String {
    let host = text(&parts.headers, "host").or(parts.uri.authority().map(http::uri::Authority::as_str));
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    format!("http://{}{path}", host.unwrap_or("localhost"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn parse_date(text: &str) -> Option<Timestamp> {
    let date = DateTime::strptime(DATE_FORMAT, text).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn check_skew(time: Timestamp, now: SystemTime) -> Result<(), AuthError> {
    let now = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let skew = SignedDuration::try_from(MAX_SKEW).unwrap_or(SignedDuration::ZERO);
    let (earliest, latest) = (now - skew, now + skew);
    let show = |t: Timestamp| t.strftime(DATE_FORMAT).to_string();
    let (signed, ours, minutes) = (show(time), show(now), MAX_SKEW.as_secs() / 60);
    if time < earliest {
        let limit = show(earliest);
        return Err(AuthError::InvalidSignature(format!(
            "Signature expired: {signed} is now earlier than {limit} ({ours} - {minutes} min.)"
        )));
    }
    if time > latest {
        let limit = show(latest);
        return Err(AuthError::InvalidSignature(format!(
            "Signature not yet current: {signed} is still later than {limit} ({ours} + {minutes} min.)"
        )));
    }
    Ok(())
}

/// Only what the signature needs of a proxied request: hop-by-hop headers never reach the next server, so
/// a signature over them could not be verified there.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let hop_by_hop = [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    for name in hop_by_hop {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
