//! The environment of the function, read once at cold start.

use std::sync::Arc;

use vod_aws::{AwsConfig, Bucket, Catalog, EnvReader};

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
/// Name or ARN of the secret that holds the HS256 key of the viewers' tokens, as text of 32 bytes or more. Required
/// unless [`AUTH_JWKS_URL`] is set.
pub const AUTH_JWT_SECRET: &str = "AUTH_JWT_SECRET";
/// URL of the key set of an identity provider, whose RS256 and ES256 tokens are admitted instead; it needs
/// [`AUTH_ISSUER`] and [`AUTH_AUDIENCE`], because the provider signs for others as well.
pub const AUTH_JWKS_URL: &str = "AUTH_JWKS_URL";
/// What `iss` of a token must be. Optional with a secret: without it any issuer that has the key will do.
pub const AUTH_ISSUER: &str = "AUTH_ISSUER";
/// What `aud` of a token must hold. Optional with a secret.
pub const AUTH_AUDIENCE: &str = "AUTH_AUDIENCE";

/// The configuration, checked.
pub struct Config {
    aws: AwsConfig,
    bucket: String,
    output_bucket: String,
    signing_secret: String,
    tokens: Tokens,
}

/// Who vouches for viewers.
enum Tokens {
    /// Whoever has the key in this secret.
    Secret(String, Expected),
    /// An identity provider.
    Jwks(Box<Auth>),
    /// None is set, which is reported as a problem.
    Unset,
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
        let auth = match self.tokens {
            Tokens::Secret(name, expected) => Secret::remote(secrets.clone(), name, move |text| {
                Auth::hs256(text, expected.clone()).map_err(|error| error.to_string())
            }),
            Tokens::Jwks(auth) => Secret::fixed(*auth),
            // A key that nobody has admits nobody.
            Tokens::Unset => unreachable!("`EnvReader::finish` refuses a configuration with problems"),
        };
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

impl Tokens {
    fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        let expected = Expected {
            issuer: env.optional(AUTH_ISSUER),
            audience: env.optional(AUTH_AUDIENCE),
        };
        if env.optional(AUTH_JWKS_URL).is_none() {
            return Self::Secret(env.required(AUTH_JWT_SECRET), expected);
        }
        if env.optional(AUTH_JWT_SECRET).is_some() {
            env.problem(format!(
                "{AUTH_JWT_SECRET} and {AUTH_JWKS_URL} exclude each other"
            ));
        }
        env.required(AUTH_ISSUER);
        env.required(AUTH_AUDIENCE);
        let auth = env.parsed(AUTH_JWKS_URL, |url| Auth::jwks(url, expected));
        auth.map_or(Self::Unset, |auth| Self::Jwks(Box::new(auth)))
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
