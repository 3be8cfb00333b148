//! HTTP to other services than S3: TLS and time limits as the S3 client has them, so that nothing new is linked.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;

/// Somebody waits for a film meanwhile, so 2 s to connect and 5 s to answer are enough.
pub(crate) fn connector() -> Connector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(Duration::from_secs(2))
        .read_timeout(Duration::from_secs(5))
        .build();
    Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .connector_settings(settings)
        .build()
}
