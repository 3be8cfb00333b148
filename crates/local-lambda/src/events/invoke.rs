//! The Invoke API seen from the outside: a signed HTTP call to the API port.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lambda_runtime::Diagnostic;
use local_base::sigv4::Keys;
use serde_json::Value;

/// No function may run for longer than this on AWS; after that, the connection is broken.
const LONGEST: Duration = Duration::from_mins(15);

/// Calls functions through an API port. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Invoker {
    client: Client<HttpConnector, Full<Bytes>>,
    api: String,
    keys: Keys,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An invocation without an answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// There is no connection, it took too long, or the answer cannot be read.
    #[error("failed to invoke function {0}: {1}")]
    Failed(String, Failure),
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
        let exchange = async {
            let response = self.client.request(self.request(function, event)?).await?;
            let (parts, body) = response.into_parts();
            Ok::<_, Failure>((parts, body.collect().await?.to_bytes()))
        };
        let failed = |error: Failure| InvokeError::Failed(function.to_owned(), error);
        let answer = tokio::time::timeout(LONGEST, exchange).await;
        let (parts, body) = answer.map_err(|error| failed(error.into()))?.map_err(failed)?;
        read(function, parts.status, &parts.headers, &body)
    }

    fn request(&self, function: &str, event: &Value) -> Result<Request<Full<Bytes>>, Failure> {
        let uri = format!("{}/2015-03-31/functions/{function}/invocations", self.api);
        let request = Request::post(uri).header(header::CONTENT_TYPE, "application/json");
        let mut request = request.body(Bytes::from(event.to_string()))?;
        self.keys.sign("lambda", &mut request, SystemTime::now())?;
        Ok(request.map(Full::new))
    }
}

fn read(name: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Value, InvokeError> {
    let function = name.to_owned();
    if !status.is_success() {
        let code = headers
            .get("x-amzn-errortype")
            .and_then(|code| code.to_str().ok());
        let code = code.unwrap_or_default().to_owned();
        return Err(InvokeError::Refused {
            function,
            status,
            code,
        });
    }
    let malformed = |error: serde_json::Error| InvokeError::Failed(name.to_owned(), error.into());
    if headers.contains_key("x-amz-function-error") {
        let error = serde_json::from_slice(body).map_err(malformed)?;
        return Err(InvokeError::Function { function, error });
    }
    serde_json::from_slice(body).map_err(malformed)
}
