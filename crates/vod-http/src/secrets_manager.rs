//! `GetSecretValue` of Secrets Manager.
//!
//! One call does not justify an SDK crate, and the Parameters and Secrets extension would be a layer of another account
//! in another version per region.

use std::error::Error;
use std::time::Duration;

use serde_json::json;
use vod_aws::call::{Call, Caller, endpoint};
use vod_aws::{AwsConfig, Refusal};

/// Replaces the service's address, as in the SDKs.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
/// The name of the service in its address and in signatures.
const SERVICE: &str = "secretsmanager";
/// Tries of one call, the first included.
const ATTEMPTS: u32 = 3;
/// Longest time that one try may take: a viewer waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An error without anything of a secret.
type Failure = Box<dyn Error + Send + Sync>;

/// A client for one operation. Cheap to clone.
#[derive(Clone)]
pub struct SecretsManager {
    caller: Caller,
    endpoint: String,
}

impl SecretsManager {
    /// A client at `AWS_ENDPOINT_URL_SECRETS_MANAGER`, or at the service of the region.
    pub fn new(aws: &AwsConfig) -> Self {
        let own = std::env::var(ENDPOINT).ok().filter(|url| !url.is_empty());
        Self::with_endpoint(aws, own.unwrap_or_else(|| endpoint(SERVICE, &aws.region)))
    }

    fn with_endpoint(aws: &AwsConfig, endpoint: String) -> Self {
        Self {
            caller: Caller::from_config(aws),
            endpoint,
        }
    }

    /// The current `SecretString` of a secret.
    pub(crate) async fn get(&self, name: &str) -> Result<String, Failure> {
        let call = Call {
            attempts: ATTEMPTS,
            timeout: TIMEOUT,
            ..Call::new(SERVICE, "GetSecretValue", self.endpoint.clone()).json(
                "1.1",
                SERVICE,
                &json!({ "SecretId": name }),
            )
        };
        let answer = match self.caller.send(call).await {
            Ok(answer) => answer.json(),
            Err(error) => {
                let refusal = Refusal::of(&error);
                return Err(refusal.map_or_else(|| vod_aws::chain(&error).into(), Failure::from));
            }
        };
        let text = answer["SecretString"].as_str();
        let text = text.ok_or("the secret is binary; text is expected")?;
        Ok(text.to_owned())
    }
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
}
