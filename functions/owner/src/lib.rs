//! Lambda: owners upload in parts that go straight into the bucket, and manage their videos.
//!
//! The API of uploads has the shape that Uppy's AWS S3 plugin expects: create a session, get a signed URL for each part, list the parts
//! that have arrived, complete or abort. The rules are in [`vod_core::upload`], the calls in [`pipeline::Uploads`]. What
//! owners do with a video ([`pipeline::Manage`]) needs the scope `admin`. The function is
//! behind the same distribution as the signer, in a function of its own: what can change something has its own role.

mod body;
mod captions;
pub mod config;
mod manage;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post, put};
use http::HeaderMap;
use pipeline::{Manage, Uploads};
use vod_core::upload::Uploader;
use vod_http::auth::{Auth, Scope, Viewer};
use vod_http::{Clock, Problem, Secret};

/// The largest body in bytes: the list of 10,000 parts has some 600 KB.
const BODY_MAX: usize = 1 << 20;

/// The parts of an [`App`]: made by [`config::Config::app`] on AWS, and by the stack on one machine.
pub struct Parts {
    pub uploads: Uploads,
    pub manage: Manage,
    /// Checks tokens.
    pub auth: Secret<Auth>,
    /// The clock of tokens.
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

    /// Whom the token behind a request lets in, if it is good and has the scope.
    async fn admit(&self, headers: &HeaderMap, scope: Scope) -> Result<Viewer, Problem> {
        let auth = self.0.auth.get().await;
        let auth = auth.map_err(|error| Problem::unavailable("the token key", &error))?;
        auth.admit(headers, (self.0.clock)(), scope).await
    }

    /// The limits of the token behind a request, if it is good and has the scope `upload`.
    async fn uploader(&self, headers: &HeaderMap) -> Result<Uploader, Problem> {
        let viewer = self.admit(headers, Scope::Upload).await?;
        Ok(Uploader {
            subject: viewer.subject,
            prefix: viewer.upload_prefix,
            max_bytes: viewer.max_bytes,
        })
    }
}

/// The whole API, for `lambda_http` and for the local stack alike.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/api/uploads", post(uploads::create))
        .route("/api/uploads/{id}", get(uploads::list).delete(uploads::abort))
        .route("/api/uploads/{id}/complete", post(uploads::complete))
        .route("/api/uploads/{id}/{part}", get(uploads::sign))
        .route("/api/manage/assets", post(manage::bulk))
        .route(
            "/api/manage/assets/{id}",
            patch(manage::edit).delete(manage::remove),
        )
        .route(
            "/api/manage/assets/{id}/captions/{language}",
            put(captions::add).delete(captions::remove),
        )
        .route("/api/manage/assets/{id}/restore", post(manage::restore))
        .route("/api/manage/assets/{id}/retry", post(manage::retry))
        .route("/api/manage/assets/{id}/encode", post(manage::encode))
        .fallback(async || Problem::not_found("no such path"))
        .method_not_allowed_fallback(async || {
            Problem::method_not_allowed("this path does not have this method")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX));
    vod_http::finish(routes).with_state(app)
}
