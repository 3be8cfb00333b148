//! Calls of AWS services that have no SDK crate in this workspace.
//!
//! The requests go through the same machinery as the SDK's own (`aws-smithy-runtime`, "unmodeled requests"), which
//! signs them, retries them, limits their time and caches credentials. ADR 0006 gives the reasons.

use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{
    HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use serde_json::Value;

use crate::clients::{CONNECT, credentials};
use crate::clock::{sdk_sleep, sdk_time};
use crate::config::AwsConfig;
use crate::refusal::Refusal;

/// Tries of one call, the first included.
const ATTEMPTS: u32 = 4;
/// Pause before the first retry, at most; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(200);
/// Longest time that one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An account, a region, and the HTTP client over which its services are called. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    http: SharedHttpClient,
    credentials: SharedCredentialsProvider,
    cache: SharedIdentityCache,
    region: String,
}

/// One call of an operation.
#[derive(Clone)]
pub struct Call {
    /// The name of the service in signatures, in its host name and in the names of permissions: `sqs`.
    pub service: &'static str,
    pub operation: String,
    /// Scheme and host, without a `/` at the end.
    pub endpoint: String,
    /// Path and query, percent-encoded.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Longest time that one attempt may take.
    pub timeout: Duration,
    /// Tries, the first included: 1 for operations that must not be repeated.
    pub attempts: u32,
    /// Reads code and message from the body of an error response.
    pub read_error: fn(&[u8]) -> ErrorMetadata,
}

/// A response with a 2xx status.
pub struct CallResponse {
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl fmt::Debug for Call {
    /// Without the body, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("service", &self.service)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CallResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallResponse")
    }
}

impl CallResponse {
    /// The body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

impl Call {
    /// A call that is signed for `service` and retried if the failure is transient.
    pub fn new(service: &'static str, operation: &str, endpoint: String) -> Self {
        Self {
            service,
            operation: operation.to_owned(),
            endpoint,
            path: "/".to_owned(),
            headers: Vec::new(),
            body: String::new(),
            timeout: TIMEOUT,
            attempts: ATTEMPTS,
            read_error: json_error,
        }
    }

    /// A call in the protocol `awsJson`, of `version` 1.0 or 1.1; `target` is the prefix of `x-amz-target`.
    #[must_use]
    pub fn json(mut self, version: &str, target: &str, request: &Value) -> Self {
        self.headers = vec![
            ("content-type", format!("application/x-amz-json-{version}")),
            ("x-amz-target", format!("{target}.{}", self.operation)),
        ];
        self.body = request.to_string();
        self
    }

    fn request(&self) -> Result<HttpRequest, BoxError> {
        let mut request = HttpRequest::new(SdkBody::from(self.body.as_str()));
        request.set_method("POST")?;
        request.set_uri(self.path.as_str())?;
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.try_insert(*name, value.clone())?;
        }
        headers.try_insert("content-length", self.body.len().to_string())?;
        Ok(request)
    }

    fn response(&self, response: &HttpResponse) -> Result<CallResponse, OrchestratorError<Refusal>> {
        let body = response.body().bytes().unwrap_or_default();
        if response.status().is_success() {
            return Ok(CallResponse {
                headers: response.headers().clone(),
                body: body.to_vec(),
            });
        }
        let meta = (self.read_error)(body);
        let meta = match response.headers().get("x-amzn-errortype") {
            Some(code) => error_metadata(code, meta.message()),
            None => meta,
        };
        let status = response.status().as_u16();
        Err(OrchestratorError::operation(Refusal::new(status, meta)))
    }

    fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(self.timeout)
            .build()
    }
}

impl Caller {
    /// A caller for `region`. Clients that share `cache` share the credentials in it.
    pub fn new(
        http: SharedHttpClient,
        credentials: SharedCredentialsProvider,
        cache: SharedIdentityCache,
        region: String,
    ) -> Self {
        Self {
            http,
            credentials,
            cache,
            region,
        }
    }

    /// A caller with a function's own region and credentials.
    pub fn from_config(config: &AwsConfig) -> Self {
        let credentials = SharedCredentialsProvider::new(credentials(config));
        let cache = IdentityCache::lazy().build();
        Self::new(crate::http(), credentials, cache, config.region.clone())
    }

    /// Sends a call, again after a transient failure. Any status but 2xx is an error.
    pub async fn send(&self, call: Call) -> Result<CallResponse, SdkError<Refusal, HttpResponse>> {
        let retries = RetryConfig::standard()
            .with_max_attempts(call.attempts)
            .with_initial_backoff(BACKOFF);
        let operation = Operation::builder()
            .service_name(call.service)
            .operation_name(call.operation.clone())
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .endpoint_url(&call.endpoint)
            .sleep_impl(sdk_sleep())
            .time_source(sdk_time())
            .timeout_config(call.timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .standard_retry(&retries)
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<Refusal>::new())
            .retry_classifier(Throttled)
            .runtime_plugin(self.signing(call.service));
        let response = call.clone();
        let operation = operation
            .serializer(|call: Call| call.request())
            .deserializer(move |answer| response.response(answer))
            .build();
        operation.invoke(call).await
    }

    fn signing(&self, service: &'static str) -> StaticRuntimePlugin {
        let mut layer = Layer::new("signing");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        // Responses may hold secrets: they never reach a log.
        layer.store_put(SensitiveOutput);
        let mut options = SigningOptions::default();
        options.content_sha256_header = true;
        layer.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(self.region.clone()))),
            name: Some(SigningName::from(service)),
            signing_options: options,
            ..SigV4OperationSigningConfig::default()
        });
        let resolver = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
        let components = RuntimeComponentsBuilder::new("signing")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(resolver))
            .with_identity_cache(Some(self.cache.clone()))
            .with_identity_resolver(SCHEME_ID, self.credentials.clone());
        StaticRuntimePlugin::new()
            .with_config(layer.freeze())
            .with_runtime_components(components)
    }
}

/// Classifies refusals as throttling. The SDK's own classifier also retries `LimitExceededException`, which some services
/// return for a quota.
#[derive(Debug)]
struct Throttled;

impl ClassifyRetry for Throttled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.and_then(OrchestratorError::as_operation_error);
        match error.and_then(|error| error.downcast_ref::<Refusal>()) {
            Some(refusal) if refusal.is_throttling() => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Throttled"
    }
}

/// The public endpoint of a regional service (AWS General Reference, "Service endpoints").
pub fn endpoint(service: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://{service}.{region}.amazonaws.com{suffix}")
}

/// Code and message of an error in the JSON protocols.
fn json_error(body: &[u8]) -> ErrorMetadata {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let message = body["message"].as_str().or_else(|| body["Message"].as_str());
    error_metadata(body["__type"].as_str().unwrap_or_default(), message)
}

/// An error by its code, which may have a namespace and an address:
/// `com.amazonaws.sqs#QueueDoesNotExist`, `AccessDeniedException:http://…`.
pub fn error_metadata(code: &str, message: Option<&str>) -> ErrorMetadata {
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default();
    let mut meta = ErrorMetadata::builder();
    if !code.is_empty() {
        meta = meta.code(code);
    }
    if let Some(message) = message {
        meta = meta.message(message);
    }
    meta.build()
}
