//! Code that all HTTP functions use: bearer tokens, secrets with a time to live, errors as problem documents, and one log
//! line per request.

pub mod auth;
mod jwks;
mod problem;
mod secret;
mod secrets_manager;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::HeaderValue;
use http::header::X_CONTENT_TYPE_OPTIONS;
use jiff::Timestamp;
use tracing::{Instrument, Span, info, info_span};
use vod_core::asset::AssetId;

pub use jwks::NotASet;
pub use problem::Problem;
pub use secret::{Secret, SecretError};
pub use secrets_manager::SecretsManager;
pub use tokens::{AUTH_AUDIENCE, AUTH_ISSUER, AUTH_JWKS_URL, AUTH_JWT_SECRET, Tokens};

/// The clock of a function.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Has every line of this request name the asset that it is about.
pub fn log_asset(id: &AssetId) {
    Span::current().record("asset", id.as_str());
}

/// Adds what every answer of every function has: one line in the log, and a header against sniffing.
pub fn finish<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(middleware::map_response(no_sniffing))
        .layer(middleware::from_fn(log))
}

/// Has browsers take every answer for what it says it is: a refusal quotes what was asked for.
async fn no_sniffing(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// One line per request. It names the route, not the path: a grant in a log would open doors until it expires.
async fn log(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("-", MatchedPath::as_str)
        .to_owned();
    let asset = tracing::field::Empty;
    let span = info_span!("request", method = %request.method(), route, asset);
    async {
        let response = next.run(request).await;
        info!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await
}
