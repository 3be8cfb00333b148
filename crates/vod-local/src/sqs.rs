//! SQS's API, as far as people who look after queues need it: the same commands as on AWS look into the stack's
//! queues and give dead letters back.
//!
//! AWS JSON 1.0 on the API port. `POST /` would be S3's, so SQS is recognized by the header `X-Amz-Target`. Queues are
//! those of the stack: none can be created or removed.

mod error;
mod messages;
mod moves;
mod queues;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method};
use local_base::ACCOUNT;
use local_base::intake;
use local_base::queue::{Queue, QueueSettings, Queues, dead_letter_name};
use local_base::sigv4::Keys;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vod_ids as ids;

use self::error::SqsError;
use self::moves::MoveTask;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const TARGET: &str = "AmazonSQS.";
/// SQS's longest message in bytes (Amazon SQS quotas).
const MESSAGE_MAX: usize = 1 << 20;
/// JSON writes a byte as six at most.
const BODY_MAX: usize = 6 * MESSAGE_MAX + 64 * 1024;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Sqs {
    queues: Queues,
    keys: Keys,
    url: Arc<str>,
    known: Arc<[Known]>,
    moves: Arc<Mutex<VecDeque<MoveTask>>>,
}

/// A queue that can be named.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    settings: QueueSettings,
    /// Of a dead-letter queue: whose dead letters it holds.
    source: Option<String>,
}

impl Sqs {
    /// Serves `queues`, each with its dead-letter queue, at the API port's `url`.
    pub fn new(queues: Queues, keys: Keys, url: &str, served: &[(&str, QueueSettings)]) -> Self {
        let known = served.iter().flat_map(|(name, settings)| {
            let known = |name: String, source: Option<String>| Known {
                name,
                settings: *settings,
                source,
            };
            let dead = known(dead_letter_name(name), Some((*name).to_owned()));
            [known((*name).to_owned(), None), dead]
        });
        Self {
            queues,
            keys,
            url: url.trim_end_matches('/').into(),
            known: known.collect(),
            moves: Arc::default(),
        }
    }

    /// Takes SQS's requests out of those that go to `router`, its fallback included.
    pub fn before(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), divert))
    }

    async fn answer(&self, operation: &str, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let result = self.run(operation, &parts, body).await;
        let mut response = match result {
            Ok(value) => ([("content-type", CONTENT_TYPE)], value.to_string()).into_response(),
            Err(error) => {
                tracing::debug!(operation, %error, "queue request refused");
                error.into_response()
            }
        };
        if let Ok(id) = HeaderValue::from_str(&ids::uuid()) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response
    }

    async fn run(&self, operation: &str, parts: &Parts, body: Body) -> Result<Value, SqsError> {
        self.keys.verify_head("sqs", parts, SystemTime::now())?;
        let whole = intake::read(body, BODY_MAX).await?;
        let body = whole.bytes();
        self.keys.verify("sqs", parts, body, SystemTime::now())?;
        let path = parts.uri.path();
        match operation {
            "ListQueues" => Ok(self.list_queues(&read(body)?)),
            "GetQueueUrl" => self.queue_url(&read(body)?),
            "GetQueueAttributes" => self.attributes(path, &read(body)?).await,
            "PurgeQueue" => self.purge(path, &read(body)?).await,
            "SendMessage" => self.send(path, read(body)?).await,
            "ReceiveMessage" => self.receive(path, &read(body)?).await,
            "DeleteMessage" => self.delete(path, &read(body)?).await,
            "ChangeMessageVisibility" => self.change_visibility(path, &read(body)?).await,
            "StartMessageMoveTask" => self.start_move(read(body)?).await,
            "ListMessageMoveTasks" => self.list_moves(&read(body)?),
            _ => Err(SqsError::UnknownOperation(operation.to_owned())),
        }
    }

    /// The queue that a request names by its URL, in the body or, as older clients do, by posting to it.
    fn known(&self, path: &str, url: Option<&str>) -> Result<&Known, SqsError> {
        let place = match url {
            Some(url) => url
                .split_once("://")
                .and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..]))
                .ok_or_else(|| {
                    SqsError::InvalidParameterValue(format!(
                        "The address {url} is not valid for this endpoint."
                    ))
                })?,
            None if path == "/" => return Err(SqsError::MissingParameter("QueueUrl")),
            None => path,
        };
        let name = place
            .strip_prefix('/')
            .and_then(|place| place.strip_prefix(ACCOUNT))
            .and_then(|place| place.strip_prefix('/'))
            .ok_or(SqsError::QueueDoesNotExist)?;
        self.by_name(name).ok_or(SqsError::QueueDoesNotExist)
    }

    fn by_name(&self, name: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.name == name)
    }

    fn by_arn(&self, arn: &str) -> Option<&Known> {
        self.known.iter().find(|known| self.arn(&known.name) == arn)
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", self.keys.region)
    }

    fn url_of(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.url)
    }

    fn queue(&self, known: &Known) -> Queue {
        self.queues.queue(&known.name, known.settings)
    }
}

async fn divert(State(sqs): State<Sqs>, request: Request, next: Next) -> Response {
    let target = request.headers().get("x-amz-target");
    let operation = target
        .and_then(|value| value.to_str().ok())
        .and_then(|target| target.strip_prefix(TARGET))
        .map(str::to_owned);
    match operation {
        Some(operation) if request.method() == Method::POST => sqs.answer(&operation, request).await,
        _ => next.run(request).await,
    }
}

/// An object with one list or map as its member. As on AWS, one that is empty is left out.
fn unless_empty(name: &str, value: &Value) -> Value {
    if *value == json!([]) || *value == json!({}) {
        return json!({});
    }
    json!({ name: value })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| SqsError::Serialization(error.to_string()))
}

#[cfg(test)]
mod tests;
