//! The environment of the function, read once at cold start.

use std::sync::Arc;

use pipeline::{Manage, Services, Uploads};
use vod_aws::{AwsConfig, Bucket, Edge, EnvReader, Queue};
use vod_http::{SecretsManager, Tokens};

use crate::{App, Parts};

/// Bucket of the uploads.
pub const BUCKET: &str = "BUCKET";
/// Bucket of the outputs; default: the same.
pub const OUTPUT_BUCKET: &str = "OUTPUT_BUCKET";
/// URL of the queue from which `submit` gets uploads.
pub const UPLOAD_QUEUE_URL: &str = "UPLOAD_QUEUE_URL";

/// The configuration, checked. [`Tokens`] documents the variables that say whose tokens are accepted.
pub struct Config {
    aws: AwsConfig,
    bucket: String,
    output_bucket: Option<String>,
    upload_queue: String,
    tokens: Tokens,
}

impl Config {
    /// Reads the environment.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        Self {
            aws: AwsConfig::read(env),
            bucket: env.required(BUCKET),
            output_bucket: env.optional(OUTPUT_BUCKET),
            upload_queue: env.required(UPLOAD_QUEUE_URL),
            tokens: Tokens::read(env),
        }
    }

    /// The application on AWS.
    pub fn app(self) -> App {
        let services = Services::connect(&self.aws, &self.bucket);
        let outputs = self.output_bucket.as_deref().unwrap_or(&self.bucket);
        let queue = Queue::new(&self.aws, self.upload_queue);
        App::new(Parts {
            uploads: Uploads::new(Bucket::new(services.s3.clone(), self.bucket.clone())),
            manage: Manage::new(services, outputs, queue, Edge::new(&self.aws)),
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
             UPLOAD_QUEUE_URL is not set; \
             AUTH_JWT_SECRET is not set"
        );
    }
}
