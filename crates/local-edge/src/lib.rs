//! CloudFront on one machine: behaviors in order, signatures checked, origins over real HTTP.
//!
//! The first behavior whose pattern matches a request's path applies. As on CloudFront, patterns are compared with the path as the
//! viewer sent it. Only the prefixes named here can be reached; no path leads to other objects of the bucket. Signatures are
//! checked before the cache, and are not part of its key.

mod answer;
mod cache;
mod cors;
mod headers;
pub mod invalidation;
mod limits;
mod memory;
mod objects;
mod origin;
mod path;
mod request;
pub mod web_origin;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_SECURITY_POLICY;
use http::request::Parts;
use http::{Method, StatusCode};
use local_base::clock::Clock;
use local_base::sigv4::Keys;
use tokio::sync::watch;
use vod_core::cloudfront::{self, Denied, PublicKeys, Reason};

pub use cache::Cache;
pub use request::{NotAUrl, PublicUrl};

use crate::web_origin::WebOrigin;
use origin::Origin;
use request::Viewer;

/// What an edge is made of.
#[derive(Clone)]
pub struct EdgeOptions {
    /// Where S3 and the functions are: `http://127.0.0.1:9000`.
    pub api_url: String,
    /// The bucket behind `output/` and `web/`.
    pub bucket: String,
    /// Who the edge is for its origins (origin access control).
    pub keys: Keys,
    /// The key group: the public keys whose signatures open `/output/`. It may change at any time.
    pub trusted: watch::Receiver<Arc<PublicKeys>>,
    /// How viewers reach the edge, where that is not as they say in `Host`.
    pub edge_url: Option<PublicUrl>,
    /// Origins of other sites whose pages may read what viewers get (CORS).
    pub allowed_origins: Vec<WebOrigin>,
    /// What it keeps; who invalidates has a clone of it.
    pub cache: Cache,
    /// The clock of policies and of the cache.
    pub clock: Clock,
}

/// The edge. Serve it with connect info (`into_make_service_with_connect_info::<SocketAddr>()`): policies may be
/// bound to the viewer's address.
pub fn router(options: EdgeOptions) -> Router {
    let origin = Origin::new(&options.api_url, &options.bucket, options.keys.clone());
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .fallback(serve)
        .with_state(Edge {
            options: Arc::new(options),
            origin,
        })
}

#[derive(Clone)]
struct Edge {
    options: Arc<EdgeOptions>,
    origin: Origin,
}

/// What a path pattern leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    /// `/play/*`, `/api/*`: the signer's Function URL. `/api/uploads*`, `/api/manage/*`: the owner's.
    Function(Function),
    /// `/output/*`: the bucket, for signed requests only.
    Signed,
    /// `/web/*`, `/`: the bucket.
    Open,
    /// All other paths: the default behaviour has no origin that would answer.
    Refused,
}

impl Behaviour {
    fn of(path: &str) -> Self {
        let below = |prefix: &str| path.starts_with(prefix);
        if below("/api/uploads") || below("/api/manage/") {
            Self::Function(Function::Owner)
        } else if below("/play/") || below("/api/") {
            Self::Function(Function::Signer)
        } else if below("/output/") {
            Self::Signed
        } else if below("/web/") || path == "/" {
            Self::Open
        } else {
            Self::Refused
        }
    }

    fn allows(self, method: &Method) -> bool {
        let writes = match self {
            // The function answers OPTIONS like any other method.
            Self::Function(Function::Owner) if *method == Method::OPTIONS => return true,
            Self::Function(function) => function.writes(),
            _ => &[],
        };
        [Method::GET, Method::HEAD].contains(method) || writes.contains(method)
    }
}

/// A function behind the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Signer,
    Owner,
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Self::Signer => "signer",
            Self::Owner => "owner",
        }
    }

    /// The methods that its behaviors allow beside GET, HEAD and OPTIONS.
    fn writes(self) -> &'static [Method] {
        match self {
            Self::Signer => &[],
            Self::Owner => &[Method::PUT, Method::POST, Method::PATCH, Method::DELETE],
        }
    }
}

async fn serve(State(edge): State<Edge>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let mut response = edge
        .respond(&request, body)
        .await
        .unwrap_or_else(IntoResponse::into_response);
    if cors::covers(request.uri.path()) {
        cors::share(&mut response, &request, &edge.options.allowed_origins);
    }
    answer::finish(response)
}

/// Why the edge itself refuses.
enum Refused {
    Denied(Denied),
    Other(StatusCode, &'static str),
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Denied(denied) => answer::denied(denied),
            Self::Other(status, text) => answer::error_page(status, text),
        }
    }
}

impl Edge {
    async fn respond(&self, request: &Parts, body: Body) -> Result<Response, Refused> {
        let behaviour = Behaviour::of(request.uri.path());
        // A player's requests need no leave, but for those that carry a token.
        let asks_for_leave = request.method == Method::OPTIONS
            && matches!(behaviour, Behaviour::Function(_))
            && !self.options.allowed_origins.is_empty();
        if !asks_for_leave && !behaviour.allows(&request.method) {
            let text = "This distribution is not configured to allow the HTTP request method that was used for \
                        this request.";
            return Err(Refused::Other(StatusCode::FORBIDDEN, text));
        }
        // The body of another request is never read.
        let body = if behaviour == Behaviour::Function(Function::Owner) && !asks_for_leave {
            Some(body)
        } else {
            None
        };
        if let Some(refused) = limits::check(request, body.is_some()) {
            return Err(refused);
        }
        let body = limits::read(body).await?;
        let bad_host = Refused::Other(StatusCode::BAD_REQUEST, "Bad request.");
        let viewer = Viewer::of(request, self.options.edge_url.as_ref()).ok_or(bad_host)?;
        let elsewhere = Denied::AccessDenied(Reason::Resource);
        let key = path::key(request.uri.path()).ok_or(elsewhere)?;
        match behaviour {
            Behaviour::Function(function) if asks_for_leave => {
                Ok(cors::preflight(request, &self.options.allowed_origins, function))
            }
            Behaviour::Function(function) => Ok(self.origin.function(function, request, &viewer, body).await),
            Behaviour::Signed => {
                self.check(request, &viewer)?;
                Ok(self.object(request, &key, headers::OUTPUT).await)
            }
            Behaviour::Open => {
                let mut response = self.object(request, &key, headers::WEB).await;
                if let Some(policy) = response.headers_mut().get_mut(CONTENT_SECURITY_POLICY)
                    && let Some(connecting) = headers::page_policy(&self.options.api_url)
                {
                    *policy = connecting;
                }
                Ok(response)
            }
            Behaviour::Refused => Err(elsewhere.into()),
        }
    }

    fn check(&self, request: &Parts, viewer: &Viewer) -> Result<(), Denied> {
        let keys = self.options.trusted.borrow().clone();
        let cookies = request::cookies(&request.headers);
        cloudfront::verify(
            &keys,
            &cloudfront::Request {
                scheme: &viewer.scheme,
                host: &viewer.host,
                path: request.uri.path(),
                query: request.uri.query().unwrap_or_default(),
                cookies: &cookies,
                address: viewer.address.map(|address| address.ip()),
                now: (self.options.clock)().as_second(),
            },
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
