//! A stand-in for Lambda's Runtime API: hands out events with real deadlines, keeps what comes back.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc as queue;

/// What a function said of one invocation.
#[derive(Debug)]
pub(crate) enum Said {
    Response(Value),
    Error(Value),
}

/// The stand-in. Its server ends with it.
pub(crate) struct RuntimeApi {
    /// `host:port`, for `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) address: String,
    events: queue::UnboundedSender<Value>,
    said: mpsc::Receiver<Said>,
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    events: AsyncMutex<queue::UnboundedReceiver<Value>>,
    said: Mutex<mpsc::Sender<Said>>,
}

impl RuntimeApi {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let (events, receiver) = queue::unbounded_channel();
        let (sender, said) = mpsc::channel();
        let shared = Arc::new(Shared {
            events: AsyncMutex::new(receiver),
            said: Mutex::new(sender),
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{what}", post(result))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(shared);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?.to_string();
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Ok(Self {
            address,
            events,
            said,
            _runtime: runtime,
        })
    }

    /// Sends one event and waits for what the function says.
    pub(crate) fn invoke(&self, event: Value) -> anyhow::Result<Said> {
        self.events.send(event).context("the stand-in has ended")?;
        self.said
            .recv_timeout(Duration::from_secs(30))
            .context("the function said nothing")
    }
}

/// The next event; a function that waits here is frozen, as on Lambda.
async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let Some(event) = shared.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now() + Duration::from_secs(20);
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
    let headers = [
        (
            "lambda-runtime-aws-request-id",
            "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
        ),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned(),
        ),
    ];
    let headers: HashMap<_, _> = headers.into();
    let mut response = event.to_string().into_response();
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn result(
    State(shared): State<Arc<Shared>>,
    Path((_, what)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let said = if what == "response" {
        Said::Response(body)
    } else {
        Said::Error(body)
    };
    tell(&shared, said)
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    tell(
        &shared,
        Said::Error(serde_json::from_slice(&body).unwrap_or(Value::Null)),
    )
}

fn tell(shared: &Shared, said: Said) -> StatusCode {
    // A test that has ended no longer listens.
    let _ = shared.said.lock().expect("no panic while it is held").send(said);
    StatusCode::ACCEPTED
}
