//! HTTP requests to the signer and the edge, over the HTTP stack of the SDK clients.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, StatusCode};

/// Time limit for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Maximum size of a response: a page of records has at most a few megabytes.
const MAX_BODY: usize = 32 << 20;

/// A client for HTTP requests.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<Connector>);

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// A reason why there was no response. It never contains the request, which may hold a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
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
    pub(crate) fn new() -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).build();
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .connector_settings(settings)
            .build();
        Self(Arc::new(connector))
    }

    /// Sends a request and reads the complete response, all within `timeout`.
    pub(crate) async fn send(
        &self,
        request: Request<SdkBody>,
        timeout: Duration,
    ) -> Result<Answer, WireError> {
        let place = origin(&request.uri().to_string());
        let request = request.try_into().map_err(|_| WireError::Address(place))?;
        let exchange = async {
            let answer = self.0.call(request).await;
            let mut answer = answer.map_err(|error| WireError::Connection(root(&error)))?;
            let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or_default();
            let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
            let body = Limited::new(body, MAX_BODY).collect().await;
            let body = body.map_err(|error| WireError::Broken(error.to_string()))?;
            Ok(Answer {
                status,
                body: body.to_bytes(),
            })
        };
        let late = |_| WireError::Late(timeout);
        tokio::time::timeout(timeout, exchange).await.map_err(late)?
    }
}

/// Scheme and host of an address: the part of it that is not secret.
pub(crate) fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// The innermost cause: "connection refused" and not "client error (Connect)".
pub(crate) fn root(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
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
