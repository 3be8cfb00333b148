//! SDK clients: one HTTP stack (hyper 1, rustls, aws-lc), fixed credentials, bounded waiting.
//!
//! `aws-config` is not used: it adds three SDK crates to find what Lambda always has in its environment.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::clock::{sdk_sleep, sdk_time};
use crate::config::AwsConfig;

/// Tries of one call, the first included: the SDK backs off with jitter on 429, 5xx and broken connections.
const ATTEMPTS: u32 = 4;
/// Longest time for a connection to be made.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);
/// Longest time until the first byte of a response.
const READ: Duration = Duration::from_secs(30);

/// The HTTP stack of all clients: rustls on aws-lc, with the system's certificates.
pub fn http() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https()
}

pub(crate) fn credentials(config: &AwsConfig) -> Credentials {
    let (id, secret) = (config.access_key_id.clone(), config.secret_access_key.clone());
    Credentials::new(id, secret, config.session_token.clone(), None, "environment")
}

/// What all clients have in common.
fn sdk(http: SharedHttpClient, config: &AwsConfig, endpoint: Option<&String>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ);
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .credentials_provider(SharedCredentialsProvider::new(credentials(config)))
        .region(Region::new(config.region.clone()))
        .timeout_config(timeouts.build())
        .sleep_impl(sdk_sleep())
        .time_source(sdk_time())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    builder.set_endpoint_url(endpoint.cloned());
    builder.build()
}

/// A client for S3; path-style when an endpoint is given, because a local one has no name per bucket.
pub fn s3(config: &AwsConfig) -> aws_sdk_s3::Client {
    s3_over(http(), config)
}

/// The same over another HTTP client, for example one whose server is in the same process.
pub fn s3_over(http: SharedHttpClient, config: &AwsConfig) -> aws_sdk_s3::Client {
    let sdk = sdk(http, config, config.s3_endpoint.as_ref());
    let builder = aws_sdk_s3::config::Builder::from(&sdk);
    aws_sdk_s3::Client::from_conf(builder.force_path_style(config.s3_endpoint.is_some()).build())
}

/// A client for MediaConvert. AWS no longer requires an endpoint per account, so none is looked up.
pub fn mediaconvert(config: &AwsConfig) -> aws_sdk_mediaconvert::Client {
    mediaconvert_over(http(), config)
}

/// The same over another HTTP client.
pub fn mediaconvert_over(http: SharedHttpClient, config: &AwsConfig) -> aws_sdk_mediaconvert::Client {
    aws_sdk_mediaconvert::Client::new(&sdk(http, config, config.mediaconvert_endpoint.as_ref()))
}
