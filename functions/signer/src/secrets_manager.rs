//! `GetSecretValue`, by hand.
//!
//! One call does not earn an SDK crate (seconds of build time, and cold start), and the Parameters and
//! Secrets extension would be a layer of another account in another version per region. The signature is
//! aws-sigv4's, the connection that of the S3 client's HTTP library, so nothing new is linked.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use vod_aws::AwsConfig;

use crate::outgoing::connector;

/// Replaces the service's address, as in the SDKs.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";

/// Attempts in all.
const ATTEMPTS: u32 = 3;

/// An error that says nothing of a secret.
type Failure = Box<dyn Error + Send + Sync>;

/// A client for one operation. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SecretsManager(Arc<Client>);

struct Client {
    connector: Connector,
    identity: Identity,
    region: String,
    endpoint: String,
}

impl SecretsManager {
    pub(crate) fn new(aws: &AwsConfig) -> Self {
        let endpoint = std::env::var(ENDPOINT).ok().filter(|url| !url.is_empty());
        Self::with_endpoint(aws, endpoint.unwrap_or_else(|| default_endpoint(&aws.region)))
    }

    fn with_endpoint(aws: &AwsConfig, endpoint: String) -> Self {
        let credentials = Credentials::new(
            aws.access_key_id.clone(),
            aws.secret_access_key.clone(),
            aws.session_token.clone(),
            None,
            "environment",
        );
        Self(Arc::new(Client {
            connector: connector(),
            identity: credentials.into(),
            region: aws.region.clone(),
            endpoint,
        }))
    }

    /// The current `SecretString` of a secret.
    pub(crate) async fn get(&self, name: &str) -> Result<String, Failure> {
        let body = serde_json::json!({ "SecretId": name }).to_string();
        let mut attempt = 1;
        loop {
            match self.0.call(body.clone()).await {
                Ok((status, _)) if status >= 500 && attempt < ATTEMPTS => {}
                Err(_) if attempt < ATTEMPTS => {}
                Ok((status, answer)) => return secret_string(status, &answer),
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            attempt += 1;
        }
    }
}

fn default_endpoint(region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://secretsmanager.{region}.{domain}")
}

impl Client {
    /// Status and body of one attempt.
    async fn call(&self, body: String) -> Result<(u16, Vec<u8>), Failure> {
        let uri = format!("{}/", self.endpoint.trim_end_matches('/'));
        let host = self
            .endpoint
            .split("://")
            .nth(1)
            .unwrap_or_default()
            .trim_end_matches('/');
        let headers = [
            ("host", host),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "secretsmanager.GetSecretValue"),
        ];
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name("secretsmanager")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let signable = SignableRequest::new(
            "POST",
            &uri,
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let mut request = http::Request::post(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(body))?;
        instructions.apply_to_request_http1x(&mut request);

        let mut response = self.connector.call(Request::try_from(request)?).await?;
        let body = std::mem::replace(response.body_mut(), SdkBody::empty());
        let body = ByteStream::new(body).collect().await?.to_vec();
        Ok((response.status().as_u16(), body))
    }
}

fn secret_string(status: u16, body: &[u8]) -> Result<String, Failure> {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if status != 200 {
        let kind = answer["__type"].as_str().unwrap_or("no error type");
        return Err(format!("status {status}, {kind}").into());
    }
    let text = answer["SecretString"]
        .as_str()
        .ok_or("the secret is binary; text is expected")?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::Router;
    use axum::routing::post;
    use http::{HeaderMap, StatusCode};

    use super::*;

    static CALLS: AtomicU32 = AtomicU32::new(0);

    /// Answers as the service does, and fails once.
    async fn service(headers: HeaderMap, body: String) -> (StatusCode, String) {
        if CALLS.fetch_add(1, Ordering::Relaxed) == 0 {
            return (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned());
        }
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-amz-target"), "secretsmanager.GetSecretValue");
        assert_eq!(header("x-amz-security-token"), "session");
        let authorization = header("authorization");
        assert!(
            authorization.contains("/us-east-1/secretsmanager/aws4_request"),
            "{authorization}"
        );
        match body.as_str() {
            r#"{"SecretId":"vod/signing"}"# => (StatusCode::OK, r#"{"SecretString":"hush"}"#.to_owned()),
            _ => (
                StatusCode::BAD_REQUEST,
                r#"{"__type":"ResourceNotFoundException","Message":"x"}"#.to_owned(),
            ),
        }
    }

    #[tokio::test]
    async fn a_secret_is_fetched_and_a_failure_says_why() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(service));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let aws = AwsConfig {
            region: "us-east-1".to_owned(),
            access_key_id: "key".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: Some("session".to_owned()),
            s3_endpoint: None,
            mediaconvert_endpoint: None,
        };
        let manager = SecretsManager::with_endpoint(&aws, endpoint);
        assert_eq!(manager.get("vod/signing").await.unwrap(), "hush");
        assert_eq!(
            manager.get("vod/other").await.unwrap_err().to_string(),
            "status 400, ResourceNotFoundException"
        );
    }

    #[test]
    fn endpoints() {
        assert_eq!(
            default_endpoint("eu-west-1"),
            "https://secretsmanager.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            default_endpoint("cn-north-1"),
            "https://secretsmanager.cn-north-1.amazonaws.com.cn"
        );
    }
}
