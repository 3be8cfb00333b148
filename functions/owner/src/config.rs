//! The environment of the function, read once at cold start.

use std::sync::Arc;

use pipeline::Uploads;
use vod_aws::{AwsConfig, Bucket, EnvReader};
use vod_http::{SecretsManager, Tokens};

use crate::{App, Parts};

/// Bucket of the uploads.
pub const BUCKET: &str = "BUCKET";

/// The configuration, checked. [`Tokens`] documents the variables that say whose tokens are accepted.
pub struct Config {
    aws: AwsConfig,
    bucket: String,
    tokens: Tokens,
}

impl Config {
    /// Reads the environment.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        Self {
            aws: AwsConfig::read(env),
            bucket: env.required(BUCKET),
            tokens: Tokens::read(env),
        }
    }

    /// The application on AWS.
    pub fn app(self) -> App {
        let bucket = Bucket::new(vod_aws::s3(&self.aws), self.bucket);
        App::new(Parts {
            uploads: Uploads::new(bucket),
            auth: self.tokens.auth(SecretsManager::new(&self.aws)),
            clock: Arc::new(vod_aws::now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported_by_name() {
        let mut env = EnvReader::new(|name: &str| (name == "AWS_REGION").then(|| "us-east-1".to_owned()));
        let config = Config::read(&mut env);
        assert_eq!(
            env.finish(config).err().unwrap().to_string(),
            "configuration: AWS_ACCESS_KEY_ID is not set; AWS_SECRET_ACCESS_KEY is not set; BUCKET is not set; \
             AUTH_JWT_SECRET is not set"
        );
    }
}
