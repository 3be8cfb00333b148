//! The state that the handlers share.

use std::sync::Arc;

use http::HeaderMap;
use vod_aws::{Bucket, Catalog};
use vod_core::cloudfront::Keyring;

use vod_http::auth::{Auth, Scope, Viewer};
use vod_http::{Clock, Problem, Secret};

/// How viewers reach the edge; it stands in every URL and policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// A local stack.
    Http,
    /// A distribution, which redirects plain http.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The name of the signing key in a problem.
pub(crate) const SIGNING_KEY: &str = "the signing key";

/// What an [`App`] is made of: on AWS by [`crate::config::Config::app`], locally by the stack.
pub struct Parts {
    /// The records.
    pub catalog: Catalog,
    /// The bucket of `output/`, with the playlists.
    pub outputs: Bucket,
    /// Bucket of the uploads and records: it is part of an asset's id.
    pub bucket: String,
    /// The keys that sign and verify.
    pub signing: Secret<Keyring>,
    /// Who may ask.
    pub auth: Secret<Auth>,
    /// How viewers reach the edge.
    pub scheme: Scheme,
    /// The clock of grants and tokens.
    pub clock: Clock,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The viewer behind a request, if its token is good and has `scope`.
    pub(crate) async fn admit(&self, headers: &HeaderMap, scope: Scope) -> Result<Viewer, Problem> {
        let auth = self.auth.get().await;
        let auth = auth.map_err(|error| Problem::unavailable("the token key", &error))?;
        auth.admit(headers, (self.clock)(), scope).await
    }

    /// The keys that sign and verify.
    pub(crate) async fn keyring(&self) -> Result<Arc<Keyring>, Problem> {
        let keys = self.signing.get().await;
        keys.map_err(|error| Problem::unavailable(SIGNING_KEY, &error))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
