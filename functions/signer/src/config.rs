//! The environment of the function, read once at cold start.

use std::sync::Arc;

use vod_aws::{AwsConfig, Catalog, EnvReader};

use crate::app::{App, Parts, Scheme};
use crate::auth::{Auth, Expected};
use crate::secret::Secret;
use crate::secrets_manager::SecretsManager;

/// Bucket of the records.
pub const BUCKET: &str = "BUCKET";
/// Bucket of `output/`, where that is another one. Optional.
pub const OUTPUT_BUCKET: &str = "OUTPUT_BUCKET";
/// Name or ARN of the secret that holds the signing keys:
/// `{"active":"K2…","keys":[{"id","algorithm":"ES256|RS256","private_pem","public_pem"}]}`.
pub const SIGNING_SECRET: &str = "SIGNING_SECRET";
/// Name or ARN of the secret that holds the HS256 key of the viewers' tokens, as text of 32 bytes or more.
pub const AUTH_JWT_SECRET: &str = "AUTH_JWT_SECRET";
/// What `iss` of a token must be. Optional: without it any issuer that has the key will do.
pub const AUTH_ISSUER: &str = "AUTH_ISSUER";
/// What `aud` of a token must hold. Optional.
pub const AUTH_AUDIENCE: &str = "AUTH_AUDIENCE";

/// The configuration, checked.
pub struct Config {
    aws: AwsConfig,
    bucket: String,
    output_bucket: String,
    signing_secret: String,
    jwt_secret: String,
    expected: Expected,
}

impl Config {
    /// Reads the environment.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        let aws = AwsConfig::read(env);
        let bucket = env.required(BUCKET);
        Self {
            aws,
            output_bucket: env.optional(OUTPUT_BUCKET).unwrap_or_else(|| bucket.clone()),
            bucket,
            signing_secret: env.required(SIGNING_SECRET),
            jwt_secret: env.required(AUTH_JWT_SECRET),
            expected: Expected {
                issuer: env.optional(AUTH_ISSUER),
                audience: env.optional(AUTH_AUDIENCE),
            },
        }
    }

    /// The application on AWS: secrets from Secrets Manager, and viewers come by https.
    pub fn app(self) -> App {
        let s3 = vod_aws::s3(&self.aws);
        let secrets = SecretsManager::new(&self.aws);
        let expected = self.expected;
        App::new(Parts {
            catalog: Catalog::new(s3.clone(), self.bucket.clone()),
            s3,
            bucket: self.bucket,
            output_bucket: self.output_bucket,
            signing: Secret::remote(secrets.clone(), self.signing_secret, |text| {
                vod_core::cloudfront::Keyring::from_json(text).map_err(|error| error.to_string())
            }),
            auth: Secret::remote(secrets, self.jwt_secret, move |text| {
                Auth::hs256(text, expected.clone()).map_err(|error| error.to_string())
            }),
            scheme: Scheme::Https,
            clock: Arc::new(jiff::Timestamp::now),
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
             SIGNING_SECRET is not set; AUTH_JWT_SECRET is not set"
        );
    }
}
