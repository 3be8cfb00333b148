//! Lambda: who may watch gets signed URLs, cookies and playlists.
//!
//! `GET /api/playback` signs, for whom a bearer token admits. `GET /play/<grant>/<key>` only verifies: it hands
//! out playlists in which every URI carries the grant of its own path. `GET /api/assets` reads the records. It
//! stands behind the same distribution as the files, so there is no CORS and cookies are first-party.

pub mod app;
mod assets;
mod captions;
pub mod config;
mod newest;
mod openapi;
mod play;
mod playback;
mod reach;
mod thumbnails;
mod viewer;

use axum::Router;
use axum::routing::get;
use vod_http::Problem;

pub use app::{App, Parts, Scheme};

/// The whole API, for `lambda_http` and for the local stack alike.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/api/playback", get(playback::playback))
        .route("/api/assets", get(assets::list))
        .route("/api/assets/{id}", get(assets::show))
        .route("/api/openapi.json", get(openapi::show))
        .route("/play/{grant}/{*key}", get(play::play))
        .fallback(async || Problem::not_found("no such path"))
        .method_not_allowed_fallback(async || {
            Problem::method_not_allowed("only GET and HEAD are served here")
        });
    vod_http::finish(routes).with_state(app)
}
