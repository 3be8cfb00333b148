//! One call without an SDK crate: signing it, and reading a refusal.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::body::SdkBody;
use hyper::{Method, Request};
use serde_json::Value;

use super::service::Service;
use super::{ATTEMPTS, PATIENCE, Refusal, xml};
use crate::wire::{Answer, origin};

/// One call, before it is signed.
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    pub(super) operation: &'a str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) patience: Duration,
    pub(super) attempts: u32,
}

impl<'a> Call<'a> {
    pub(super) fn new(service: &'a Service, operation: &'a str, method: Method, path: String) -> Self {
        Self {
            service,
            operation,
            method,
            path,
            headers: Vec::new(),
            body: String::new(),
            patience: PATIENCE,
            attempts: ATTEMPTS,
        }
    }

    pub(super) fn sign(
        &self,
        identity: &Identity,
        endpoint: &str,
        region: &str,
    ) -> Result<Request<SdkBody>, Box<dyn Error + Send + Sync>> {
        let uri = format!("{endpoint}{}", self.path);
        let host = origin(endpoint);
        let host = host.split("://").nth(1).unwrap_or_default();
        let mut headers = vec![("host", host)];
        headers.extend(self.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(identity)
            .region(region)
            .name(self.service.signing_name())
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let body = SignableBody::Bytes(self.body.as_bytes());
        let signable = SignableRequest::new(self.method.as_str(), &uri, headers.iter().copied(), body)?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let mut request = Request::builder().method(&self.method).uri(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(self.body.as_str()))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    /// The error in an answer, in any of the three protocols.
    pub(super) fn refusal(&self, answer: &Answer) -> Refusal {
        let text = String::from_utf8_lossy(&answer.body);
        let document = serde_json::from_str(&text).ok().or_else(|| xml::parse(&text));
        let document = document.unwrap_or(Value::Null);
        let error = &document["ErrorResponse"]["Error"];
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let header = answer.headers.get("x-amzn-errortype").map(str::to_owned);
        let code = header
            .or_else(|| word(&document["__type"]))
            .or_else(|| word(&error["Code"]))
            .unwrap_or_default();
        // `com.amazonaws.sqs#QueueDoesNotExist`, `AccessDeniedException:http://…`
        let code = code.rsplit('#').next().unwrap_or_default();
        let code = code.split(':').next().unwrap_or_default();
        let message = word(&document["message"])
            .or_else(|| word(&document["Message"]))
            .or_else(|| word(&error["Message"]));
        Refusal {
            what: format!("{} {}", self.service.id, self.operation),
            permission: format!("{}:{}", self.service.prefix, self.operation),
            status: answer.status.as_u16(),
            code: code.to_owned(),
            message: message.unwrap_or_default(),
        }
    }
}
