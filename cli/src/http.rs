//! The signer's HTTP, as the page and other programs use it.
//!
//! Plain HTTP for now: a local stack has no other. A stack on AWS answers on HTTPS; the connector is the only
//! thing that this changes.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Nothing that the signer answers takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nor is it larger: a page of records has at most a few megabytes.
const MAX_BODY: usize = 32 << 20;

/// Asks the signer, with the token that lets us.
#[derive(Debug)]
pub(crate) struct Api {
    base: String,
    token: String,
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl Api {
    pub(crate) fn new(base: &str, token: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// What lies at `path`, or nothing when there is no such thing (404).
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<Option<T>> {
        let (status, body) = self.ask(path, query).await?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body)
                .map(Some)
                .with_context(|| format!("could not read the answer of {path}")),
            StatusCode::NOT_FOUND => Ok(None),
            status => bail!("{path}: {}", problem(status, &body)),
        }
    }

    /// What lies at `path`; anything else is an error in the signer's own words.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let (status, body) = self.ask(path, query).await?;
        if status != StatusCode::OK {
            bail!(problem(status, &body));
        }
        serde_json::from_slice(&body).with_context(|| format!("could not read the answer of {path}"))
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut uri = format!("{}{path}", self.base);
        if !query.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(query)
                .finish();
            uri = format!("{uri}?{query}");
        }
        let request = Request::get(&uri)
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json")
            .body(Empty::new())
            .with_context(|| format!("`{}` is no address", self.base))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| {
                anyhow!(
                    "could not reach {}: {}; does `vod up` still run?",
                    self.base,
                    root(&error)
                )
            })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_BODY);
            let body = body
                .collect()
                .await
                .map_err(|error| anyhow!("the answer of {} broke off: {error}", self.base))?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, exchange).await.with_context(|| {
            format!(
                "{} did not answer within {} seconds",
                self.base,
                PATIENCE.as_secs()
            )
        })?
    }
}

/// The innermost cause: "connection refused" and not "client error (Connect)".
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// What a problem+json (RFC 9457) or anything else says, for people.
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
    async fn nobody_there() {
        // Port 9 (discard) is not in use on any machine of ours; a refusal is what a stopped stack gives.
        let api = Api::new("http://127.0.0.1:9", "secret-token");
        let error = api
            .get::<Value>("/api/assets", &[])
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("vod up"), "{error}");
        assert!(!error.contains("secret-token"), "{error}");
    }
}
