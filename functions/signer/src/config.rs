//! The environment of the function, read once at cold start.

use std::sync::Arc;

use vod_aws::{AwsConfig, Bucket, Catalog, EnvReader};

use crate::app::{App, Parts, Scheme};
use vod_http::{Secret, SecretsManager, Tokens};

/// Bucket of the records.
pub const BUCKET: &str = "BUCKET";
/// Bucket of `output/`, where that is another one. Optional.
pub const OUTPUT_BUCKET: &str = "OUTPUT_BUCKET";
/// Name or ARN of the secret that holds the signing keys:
/// `{"active":"K2…","keys":[{"id","algorithm":"ES256|RS256","private_pem","public_pem"}]}`.
pub const SIGNING_SECRET: &str = "SIGNING_SECRET";
/// The configuration, checked.
pub struct Config {
    aws: AwsConfig,
    bucket: String,
    output_bucket: String,
    signing_secret: String,
    tokens: Tokens,
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
            tokens: Tokens::read(env),
        }
    }

    /// The application on AWS: secrets from Secrets Manager, and viewers come by https.
    pub fn app(self) -> App {
        let s3 = vod_aws::s3(&self.aws);
        let secrets = SecretsManager::new(&self.aws);
        let auth = self.tokens.auth(secrets.clone());
        App::new(Parts {
            catalog: Catalog::new(s3.clone(), self.bucket.clone()),
            outputs: Bucket::new(s3, self.output_bucket),
            bucket: self.bucket,
            signing: Secret::remote(secrets, self.signing_secret, |text| {
                vod_core::cloudfront::Keyring::from_json(text).map_err(|error| error.to_string())
            }),
            auth,
            scheme: Scheme::Https,
            clock: Arc::new(jiff::Timestamp::now),
        })
    }
}

#[cfg(test)]
mod tests {
    use vod_http::{AUTH_AUDIENCE, AUTH_ISSUER, AUTH_JWKS_URL, AUTH_JWT_SECRET};

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

    #[test]
    fn an_identity_provider_needs_an_issuer_and_an_audience() {
        let problems = |url: &'static str, issuer: bool, secret: bool| {
            let set = [
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "k"),
                ("AWS_SECRET_ACCESS_KEY", "s"),
                (BUCKET, "vod"),
                (SIGNING_SECRET, "vod/signing"),
                (AUTH_JWKS_URL, url),
            ];
            let mut set: std::collections::BTreeMap<_, _> = set.into_iter().collect();
            if issuer {
                set.extend([(AUTH_ISSUER, "i"), (AUTH_AUDIENCE, "a")]);
            }
            if secret {
                set.insert(AUTH_JWT_SECRET, "vod/jwt");
            }
            let mut env = EnvReader::new(|name: &str| set.get(name).map(ToString::to_string));
            let config = Config::read(&mut env);
            env.finish(config).err().map(|error| error.to_string())
        };
        let url = "https://id.example.org/jwks.json";
        assert_eq!(problems(url, true, false), None);
        assert_eq!(
            problems(url, false, false).unwrap(),
            "configuration: AUTH_ISSUER is not set; AUTH_AUDIENCE is not set"
        );
        assert!(problems(url, true, true).unwrap().contains("exclude each other"));
        assert!(
            problems("http://id.example.org/", true, false)
                .unwrap()
                .contains("AUTH_JWKS_URL is malformed")
        );
    }
}
