//! Calls the signer's HTTP API.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use hyper::{Request, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use vod_aws::Wire;

use crate::stack::tokens::Tokens;

/// Longer than any request to the signer takes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Time limit for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Maximum size of a response: a page of records has at most a few megabytes.
const MAX_BODY: usize = 32 << 20;

/// A client for requests to the signer and the edge.
pub(crate) fn wire() -> Wire {
    Wire::new(CONNECT, MAX_BODY)
}

/// A client of the signer's API.
#[derive(Debug)]
pub(crate) struct Api {
    base: String,
    tokens: Arc<Tokens>,
    wire: Wire,
    /// A hint for the error if the signer does not respond.
    hint: String,
}

impl Api {
    pub(crate) fn new(base: &str, tokens: Arc<Tokens>, wire: Wire, hint: String) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            tokens,
            wire,
            hint,
        }
    }

    /// The value at `path`; `None` if it does not exist (404).
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<Option<T>> {
        let (status, body) = self.ask(path, query).await?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body)
                .map(Some)
                .with_context(|| format!("could not read the response of {path}")),
            StatusCode::NOT_FOUND => Ok(None),
            status => bail!("{path}: {}", problem(status, &body)),
        }
    }

    /// The value at `path`; any other response is an error with the signer's message.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let (status, body) = self.ask(path, query).await?;
        read(path, status, &body)
    }

    /// Status and body of the response.
    pub(crate) async fn ask(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut uri = format!("{}{path}", self.base);
        if !query.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(query)
                .finish();
            uri = format!("{uri}?{query}");
        }
        let token = self.tokens.bearer().await?;
        let request = Request::get(&uri)
            .header("authorization", format!("Bearer {token}"))
            .header("accept", "application/json")
            .body(SdkBody::empty())
            .with_context(|| format!("`{}` is not an address", self.base))?;
        let answer = self.wire.send(request, TIMEOUT).await;
        let answer =
            answer.map_err(|error| anyhow!("could not reach {}: {error}; {}", self.base, self.hint))?;
        Ok((answer.status(), answer.into_body()))
    }
}

/// The value in a response; a status other than 200 is an error with the signer's message.
pub(crate) fn read<T: DeserializeOwned>(path: &str, status: StatusCode, body: &[u8]) -> anyhow::Result<T> {
    if status != StatusCode::OK {
        bail!(problem(status, body));
    }
    serde_json::from_slice(body).with_context(|| format!("could not read the response of {path}"))
}

/// The message of a problem+json (RFC 9457), or of another body, for people.
fn problem(status: StatusCode, body: &[u8]) -> String {
    let document: Option<Value> = serde_json::from_slice(body).ok();
    let text = |name: &str| document.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let words = match (text("title"), text("detail")) {
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        (Some(words), None) | (None, Some(words)) => words,
        (None, None) => "no reason given".to_owned(),
    };
    format!("{} (HTTP {})", crate::output::plain(&words), status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_for_people() {
        let status = StatusCode::BAD_REQUEST;
        for (body, expected) in [
            (
                r#"{"title":"Bad Request","detail":"ttl_seconds"}"#,
                "Bad Request: ttl_seconds (HTTP 400)",
            ),
            (r#"{"detail":"no such asset"}"#, "no such asset (HTTP 400)"),
            ("<html>", "no reason given (HTTP 400)"),
        ] {
            assert_eq!(problem(status, body.as_bytes()), expected);
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_explained() {
        // Port 9 (discard) is not in use on any machine of ours; a refusal is what a stopped stack gives.
        let tokens = Arc::new(Tokens::Given("secret-token".to_owned()));
        let hint = "is `vod up` still running?".to_owned();
        let api = Api::new("http://127.0.0.1:9", tokens, wire(), hint);
        let error = api
            .get::<Value>("/api/assets", &[])
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("vod up"), "{error}");
        assert!(!error.contains("secret-token"), "{error}");
    }
}
