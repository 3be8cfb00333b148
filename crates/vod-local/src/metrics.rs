//! `GET /metrics` on the API port: what the functions count, and how full queues and encoder are, for Prometheus.
//!
//! Without a signature, which Prometheus cannot make, and for programs on this machine alone: what comes from elsewhere, or
//! through a proxy, goes on to S3 as if there were no such page. The edge does not have it at all: it is what viewers see,
//! and behind a tunnel all of them seem to sit on this machine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, StatusCode, Uri};
use local_base::queue::{Queues, dead_letter_name};
use local_mediaconvert::MediaConvert;
use mediaconvert_api::{Engine as _, Store as _};
use vod_aws::Meter;
use vod_core::metrics::{
    CONTENT_TYPE as TEXT, DEAD_LETTERS, ENCODES_RUNNING, ENCODES_WAITING, QUEUE_MESSAGES, QUEUE_OLDEST,
    Registry,
};

use crate::door::is_loopback;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Where it is.
pub const PATH: &str = "/metrics";

/// The name of the template that is there from the start.
const BUILT_IN: &str = "default";

/// Headers that proxies add: a client behind one is not on this machine.
const FORWARDED: [&str; 7] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
];

/// Counts since the stack has started, and whom to ask for the rest. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    counted: Arc<Mutex<Registry>>,
    queues: Queues,
    watched: &'static [&'static str],
}

impl Metrics {
    /// Watches the queues of these names, and their dead letters.
    pub fn new(queues: Queues, watched: &'static [&'static str]) -> Self {
        let mut counted = Registry::default();
        counted.know(BUILT_IN);
        Self {
            counted: Arc::new(Mutex::new(counted)),
            queues,
            watched,
        }
    }

    /// Counts outcomes.
    pub fn meter(&self) -> Meter {
        let counted = Arc::clone(&self.counted);
        Meter::new(move |outcome| {
            counted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .count(outcome);
        })
    }

    /// Takes the requests for metrics out of those that go to `router`, its fallback included.
    pub fn before(&self, mediaconvert: MediaConvert, router: Router) -> Router {
        router.layer(from_fn_with_state((self.clone(), mediaconvert), divert))
    }

    async fn render(&self, mediaconvert: &MediaConvert) -> Result<String, Error> {
        let mut registry = self
            .counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for queue in self.watched {
            let depth = self.queues.depth(queue).await?;
            let dead = self.queues.depth(&dead_letter_name(queue)).await?.counts;
            let queue = (*queue).to_owned();
            for (state, count) in [
                ("visible", depth.counts.visible),
                ("in_flight", depth.counts.in_flight),
            ] {
                let labels = vec![queue.clone(), state.to_owned()];
                registry.add(&QUEUE_MESSAGES, labels, count.into());
            }
            registry.add(&QUEUE_OLDEST, vec![queue.clone()], depth.oldest.as_secs_f64());
            registry.add(&DEAD_LETTERS, vec![queue], (dead.visible + dead.in_flight).into());
        }
        let (waiting, running) = mediaconvert.store().active(None).await?;
        registry.add(&ENCODES_RUNNING, vec![], running.into());
        registry.add(&ENCODES_WAITING, vec![], waiting.into());
        Ok(registry.render())
    }
}

