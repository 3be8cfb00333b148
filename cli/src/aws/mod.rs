//! Calls to AWS, and to a local stack, which speaks the same protocols.
//!
//! S3 and CloudFront have their SDK crates. The rest of what this command asks (a dozen operations of eight services)
//! goes out by hand, signed by aws-sigv4: an SDK crate for each would cost minutes of building, and CloudFormation's
//! alone more than everything else here. Credentials, region and endpoints are aws-config's to find.

mod call;
mod credentials;
mod error;
mod sdk;
pub(crate) mod service;
mod xml;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use form_urlencoded::Serializer;
use hyper::{Method, Request};
use serde_json::Value;
use vod_aws::MediaConvert;
use vod_state::endpoints::Endpoints;

use self::call::Call;
use self::credentials::Cached;
pub(crate) use self::error::{AwsError, Refusal};
pub(crate) use self::sdk::{in_one_line, sdk_error};
use self::service::{LAMBDA, MEDIACONVERT, Protocol, Service};
use crate::wire::{Answer, Wire};

/// Nothing that is asked for here takes longer, but for functions.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that a function may run (Lambda quotas), and a little for the way.
const FUNCTION: Duration = Duration::from_secs(15 * 60 + 10);
/// Tries of one call, the first included.
const ATTEMPTS: u32 = 4;

/// An account and a region, or a local stack.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    sdk: SdkConfig,
    region: String,
    wire: Wire,
}

/// What a function gave.
#[derive(Debug)]
pub(crate) enum Invoked {
    Value(Value),
    /// The function's own error: its type and message.
    Failed(String),
}

