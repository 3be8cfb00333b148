//! Lambda on one machine: the Invoke API and Function URLs over HTTP, with functions in this process, and the pollers that deliver
//! messages to them.
//!
//! Events and answers cross as JSON text, and errors as `lambda_runtime` reports them, with Lambda's timeouts, size limits and status
//! codes. Neither a function nor its caller can detect a difference from AWS.

pub mod events;
mod invoke;
mod payload;
mod url;

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use futures::future::BoxFuture;
use lambda_runtime::{Config, Context, Diagnostic, LambdaEvent};
use local_base::ACCOUNT;
use local_base::sigv4::{self, Keys};
use serde_json::Value;
use tokio::sync::Semaphore;
use vod_ids as ids;

/// Lambda's limit for the payload of a synchronous invocation and for its answer, in bytes (Lambda quotas).
pub const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// A function: an event in, JSON or an error out.
pub type Handler =
    Arc<dyn Fn(LambdaEvent<Value>) -> BoxFuture<'static, Result<Value, Diagnostic>> + Send + Sync>;

/// What Lambda would be configured with for one function.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// An invocation that takes longer is aborted.
    pub timeout: Duration,
    /// Invocations beyond this many at one time are refused with 429 (reserved concurrency).
    pub concurrency: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            concurrency: 100,
        }
    }
}

/// The functions of a stack, by name. Cheap to clone.
#[derive(Clone)]
pub struct Functions {
    region: String,
    by_name: Arc<HashMap<String, Function>>,
}

struct Function {
    handler: Handler,
    timeout: Duration,
    slots: Arc<Semaphore>,
    arn: String,
    config: Arc<Config>,
}

/// How an invocation ended otherwise than with a value.
#[derive(Debug)]
enum Failure {
    /// No function of that name.
    NotFound { arn: String },
    /// Every slot is taken.
    Throttled,
    /// The function's own error, a panic or a time-out: for the caller a *successful* call with an error in it.
    Function(Diagnostic),
}

/// Collects functions before the stack starts.
pub struct Builder {
    region: String,
    by_name: HashMap<String, Function>,
}

impl Functions {
    /// An empty registry whose ARNs are in `region`.
    pub fn builder(region: &str) -> Builder {
        Builder {
            region: region.to_owned(),
            by_name: HashMap::new(),
        }
    }

    /// The Invoke API and the Function URLs, both for requests signed with `keys` only.
    pub fn router(&self, keys: &Keys) -> Router {
        let routes = invoke::routes(self.clone()).merge(url::routes(self.clone(), keys.clone()));
        // Base64 and JSON make a Function URL's body grow by a third before it meets Lambda's limit.
        sigv4::require(routes, keys.clone(), "lambda", MAX_PAYLOAD)
    }

    async fn run(&self, name: &str, payload: Value) -> (String, Result<Value, Failure>) {
        let request_id = ids::uuid();
        let Some(function) = self.by_name.get(name) else {
            let arn = arn(&self.region, name);
            return (request_id, Err(Failure::NotFound { arn }));
        };
        let Ok(slot) = function.slots.clone().try_acquire_owned() else {
            return (request_id, Err(Failure::Throttled));
        };
        let event = LambdaEvent::new(payload, function.context(&request_id));
        // In a task of its own: a panic ends the task and not the stack, and a caller that hangs up does
        // not end the invocation, just as on AWS.
        let mut task = tokio::spawn({
            let handler = function.handler.clone();
            async move {
                let result = handler(event).await;
                drop(slot);
                result
            }
        });
        let result = match tokio::time::timeout(function.timeout, &mut task).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(panicked(error.try_into_panic().ok().as_deref())),
            Err(_) => {
                task.abort();
                Err(timed_out(&request_id, function.timeout))
            }
        };
        if let Err(error) = &result {
            let (error_type, message) = (&error.error_type, &error.error_message);
            tracing::warn!(function = name, %request_id, %error_type, %message, "invocation failed");
        }
        (request_id, result.map_err(Failure::Function))
    }
}

impl Function {
    fn context(&self, request_id: &str) -> Context {
        let deadline = (SystemTime::now() + self.timeout).duration_since(SystemTime::UNIX_EPOCH);
        let mut context = Context::default();
        request_id.clone_into(&mut context.request_id);
        context.deadline = deadline.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        context.invoked_function_arn.clone_from(&self.arn);
        context.env_config = self.config.clone();
        context
    }
}

impl Builder {
    /// Adds a function of events.
    #[must_use]
    pub fn function<F, Fut, E>(mut self, name: &str, limits: Limits, handler: F) -> Self
    where
        F: Fn(LambdaEvent<Value>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, E>> + Send + 'static,
        E: Into<Diagnostic>,
    {
        let handler: Handler = Arc::new(move |event| {
            let answer = handler(event);
            Box::pin(async move { answer.await.map_err(Into::into) })
        });
        self.insert(name, limits, handler);
        self
    }

    /// Adds a function that answers HTTP: `router` behind the same adapter that `lambda_http::run` uses.
    #[must_use]
    pub fn http(mut self, name: &str, limits: Limits, router: Router) -> Self {
        self.insert(name, limits, url::adapt(router));
        self
    }

    /// The registry, complete.
    pub fn build(self) -> Functions {
        Functions {
            region: self.region,
            by_name: Arc::new(self.by_name),
        }
    }

    fn insert(&mut self, name: &str, limits: Limits, handler: Handler) {
        let mut config = Config::default();
        name.clone_into(&mut config.function_name);
        config.memory = 256;
        "$LATEST".clone_into(&mut config.version);
        config.log_group = format!("/aws/lambda/{name}");
        let function = Function {
            handler,
            timeout: limits.timeout,
            slots: Arc::new(Semaphore::new(limits.concurrency)),
            arn: arn(&self.region, name),
            config: Arc::new(config),
        };
        self.by_name.insert(name.to_owned(), function);
    }
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}")
}

/// The same words as `lambda_runtime`'s own panic layer.
fn panicked(payload: Option<&(dyn Any + Send)>) -> Diagnostic {
    let message = payload.and_then(|payload| {
        payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
    });
    Diagnostic {
        error_type: std::any::type_name::<Box<dyn Any + Send>>().to_owned(),
        error_message: message.map_or("Lambda panicked".to_owned(), |text| {
            format!("Lambda panicked: {text}")
        }),
    }
}

fn timed_out(request_id: &str, timeout: Duration) -> Diagnostic {
    let seconds = timeout.as_secs_f64();
    Diagnostic {
        error_type: "Sandbox.Timedout".to_owned(),
        error_message: format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds"),
    }
}

#[cfg(test)]
mod tests;
