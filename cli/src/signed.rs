//! Signed calls to services for which this command needs no SDK: SQS, MediaConvert, Lambda.

use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use vod_local::sigv4::Keys;

use crate::output;
use crate::stack::Stack;

/// Nothing that is asked for here takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client for a stack's API.
#[derive(Debug)]
pub(crate) struct Signed {
    api: String,
    keys: Keys,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What a service answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Signed {
    pub(crate) fn new(stack: &Stack) -> anyhow::Result<Self> {
        let api = stack.aws.s3_endpoint.as_deref();
        let api = api.context("the stack names no API")?;
        Ok(Self {
            api: api.trim_end_matches('/').to_owned(),
            keys: stack.keys(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        })
    }

    /// A call of SQS; what it refuses is an error in its own words.
    pub(crate) async fn sqs(&self, operation: &str, request: &Value) -> anyhow::Result<Value> {
        let headers = [
            ("content-type", "application/x-amz-json-1.0".to_owned()),
            ("x-amz-target", format!("AmazonSQS.{operation}")),
        ];
        let body = request.to_string();
        let answer = self.call("sqs", Method::POST, "/", &headers, body).await?;
        if answer.status == StatusCode::OK {
            return Ok(answer.body);
        }
        let kind = answer.body["__type"].as_str().unwrap_or_default();
        let kind = kind.rsplit('#').next().unwrap_or_default();
        let message = answer.body["message"].as_str().unwrap_or("no reason given");
        bail!("SQS {operation}: {} ({kind})", output::plain(message))
    }

    /// A call of MediaConvert without a body.
    pub(crate) async fn mediaconvert(&self, method: Method, path: &str) -> anyhow::Result<Answer> {
        let path = format!("/2017-08-29/{path}");
        self.call("mediaconvert", method, &path, &[], String::new()).await
    }

    async fn call(
        &self,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: String,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.api));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Bytes::from(body));
        let mut request = request.with_context(|| format!("`{}` is no address", self.api))?;
        self.keys.sign(service, &mut request, SystemTime::now())?;
        let exchange = async {
            let answer = self.client.request(request.map(Full::new)).await;
            let answer = answer.map_err(|error| anyhow!("could not reach {}: {error}", self.api))?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            Ok(Answer { status, body })
        };
        let late = || format!("{service} did not answer within {} seconds", PATIENCE.as_secs());
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .with_context(late)?
    }
}
