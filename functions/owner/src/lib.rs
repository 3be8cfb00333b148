//! Lambda: owners upload in parts that go straight into the bucket.
//!
//! The API has the shape that Uppy's AWS S3 plugin expects: create a session, get a signed URL for each part, list the parts
//! that have arrived, complete or abort. The rules are in [`vod_core::upload`], the calls in [`pipeline::Uploads`]. It is
//! behind the same distribution as the signer, in a function of its own: what can change something has its own role.

pub mod config;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use http::HeaderMap;
use pipeline::Uploads;
use vod_core::upload::Uploader;
use vod_http::auth::{Auth, Scope};
use vod_http::{Clock, Problem, Secret};

/// The largest body in bytes: the list of 10,000 parts has some 600 KB.
const BODY_MAX: usize = 1 << 20;

/// The parts of an [`App`]: made by [`config::Config::app`] on AWS, and by the stack on one machine.
pub struct Parts {
    pub uploads: Uploads,
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

    /// The limits of the token behind a request, if it is good and has the scope `upload`.
    async fn uploader(&self, headers: &HeaderMap) -> Result<Uploader, Problem> {
        let auth = self.0.auth.get().await;
        let auth = auth.map_err(|error| Problem::unavailable("the token key", &error))?;
        let viewer = auth.admit(headers, (self.0.clock)(), Scope::Upload).await?;
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
        .fallback(async || Problem::not_found("no such path"))
        .method_not_allowed_fallback(async || {
            Problem::method_not_allowed("this path does not have this method")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX));
    vod_http::finish(routes).with_state(app)
}
