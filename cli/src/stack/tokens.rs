//! Tokens for the signer's HTTP: given, or made with the key that the stack keeps.

use std::fmt;

use anyhow::{Context, bail};
use serde_json::json;
use tokio::sync::OnceCell;
use vod_local::secrets::{Grant, token};

use super::outputs::Outputs;
use crate::aws::Aws;
use crate::aws::service::SECRETS_MANAGER;

/// What this command itself asks the signer for.
const OWN_SCOPES: &str = "playback library";
/// How long such a token is good, in seconds: each request has one of its own.
const OWN_SECONDS: i64 = 300;

/// Where tokens come from.
pub(crate) enum Tokens {
    /// The user, or `endpoints.json`.
    Given(String),
    /// The stack's secret.
    Minted(Box<Minter>),
    /// An identity provider: not from here.
    Provider,
}

impl fmt::Debug for Tokens {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given",
            Self::Minted(_) => "Minted",
            Self::Provider => "Provider",
        })
    }
}

impl Tokens {
    /// One that lets look and watch.
    pub(crate) async fn bearer(&self) -> anyhow::Result<String> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Minted(minter) => minter.mint(OWN_SCOPES, &[], OWN_SECONDS).await,
            Self::Provider => bail!(
                "an identity provider makes the tokens of this stack (AuthJwksUrl): give one with --token or VOD_TOKEN"
            ),
        }
    }
}

/// Makes tokens with the HS256 key of a stack on AWS.
pub(crate) struct Minter {
    aws: Aws,
    secret: String,
    issuer: Option<String>,
    audience: Option<String>,
    key: OnceCell<String>,
}

impl Minter {
    pub(crate) fn new(aws: Aws, outputs: &Outputs) -> Self {
        Self {
            aws,
            secret: outputs.jwt_secret.clone(),
            issuer: outputs.issuer.clone(),
            audience: outputs.audience.clone(),
            key: OnceCell::new(),
        }
    }

    /// A token that says all that the stack's signer wants to hear.
    pub(crate) async fn mint(&self, scope: &str, assets: &[String], seconds: i64) -> anyhow::Result<String> {
        let key = self.key.get_or_try_init(|| secret(&self.aws, &self.secret));
        let key = key
            .await
            .context("no token could be made with the stack's key (--token or VOD_TOKEN gives one)")?;
        let grant = Grant {
            scope,
            assets,
            seconds,
            issuer: self.issuer.as_deref(),
            audience: self.audience.as_deref(),
        };
        // The signer trims as well.
        token(key.trim(), &grant)
    }
}

/// The text of a secret. It is never printed.
pub(crate) async fn secret(aws: &Aws, name: &str) -> anyhow::Result<String> {
    let request = json!({ "SecretId": name });
    let answer = aws.json(&SECRETS_MANAGER, "GetSecretValue", &request).await?;
    let text = answer["SecretString"]
        .as_str()
        .with_context(|| format!("the secret `{name}` holds no text"))?;
    Ok(text.to_owned())
}
