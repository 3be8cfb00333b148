//! A call to a simulated service, and its answer.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

/// One request, taken apart.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Decoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: bool,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) HttpResponse);

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        let (status, body) = (
            http::StatusCode::from_u16(status).unwrap_or_default(),
            body.into(),
        );
        let length = body.len().to_string();
        Self(HttpResponse::new(status.into(), SdkBody::from(body))).with("content-length", length)
    }

    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }
}
