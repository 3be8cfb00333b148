//! The Invoke API seen from the outside: a signed HTTP call to the API port.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lambda_runtime::Diagnostic;
use local_base::sigv4::{Keys, SignError};
use serde_json::Value;

/// No function may run for longer than this on AWS; whoever waits longer waits for a broken connection.
const LONGEST: Duration = Duration::from_mins(15);

/// Calls functions through an API port. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Invoker {
    client: Client<HttpConnector, Full<Bytes>>,
    api: String,
    keys: Keys,
}

/// Why an invocation gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The URL is not one.
    #[error("malformed request for function {0}")]
    Request(String, #[source] http::Error),
    /// The request could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No connection, or it broke.
    #[error("failed to reach function {0}")]
    Connection(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took longer than any function may.
    #[error("function {0} did not answer in time")]
    Elapsed(String),
    /// The service refused: no such function, throttled, bad signature.
    #[error("invocation of {function} was refused with {status} {code}")]
    Refused {
        /// The function's name.
        function: String,
        /// The HTTP status.
        status: StatusCode,
        /// `x-amzn-ErrorType`.
        code: String,
    },
    /// The function ran and failed.
    #[error("function {function} failed with {}: {}", .error.error_type, .error.error_message)]
    Function {
        /// The function's name.
        function: String,
        /// What it reported.
        error: Diagnostic,
    },
    /// The answer is not JSON.
    #[error("function {0} answered no json")]
    Malformed(String, #[source] serde_json::Error),
}

impl Invoker {
    /// For the API port at `api`, such as `http://127.0.0.1:9000`.
    pub fn new(api: &str, keys: Keys) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            client,
            api: api.trim_end_matches('/').to_owned(),
            keys,
        }
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.keys.region
    }

    /// Invokes `function` synchronously with `event`.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvokeError> {
        let name = || function.to_owned();
        let request = self.request(function, event)?;
        let exchange = async {
            let response = self.client.request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((parts, body))
        };
        let answer = tokio::time::timeout(LONGEST, exchange)
            .await
            .map_err(|_| InvokeError::Elapsed(name()))?;
        let (parts, body) = answer.map_err(|error| InvokeError::Connection(name(), error))?;
        read(function, parts.status, &parts.headers, &body)
    }

    fn request(&self, function: &str, event: &Value) -> Result<Request<Full<Bytes>>, InvokeError> {
        let uri = format!("{}/2015-03-31/functions/{function}/invocations", self.api);
        let mut request = Request::post(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(event.to_string()))
            .map_err(|error| InvokeError::Request(function.to_owned(), error))?;
        self.keys.sign("lambda", &mut request, SystemTime::now())?;
        Ok(request.map(Full::new))
    }
}

fn read(function: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Value, InvokeError> {
    let name = || function.to_owned();
    if !status.is_success() {
        let code = headers
            .get("x-amzn-errortype")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        return Err(InvokeError::Refused {
            function: name(),
            status,
            code,
        });
    }
    let malformed = |error| InvokeError::Malformed(name(), error);
    if headers.contains_key("x-amz-function-error") {
        let error = serde_json::from_slice(body).map_err(malformed)?;
        return Err(InvokeError::Function {
            function: name(),
            error,
        });
    }
    serde_json::from_slice(body).map_err(malformed)
}