impl Aws {
    /// As the machine is set up for AWS: environment, profiles, SSO, instance roles.
    pub(crate) async fn load(region: Option<&str>, profile: Option<&str>) -> anyhow::Result<Self> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(vod_aws::http())
            .timeout_config(timeouts())
            .retry_config(retries());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let sdk = Box::pin(loader.load()).await;
        let region = sdk.region().map(ToString::to_string).unwrap_or_default();
        anyhow::ensure!(
            !region.is_empty(),
            "no region is set: say --region NAME or set AWS_REGION"
        );
        anyhow::ensure!(is_region(&region), "`{region}` is no AWS region");
        let provider = sdk.credentials_provider().map(Cached::new);
        let mut sdk = sdk.into_builder();
        sdk.set_credentials_provider(provider.map(SharedCredentialsProvider::new));
        Ok(Self {
            sdk: sdk.build(),
            region,
            wire: Wire::new(),
        })
    }

    /// A local stack's API.
    pub(crate) fn local(found: &Endpoints) -> Self {
        let (id, secret) = (found.access_key.clone(), found.secret_key.clone());
        let credentials = Credentials::new(id, secret, None, None, "endpoints.json");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&found.api)
            .http_client(vod_aws::http())
            .region(Region::new(found.region.clone()))
            .retry_config(retries())
            .timeout_config(timeouts())
            .build();
        Self {
            sdk,
            region: found.region.clone(),
            wire: Wire::new(),
        }
    }

    /// The same account in another region.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        let mut other = self.clone();
        let sdk = self.sdk.to_builder().region(Region::new(region.to_owned()));
        other.sdk = sdk.build();
        region.clone_into(&mut other.region);
        other
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// A client for S3; path-style when an endpoint is given, because a local one has no name per bucket.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let own = self.own_endpoint("S3");
        let config = aws_sdk_s3::config::Builder::from(&self.sdk).force_path_style(own.is_some());
        aws_sdk_s3::Client::from_conf(config.build())
    }

    pub(crate) fn cloudfront(&self) -> aws_sdk_cloudfront::Client {
        aws_sdk_cloudfront::Client::new(&self.sdk)
    }

    /// `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or what the profile says instead of them.
    fn own_endpoint(&self, id: &str) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let own = key
            .ok()
            .and_then(|key| self.sdk.service_config()?.load_config(key));
        own.or_else(|| self.sdk.endpoint_url().map(str::to_owned))
    }

    /// Where a service is.
    pub(crate) fn endpoint(&self, service: &Service) -> String {
        let own = self.own_endpoint(service.id);
        let url = own.unwrap_or_else(|| service.endpoint(&self.region));
        url.trim_end_matches('/').to_owned()
    }

    /// What to think of when nobody answers there.
    fn hint(&self, service: &Service) -> &'static str {
        match self.own_endpoint(service.id) {
            Some(_) => "does the local stack still run, is AWS_ENDPOINT_URL right?",
            None => "check the region's name and the network",
        }
    }

    /// An operation of a JSON service.
    pub(crate) async fn json(
        &self,
        service: &Service,
        operation: &str,
        request: &Value,
    ) -> Result<Value, AwsError> {
        let (version, target) = match service.protocol {
            Protocol::Json { version, target } => (version, target),
            Protocol::Query { .. } | Protocol::Rest => ("1.1", service.id),
        };
        let call = Call {
            headers: vec![
                ("content-type", format!("application/x-amz-json-{version}")),
                ("x-amz-target", format!("{target}.{operation}")),
            ],
            body: request.to_string(),
            ..Call::new(service, operation, Method::POST, "/".to_owned())
        };
        let answer = self.ok(&call).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    /// An operation of a query service: the `<Operation>Result` of its answer.
    pub(crate) async fn query(
        &self,
        service: &Service,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, AwsError> {
        let version = match service.protocol {
            Protocol::Query { version } => version,
            Protocol::Json { .. } | Protocol::Rest => "",
        };
        let body = Serializer::new(String::new())
            .append_pair("Action", operation)
            .append_pair("Version", version)
            .extend_pairs(parameters)
            .finish();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let call = Call {
            headers: vec![("content-type", kind.to_owned())],
            body,
            ..Call::new(service, operation, Method::POST, "/".to_owned())
        };
        let answer = self.ok(&call).await?;
        let mut document = xml::parse(&String::from_utf8_lossy(&answer.body)).unwrap_or(Value::Null);
        Ok(document[format!("{operation}Response")][format!("{operation}Result")].take())
    }

    /// An operation of a REST service, by its method and path.
    pub(crate) async fn rest(
        &self,
        service: &Service,
        operation: &str,
        method: Method,
        path: String,
    ) -> Result<Value, AwsError> {
        let answer = self.ok(&Call::new(service, operation, method, path)).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    /// A client for MediaConvert.
    pub(crate) fn mediaconvert_client(&self) -> MediaConvert {
        MediaConvert::from_sdk(&self.sdk)
    }

    /// A call of MediaConvert; `path` is what follows the version.
    pub(crate) async fn mediaconvert(
        &self,
        operation: &str,
        method: Method,
        path: &str,
    ) -> Result<Value, AwsError> {
        let path = format!("/2017-08-29/{path}");
        self.rest(&MEDIACONVERT, operation, method, path).await
    }

    /// Runs a function and waits for what it gives.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        qualifier: Option<&str>,
        event: &Value,
    ) -> Result<Invoked, AwsError> {
        let qualifier = qualifier.map_or_else(String::new, |name| format!("?Qualifier={name}"));
        let path = format!("/2015-03-31/functions/{function}/invocations{qualifier}");
        let call = Call {
            headers: vec![("content-type", "application/json".to_owned())],
            body: event.to_string(),
            patience: FUNCTION,
            // Whether it ran is not known when the answer is lost.
            attempts: 1,
            ..Call::new(&LAMBDA, "InvokeFunction", Method::POST, path)
        };
        let answer = self.ok(&call).await?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        if answer.headers.get("x-amz-function-error").is_none() {
            return Ok(Invoked::Value(value));
        }
        let text = |name: &str| value[name].as_str().unwrap_or("unknown").to_owned();
        Ok(Invoked::Failed(format!(
            "{}: {}",
            text("errorType"),
            text("errorMessage")
        )))
    }

    /// Sends a call until there is an answer that is no passing trouble. Anything but 2xx is an error.
    async fn ok(&self, call: &Call<'_>) -> Result<Answer, AwsError> {
        let mut attempt = 1;
        loop {
            let result = self.once(call).await;
            let passing = match &result {
                Err(AwsError::Refused(refusal)) => {
                    refusal.status >= 500 || refusal.kind() == error::Kind::Throttled
                }
                Err(AwsError::Unreachable { .. }) => true,
                _ => false,
            };
            if !passing || attempt >= call.attempts {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            attempt += 1;
        }
    }

    async fn once(&self, call: &Call<'_>) -> Result<Answer, AwsError> {
        let endpoint = self.endpoint(call.service);
        let unreachable = |reason: String| AwsError::Unreachable {
            service: call.service.id.to_owned(),
            endpoint: endpoint.clone(),
            reason,
            hint: self.hint(call.service),
        };
        let request = self.signed(call, &endpoint).await?;
        let answer = self.wire.send(request, call.patience).await;
        let answer = answer.map_err(|error| unreachable(error.to_string()))?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(AwsError::Refused(Box::new(call.refusal(&answer))))
    }

    /// Whether there are credentials; whether AWS takes them is another question.
    pub(crate) async fn has_credentials(&self) -> Result<(), AwsError> {
        self.credentials().await.map(|_| ())
    }

    async fn credentials(&self) -> Result<Credentials, AwsError> {
        let provider = self.sdk.credentials_provider();
        let provider = provider.ok_or_else(|| AwsError::NoCredentials("none are set".to_owned()))?;
        let found = provider.provide_credentials().await;
        found.map_err(|error| credentials::explain(&error))
    }

    async fn signed(&self, call: &Call<'_>, endpoint: &str) -> Result<Request<SdkBody>, AwsError> {
        let credentials = self.credentials().await?;
        let service = call.service;
        let request = call.sign(
            &credentials.into(),
            endpoint,
            service.signing_region(&self.region),
        );
        request.map_err(|error| AwsError::Unreachable {
            service: service.id.to_owned(),
            endpoint: endpoint.to_owned(),
            reason: format!("no request can be made of it ({error})"),
            hint: self.hint(service),
        })
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(PATIENCE)
        .build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

/// Whether it looks like one: `eu-west-1`, `us-gov-east-1`. What it stands for is AWS's to know.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [area, middle @ .., number] = parts.as_slice() else {
        return false;
    };
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    is_word(area)
        && !middle.is_empty()
        && middle.iter().all(is_word)
        && matches!(number.as_bytes(), [digit] if digit.is_ascii_digit())
}

/// A value in a path or query, percent-encoded.
pub(crate) fn encoded(value: &str) -> String {
    // The form's plus would be a plus again in a path.
    Serializer::new(String::new())
        .append_key_only(value)
        .finish()
        .replace('+', "%20")
}

#[cfg(test)]
mod tests;