async fn divert(
    State((metrics, mediaconvert)): State<(Metrics, MediaConvert)>,
    request: Request,
    next: Next,
) -> Response {
    if !is_scrape(request.method(), request.uri(), request.headers()) || !is_from_here(&request) {
        return next.run(request).await;
    }
    match metrics.render(&mediaconvert).await {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(error = vod_aws::chain(&*error), "failed to collect metrics");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// An unsigned GET of just this path. S3 would refuse it; a bucket of that name is reached by signed requests.
fn is_scrape(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        && uri.path() == PATH
        && uri.query().is_none()
        && !headers.contains_key(AUTHORIZATION)
}

/// Whether a program on this machine asks, under a name of this machine (a page in its browser could ask under another).
fn is_from_here(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let headers = request.headers();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
        && headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .is_some_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt as _;
    use local_mediaconvert::Settings;
    use tower::ServiceExt as _;
    use vod_core::metrics::{Outcome, What};
    use vod_testkit::{TestState, aws};

    use super::*;

    const HERE: &str = "127.0.0.1:5000";

    /// Metrics before a router that refuses everything, as S3 refuses it.
    async fn metrics(state: &TestState) -> (Metrics, Router) {
        let s3 = vod_aws::s3(&aws("http://127.0.0.1:9"));
        let settings = Settings::new("us-east-1", "job-events", state.file("work"));
        let (db, queues) = (state.db.clone(), state.queues.clone());
        let mediaconvert = MediaConvert::open(db, queues, local_base::clock::system(), s3, settings)
            .await
            .unwrap();
        let metrics = Metrics::new(state.queues.clone(), &["uploads"]);
        let router = Router::new().fallback(async || StatusCode::FORBIDDEN);
        let router = metrics.before(mediaconvert, router);
        (metrics, router)
    }

    async fn ask(router: &Router, peer: &str, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let mut request = Request::get(path).header(HOST, "localhost:9000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn metrics_are_for_programs_on_this_machine() {
        let state = TestState::new().await;
        let (_, router) = metrics(&state).await;
        for peer in [HERE, "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
            assert_eq!(ask(&router, peer, PATH, &[]).await.0, StatusCode::OK, "{peer}");
        }
        for peer in ["192.0.2.1:5000", "10.0.0.1:5000", "[2001:db8::1]:5000"] {
            assert_eq!(
                ask(&router, peer, PATH, &[]).await.0,
                StatusCode::FORBIDDEN,
                "{peer}"
            );
        }
        // A proxy's or a tunnel's own address is of this machine, too.
        for name in FORWARDED {
            let (status, _) = ask(&router, HERE, PATH, &[(name, "203.0.113.7")]).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{name}");
        }
        // What is signed is S3's, and so are all other paths.
        let signed = [("authorization", "AWS4-HMAC-SHA256 …")];
        assert_eq!(ask(&router, HERE, PATH, &signed).await.0, StatusCode::FORBIDDEN);
        for path in ["/metrics?list-type=2", "/metrics/", "/metrics/key", "/"] {
            assert_eq!(
                ask(&router, HERE, path, &[]).await.0,
                StatusCode::FORBIDDEN,
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn outcomes_and_queue_depths_are_shown() {
        let state = TestState::new().await;
        let (metrics, router) = metrics(&state).await;
        let queues = state.queues.clone();
        let meter = metrics.meter();
        for _ in 0..2 {
            let (what, subject) = (What::Ignored, None);
            meter.tell(&Outcome { what, subject });
        }
        queues.send("uploads", "a".into()).await.unwrap();
        queues.send("uploads", "b".into()).await.unwrap();
        queues.send("uploads-dlq", "c".into()).await.unwrap();
        state.queue("uploads").receive(1).await.unwrap();
        let (_, text) = ask(&router, HERE, PATH, &[]).await;
        for line in [
            "vod_uploads_ignored_total 2",
            "vod_queue_messages{queue=\"uploads\",state=\"visible\"} 1",
            "vod_queue_messages{queue=\"uploads\",state=\"in_flight\"} 1",
            "vod_dead_letters{queue=\"uploads\"} 1",
            "vod_encodes_running 0",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in {text}");
        }
        assert!(!text.contains("age_seconds{queue=\"uploads\"} 0\n"), "{text}");
        // Gauges are of the moment: a second look adds nothing up.
        let (_, again) = ask(&router, HERE, PATH, &[]).await;
        assert!(
            again.contains("vod_dead_letters{queue=\"uploads\"} 1\n"),
            "{again}"
        );
    }
}
