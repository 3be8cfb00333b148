//! `CreateInvalidation` of CloudFront.

use crate::call::{Call, Caller};
use crate::{AwsConfig, Refusal, chain, now};

/// Replaces the service's address, as in the SDKs.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_CLOUDFRONT";
/// CloudFront is global: its API has one address, and calls are signed for one region.
pub const ADDRESS: &str = "https://cloudfront.amazonaws.com";
pub const REGION: &str = "us-east-1";

/// The API of the edge. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Edge {
    caller: Caller,
    endpoint: String,
}

/// An invalidation that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to invalidate `{path}` at the edge: {reason}")]
pub struct EdgeError {
    path: String,
    reason: String,
}

impl Edge {
    /// The API at `AWS_ENDPOINT_URL_CLOUDFRONT`, or at the service.
    pub fn new(aws: &AwsConfig) -> Self {
        let own = std::env::var(ENDPOINT).ok().filter(|url| !url.is_empty());
        Self::at(aws, own.unwrap_or_else(|| ADDRESS.to_owned()))
    }

    /// The API at `endpoint`.
    pub fn at(aws: &AwsConfig, endpoint: String) -> Self {
        let global = AwsConfig {
            region: REGION.to_owned(),
            ..aws.clone()
        };
        Self {
            caller: Caller::from_config(&global),
            endpoint,
        }
    }

    /// Has the edge fetch the objects at `path` again (see [`invalidation`]).
    pub async fn invalidate(&self, distribution: &str, path: &str) -> Result<(), EdgeError> {
        let failed = |reason: String| EdgeError {
            path: path.to_owned(),
            reason,
        };
        let call = invalidation(self.endpoint.clone(), distribution, path);
        let call =
            call.ok_or_else(|| failed("the path or the id of the distribution is malformed".to_owned()))?;
        let sent = self.caller.send(call).await;
        sent.map_err(|error| {
            failed(Refusal::of(&error).map_or_else(|| chain(&error), |refusal| refusal.to_string()))
        })?;
        Ok(())
    }
}

/// The call that has the edge fetch the objects at `path` again. The path begins with `/` and may end with `*`.
/// Letters, digits and `/-_.*` need no escapes; `None` if it has other characters, or if the id is none.
pub fn invalidation(endpoint: String, distribution: &str, path: &str) -> Option<Call> {
    let is_plain = |text: &str, more: &[u8]| {
        let mut bytes = text.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    if !is_plain(path, b"/-_.*") || !is_plain(distribution, b"") || distribution.is_empty() {
        return None;
    }
    let reference = now().as_nanosecond();
    Some(Call {
        path: format!("/2020-05-31/distribution/{distribution}/invalidation"),
        headers: vec![("content-type", "application/xml".to_owned())],
        body: format!(
            "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
             <CallerReference>{path} {reference}</CallerReference>\
             <Paths><Items><Path>{path}</Path></Items><Quantity>1</Quantity></Paths></InvalidationBatch>"
        ),
        ..Call::new("cloudfront", "CreateInvalidation", endpoint)
    })
}
