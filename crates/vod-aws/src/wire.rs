//! Sends HTTP requests that are not calls of AWS, over the HTTP stack of the SDK clients.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};

use crate::logs::root;

/// A client for HTTP requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wire {
    connector: Arc<Connector>,
    /// Largest body of a response, in bytes.
    limit: usize,
}

/// A reason why there was no response. It never contains the request, which may hold a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("`{0}` is not an address")]
    Address(String),
    #[error("{0}")]
    Connection(String),
    #[error("no response within {} seconds", .0.as_secs())]
    Late(Duration),
    #[error("the response ended early: {0}")]
    Broken(String),
}

impl Wire {
    /// A client that connects within `connect` and refuses bodies of more than `limit` bytes.
    pub fn new(connect: Duration, limit: usize) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(connect).build();
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .connector_settings(settings)
            .build();
        let connector = Arc::new(connector);
        Self { connector, limit }
    }

    /// Sends a request and reads the complete response, all within `timeout`.
    pub async fn send(
        &self,
        request: Request<SdkBody>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, WireError> {
        let place = origin(&request.uri().to_string());
        let request = request.try_into().map_err(|_| WireError::Address(place))?;
        let exchange = async {
            let answer = self.connector.call(request).await;
            let mut answer = answer.map_err(|error| WireError::Connection(root(&error)))?;
            let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
            let body = Limited::new(body, self.limit).collect().await;
            let body = body.map_err(|error| WireError::Broken(error.to_string()))?;
            let mut response = Response::new(body.to_bytes());
            *response.status_mut() = StatusCode::from_u16(answer.status().as_u16()).unwrap_or_default();
            Ok(response)
        };
        let late = |_| WireError::Late(timeout);
        tokio::time::timeout(timeout, exchange).await.map_err(late)?
    }
}

/// Scheme and host of an address: the part of it that is not secret.
pub fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_holds_no_secrets() {
        for (url, expected) in [
            ("https://e.net/output/a?Signature=s", "https://e.net"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://e.net?Signature=s", "https://e.net"),
            ("https://e.net#token=t", "https://e.net"),
            ("nonsense?Signature=s", "nonsense"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}
