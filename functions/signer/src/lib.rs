//! Lambda: who may watch gets signed URLs, cookies and playlists.
//!
//! `GET /api/playback` signs, for whom a bearer token admits. `GET /play/<grant>/<key>` only verifies: it hands
//! out playlists in which every URI carries the grant of its own path. `GET /api/assets` reads the records. It
//! stands behind the same distribution as the files, so there is no CORS and cookies are first-party.

pub mod app;
mod assets;
pub mod auth;
pub mod config;
mod jwks;
mod openapi;
mod play;
mod playback;
mod problem;
mod reach;
pub mod secret;
mod secrets_manager;
mod thumbnails;
mod viewer;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use http::HeaderValue;
use http::header::X_CONTENT_TYPE_OPTIONS;
use tracing::{Instrument, Span, info, info_span};
use vod_core::asset::AssetId;

pub use app::{App, Clock, Parts, Scheme};
pub use jwks::NotASet;
pub use secret::{Secret, SecretError};

use problem::Problem;

/// Has every line of this request name the asset that it is about.
pub(crate) fn log_asset(id: &AssetId) {
    Span::current().record("asset", id.as_str());
}

/// The whole API, for `lambda_http` and for the local stack alike.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/api/playback", get(playback::playback))
        .route("/api/assets", get(assets::list))
        .route("/api/assets/{id}", get(assets::show))
        .route("/api/openapi.json", get(openapi::show))
        .route("/play/{grant}/{*key}", get(play::play))
        .fallback(async || Problem::not_found("no such path"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(middleware::map_response(no_sniffing))
        .layer(middleware::from_fn(log))
        .with_state(app)
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
