//! An app that calls the API through the edge.

use anyhow::{Context, ensure};
use serde_json::Value;
use vod_core::digest::sha256_hex;
use vod_tests::LocalStack;
use vod_tests::http::{self, Answer};

/// An app with a token.
pub(crate) struct App<'a> {
    pub(crate) stack: &'a LocalStack,
    pub(crate) bearer: String,
}

impl<'a> App<'a> {
    /// With a token that `vod token` makes.
    pub(crate) fn new(stack: &'a LocalStack, options: &[&str]) -> anyhow::Result<Self> {
        let output = stack.vod(&[&["token"], options].concat())?;
        let token = String::from_utf8(output.stdout)?;
        ensure!(output.status.success() && !token.is_empty(), "no token");
        let bearer = format!("Bearer {}", token.trim());
        Ok(Self { stack, bearer })
    }

    /// A request to the API. A body is JSON, and comes with its SHA-256.
    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send_bytes(method, path, body.into_bytes())
    }

    /// A request to the API with a body that comes with its SHA-256.
    pub(crate) fn send_bytes(&self, method: &str, path: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        let hash = sha256_hex(&body);
        let mut headers = vec![("authorization", self.bearer.as_str())];
        if !body.is_empty() {
            headers.extend([
                ("content-type", "application/json"),
                ("x-amz-content-sha256", &hash),
            ]);
        }
        let url = format!("{}{path}", self.stack.endpoints.edge);
        http::send(method, &url, &headers, body)
    }

    /// The JSON of an answer with this status.
    pub(crate) fn json(
        &self,
        status: u16,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answer = self.send(method, path, body)?;
        ensure!(answer.status == status, "{method} {path}: {answer:?}");
        serde_json::from_slice(&answer.body).context("not JSON")
    }
}

/// The detail of a problem document with this status.
pub(crate) fn detail(answer: &Answer, status: u16) -> anyhow::Result<String> {
    ensure!(answer.status == status, "{status} was expected: {answer:?}");
    ensure!(
        answer.header("content-type") == "application/problem+json",
        "{answer:?}"
    );
    let problem: Value = serde_json::from_slice(&answer.body)?;
    Ok(problem["detail"].as_str().context("no detail")?.to_owned())
}
