//! Calls to AWS, and to a local stack, which has the same APIs.
//!
//! S3 and MediaConvert have SDK crates. The other five services are called through [`vod_aws::call`]; ADR 0006
//! gives the reasons. aws-config finds credentials, region and endpoints.

mod credentials;
mod error;
mod sdk;
pub(crate) mod service;
mod xml;

use std::time::Duration;

use anyhow::Context as _;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use form_urlencoded::Serializer;
use serde_json::Value;
use vod_aws::call::{Call, CallResponse, Caller};
use vod_aws::{MediaConvert, Wire, edge, root};
use vod_state::endpoints::Endpoints;

pub(crate) use self::error::{AwsError, Refusal};
use self::sdk::refused;
pub(crate) use self::sdk::{in_one_line, media_error, sdk_error};
use self::service::{CLOUDFRONT, LAMBDA, Service};

/// Longest time until the first byte of a response.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that a function may run (Lambda quotas), and 10 s for the transfer.
const FUNCTION: Duration = Duration::from_secs(15 * 60 + 10);
/// Tries of one call, the first included.
const ATTEMPTS: u32 = 4;

/// An account and a region, or a local stack.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    sdk: SdkConfig,
    http: SharedHttpClient,
    region: String,
    wire: Wire,
}

impl Aws {
    /// As the machine is set up for AWS: environment, profiles, SSO, instance roles.
    pub(crate) async fn load(region: Option<&str>, profile: Option<&str>) -> anyhow::Result<Self> {
        let http = vod_aws::http();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .identity_cache(credentials::cache())
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
        Ok(Self {
            sdk,
            http,
            region,
            wire: crate::http::wire(),
        })
    }

    /// A local stack's API.
    pub(crate) fn local(found: &Endpoints) -> Self {
        let (id, secret) = (found.access_key.clone(), found.secret_key.clone());
        let credentials = Credentials::new(id, secret, None, None, "endpoints.json");
        let http = vod_aws::http();
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&found.api)
            .http_client(http.clone())
            .identity_cache(credentials::cache())
            .region(Region::new(found.region.clone()))
            .retry_config(retries())
            .timeout_config(timeouts())
            .build();
        Self {
            sdk,
            http,
            region: found.region.clone(),
            wire: crate::http::wire(),
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

    pub(crate) fn mediaconvert(&self) -> MediaConvert {
        MediaConvert::from_sdk(&self.sdk)
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

    /// The address of a service.
    pub(crate) fn endpoint(&self, service: &Service) -> String {
        let own = self.own_endpoint(service.id);
        let url = own.unwrap_or_else(|| vod_aws::call::endpoint(service.name, &self.region));
        url.trim_end_matches('/').to_owned()
    }

    /// What to check if the service cannot be reached.
    fn hint(&self, service: &Service) -> &'static str {
        match self.own_endpoint(service.id) {
            Some(_) => "does the local stack still run, is AWS_ENDPOINT_URL right?",
            None => "check the region's name and the network",
        }
    }

    /// Calls an operation of a JSON service.
    pub(crate) async fn json(
        &self,
        service: &Service,
        operation: &str,
        request: &Value,
    ) -> Result<Value, AwsError> {
        let call = self.call(service, operation);
        let call = call.json(service.version, service.target, request);
        Ok(self.send(service, call).await?.json())
    }

    /// Calls an operation of a query service. Returns the `<Operation>Result` of the response.
    pub(crate) async fn query(
        &self,
        service: &Service,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, AwsError> {
        let body = Serializer::new(String::new())
            .append_pair("Action", operation)
            .append_pair("Version", service.version)
            .extend_pairs(parameters)
            .finish();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let call = Call {
            headers: vec![("content-type", kind.to_owned())],
            body,
            read_error: xml::error,
            ..self.call(service, operation)
        };
        let response = self.send(service, call).await?;
        let mut document = xml::parse(&response.body).unwrap_or(Value::Null);
        Ok(document[format!("{operation}Response")][format!("{operation}Result")].take())
    }

    /// Has the edge fetch the objects at `path` again (see [`edge::invalidation`]).
    pub(crate) async fn invalidate(&self, distribution: &str, path: &str) -> anyhow::Result<()> {
        let endpoint = self.own_endpoint(CLOUDFRONT.id);
        let endpoint = endpoint.unwrap_or_else(|| edge::ADDRESS.to_owned());
        let call = edge::invalidation(endpoint.trim_end_matches('/').to_owned(), distribution, path);
        let call = Call {
            read_error: xml::error,
            ..call.context("the id of the distribution is malformed")?
        };
        self.in_region(edge::REGION).send(&CLOUDFRONT, call).await?;
        Ok(())
    }

    /// Runs a function and waits for its result. The inner error is the function's own: its type and message.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        qualifier: Option<&str>,
        event: &Value,
    ) -> Result<Result<Value, String>, AwsError> {
        let qualifier = qualifier.map_or_else(String::new, |name| format!("?Qualifier={name}"));
        let call = Call {
            path: format!("/2015-03-31/functions/{function}/invocations{qualifier}"),
            headers: vec![("content-type", "application/json".to_owned())],
            body: event.to_string(),
            timeout: FUNCTION,
            // If the response is lost, the function may have run.
            attempts: 1,
            ..self.call(&LAMBDA, "InvokeFunction")
        };
        let response = self.send(&LAMBDA, call).await?;
        let value = response.json();
        if response.headers.get("x-amz-function-error").is_none() {
            return Ok(Ok(value));
        }
        let text = |name: &str| value[name].as_str().unwrap_or("unknown").to_owned();
        Ok(Err(format!("{}: {}", text("errorType"), text("errorMessage"))))
    }

    fn call(&self, service: &Service, operation: &str) -> Call {
        Call::new(service.name, operation, self.endpoint(service))
    }

    async fn send(&self, service: &Service, call: Call) -> Result<CallResponse, AwsError> {
        let provider = self.sdk.credentials_provider();
        let provider = provider.ok_or_else(|| AwsError::NoCredentials("none are set".to_owned()))?;
        let cache = self.sdk.identity_cache().unwrap_or_else(credentials::cache);
        let caller = Caller::new(self.http.clone(), provider, cache, self.region.clone());
        let (what, permission) = (
            format!("{} {}", service.id, call.operation),
            format!("{}:{}", service.name, call.operation),
        );
        let endpoint = call.endpoint.clone();
        let error = match caller.send(call).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if let Some(refusal) = vod_aws::Refusal::of(&error) {
            return Err(refused(&what, &permission, &refusal));
        }
        Err(
            credentials::in_chain(&error).unwrap_or_else(|| AwsError::Unreachable {
                service: service.id.to_owned(),
                endpoint,
                reason: root(&error),
                hint: self.hint(service),
            }),
        )
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(TIMEOUT)
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

#[cfg(test)]
mod tests;
