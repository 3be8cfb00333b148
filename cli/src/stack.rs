//! Finding the stack that a command is meant for.
//!
//! A local one by its state folder (`--state`, default `.vod`): `vod up` leaves `endpoints.json` there. All
//! commands but `up` need nothing else than what [`Stack`] holds, so that a stack on AWS can be one too.

use std::path::Path;

use anyhow::Context;
use vod_aws::AwsConfig;
use vod_local::endpoints::Endpoints;
use vod_local::sigv4::Keys;

use crate::http::Api;

/// A running stack, wherever it is.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) bucket: String,
    pub(crate) aws: AwsConfig,
    /// Where the signer answers: the edge, CloudFront on AWS.
    pub(crate) edge: String,
    token: String,
}

impl Stack {
    /// The local stack whose state is in this folder.
    pub(crate) fn find(state: &Path) -> anyhow::Result<Self> {
        let found = Endpoints::read(state)?.with_context(|| {
            format!(
                "no stack runs on `{}`: start it with `vod up`, or name its folder with --state",
                state.display()
            )
        })?;
        Ok(Self {
            aws: AwsConfig {
                region: found.region,
                access_key_id: found.access_key,
                secret_access_key: found.secret_key,
                session_token: None,
                s3_endpoint: Some(found.api.clone()),
                mediaconvert_endpoint: Some(found.api),
            },
            bucket: found.bucket,
            edge: found.edge,
            token: found.token,
        })
    }

    /// A client for the bucket.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        vod_aws::s3(&self.aws)
    }

    /// What calls to its other services are signed with.
    pub(crate) fn keys(&self) -> Keys {
        Keys {
            access_key: self.aws.access_key_id.clone(),
            secret_key: self.aws.secret_access_key.clone(),
            region: self.aws.region.clone(),
        }
    }

    /// A client for the signer's HTTP.
    pub(crate) fn api(&self) -> Api {
        Api::new(&self.edge, &self.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_stack_it_says_what_to_do() {
        let error = Stack::find(Path::new("/nonexistent/.vod"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("vod up"), "{error}");
        assert!(error.contains("/nonexistent/.vod"), "{error}");
    }

    #[test]
    fn a_stack_is_read_from_its_folder() -> anyhow::Result<()> {
        let state = tempfile::tempdir()?;
        let endpoints = serde_json::json!({
            "api": "http://127.0.0.1:9000", "edge": "http://127.0.0.1:8080", "bucket": "vod",
            "region": "us-east-1", "access_key": "vod", "secret_key": "s", "token": "t", "later": 1,
        });
        std::fs::write(state.path().join("endpoints.json"), endpoints.to_string())?;
        let stack = Stack::find(state.path())?;
        assert_eq!(stack.aws.s3_endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(stack.edge, "http://127.0.0.1:8080");

        std::fs::write(state.path().join("endpoints.json"), "{")?;
        let error = Stack::find(state.path()).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
        Ok(())
    }
}
