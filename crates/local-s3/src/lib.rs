//! The S3 of the local stack: `s3s` speaks the protocol, this crate is the store behind it.
//!
//! - `request`, `operations`: from the wire to the modules below.
//! - `objects`, `delete`, `copy`, `multipart`, `complete`, `listing`, `uploads`, `buckets`: the operations.
//! - `conditions`, `checksum`, `headers`, `events`, `cors`: rules, pure.
//! - `store`, `index`, `parts`, `pages`, `blobs`, `receive`, `reader`: rows and files.
//! - `start`, `generation`, `sweep`: check that rows and files belong together; `upkeep`, `reserve`: periodic work.
//!
//! Guarantees: a write and its event are stored together or not at all, whenever the process is killed; a conditional write holds
//! under any number of writers; nothing is visible before its digests are verified; replacing an object does not cut its downloads
//! short.
//!
//! Everything else is answered with 501 `NotImplemented`: versioning (`versionId=null` only), ACLs
//! and policies, encryption, tags, object lock, storage classes other than STANDARD, lifecycle, access points,
//! virtual-hosted addressing. There is one access key; anonymous requests are denied.

mod blobs;
mod buckets;
mod checksum;
mod chunks;
mod complete;
mod conditions;
mod copy;
mod cors;
mod delete;
mod error;
mod events;
mod forms;
mod generation;
mod guard;
mod headers;
mod index;
mod listing;
mod multipart;
mod objects;
mod operations;
mod pages;
mod parts;
mod reader;
mod receive;
mod request;
mod reserve;
mod start;
mod store;
mod sweep;
mod upkeep;
mod uploads;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderValue, Request, Response, StatusCode};
use jiff::SignedDuration;
use local_base::clock::Clock;
use local_base::db::Db;
use local_base::queue::Queues;
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use vod_ids as ids;

use self::cors::Cors;
use self::events::Requester;
use self::forms::{Forms, Policies};
use self::guard::Refused;
use self::operations::Operations;
use self::store::Store;

/// The account that owns everything; `x-amz-expected-bucket-owner` is compared with it.
pub const ACCOUNT_ID: &str = "000000000000";

/// The canonical user id of that account, as in listings and events.
pub(crate) const OWNER_ID: &str = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a";

/// From the end of one pass of upkeep to the next. A pass with nothing to do costs less than a millisecond.
const UPKEEP_PERIOD: Duration = Duration::from_secs(10);

/// Which created objects are announced, and where.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The bucket that is watched.
    pub bucket: String,
    /// Keys that start so are announced.
    pub prefix: String,
    /// The queue that gets the messages.
    pub queue: String,
}

impl Notification {
    fn wants(&self, bucket: &str, key: &str) -> bool {
        self.bucket == bucket && key.starts_with(&self.prefix)
    }
}

/// How the service is set up.
pub struct S3Options {
    /// The one access key that is let in.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The region of all buckets.
    pub region: String,
    /// What is announced.
    pub notifications: Vec<Notification>,
    /// Origins whose pages may use the endpoint; `*` for all.
    pub cors_origins: Vec<String>,
    /// Objects that go by themselves after a time, as by lifecycle rules.
    pub expirations: Vec<Expiration>,
    /// Where `Last-Modified` comes from.
    pub clock: Clock,
}

/// A lifecycle rule: what is below a prefix is deleted some time after it was written.
#[derive(Debug, Clone)]
pub struct Expiration {
    pub bucket: String,
    pub prefix: String,
    pub after: SignedDuration,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
#[error("failed to open the object store")]
pub struct OpenError(#[source] error::OperationError);

/// Why the store could not be tidied up.
#[derive(Debug, thiserror::Error)]
#[error("failed to tidy up the object store")]
pub struct UpkeepError(#[source] error::OperationError);

/// Refuses to start a new index in a state folder whose content files have lost theirs. Call it before the database
/// is opened: opening makes an empty one, and throws a write-ahead log without its database away.
pub fn check_state(state_dir: &Path) -> Result<(), OpenError> {
    start::check(state_dir).map_err(OpenError)
}

/// The S3 endpoint as a tower service. Cheap to clone; mount it as the fallback of the API port's router.
///
/// Everything of s3s runs without a log subscriber: at its debug level it writes whole requests, with
/// `Authorization` and signatures. Our own errors are logged all the same.
#[derive(Clone)]
pub struct S3Service {
    protocol: s3s::service::S3Service,
    store: Store,
    cors: Arc<Cors>,
    forms: Arc<Forms>,
    region: Arc<str>,
}

impl S3Service {
    /// Opens the store in `state_dir` and settles what an interrupted run left behind.
    pub async fn open(
        db: Db,
        queues: Queues,
        state_dir: &Path,
        options: S3Options,
    ) -> Result<Self, OpenError> {
        let store = Store::open(db, queues, state_dir, &options)
            .await
            .map_err(OpenError)?;
        let log = tracing::dispatcher::get_default(Clone::clone);
        let mut builder = S3ServiceBuilder::new(Operations {
            store: store.clone(),
            log,
        });
        builder.set_auth(OneKey {
            access_key: options.access_key,
            secret_key: options.secret_key.into(),
        });
        builder.set_access(Policies {
            region: options.region,
        });
        let mut config = S3Config::default();
        config.post_object_max_file_size = forms::MAX_FILE;
        config.form_max_field_size = forms::MAX_FIELD;
        config.form_max_fields_size = forms::MAX_FIELDS;
        config.xml_max_body_size = guard::MAX_XML;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        Ok(Self {
            protocol: builder.build(),
            region: Arc::clone(&store.region),
            store,
            cors: Arc::new(Cors::new(options.cors_origins)),
            forms: Arc::new(Forms::new()),
        })
    }

    /// Makes sure that the bucket exists.
    pub async fn ensure_bucket(&self, name: &str) -> Result<(), OpenError> {
        buckets::ensure(&self.store, name.to_owned())
            .await
            .map_err(OpenError)?;
        Ok(())
    }

    /// Restores the reserve, and removes what was abandoned or set aside days ago.
    pub async fn tidy_up(&self) -> Result<(), UpkeepError> {
        self.store.tidy_up().await.map_err(UpkeepError)
    }

    /// Tidies up now and every few seconds, until `shutdown`.
    pub async fn upkeep(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.tidy_up().await {
                tracing::error!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "upkeep failed"
                );
            }
            let pause = tokio::time::sleep(UPKEEP_PERIOD);
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    async fn handle(self, mut request: Request<Body>) -> Response<Body> {
        let requester = requester(&request);
        let mut response = if let Some(response) = self.cors.preflight(&request) {
            response
        } else {
            let origin = self.cors.allowed(request.headers());
            request.extensions_mut().insert(requester.clone());
            let method = request.method().clone();
            let answered = self.guarded(request).await;
            let mut response = answered.unwrap_or_else(|refused| refused.respond(&method));
            if let Some(origin) = origin {
                cors::expose(response.headers_mut(), origin);
            }
            response
        };
        let headers = response.headers_mut();
        for (name, value) in [
            ("x-amz-request-id", &requester.request_id),
            ("x-amz-id-2", &requester.host_id),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        headers.insert(http::header::SERVER, HeaderValue::from_static("AmazonS3"));
        response
    }

    /// Lets s3s answer what [`guard`] finds nothing against.
    async fn guarded(&self, request: Request<Body>) -> Result<Response<Body>, Refused> {
        let (parts, body) = request.into_parts();
        guard::check(&parts, &self.region)?;
        let _room = if guard::is_form(&parts) {
            Some(self.forms.admit(&parts.headers)?)
        } else {
            None
        };
        let body = chunks::watched(&parts.headers, body);
        Ok(self.protocol(Request::from_parts(parts, body)).await)
    }

    async fn protocol(&self, request: Request<Body>) -> Response<Body> {
        let request = request.map(s3s::Body::http_body_unsync);
        let answered = self
            .protocol
            .call(request)
            .with_subscriber(NoSubscriber::default())
            .await;
        answered.map_or_else(
            |error| {
                tracing::error!(?error, "s3 answer could not be written");
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            },
            |response| response.map(Body::new),
        )
    }
}

fn requester(request: &Request<Body>) -> Requester {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    Requester {
        access_key: String::new(),
        request_id: ids::letters(16).to_uppercase(),
        host_id: ids::letters(56),
        source_ip: peer.map_or_else(
            || "127.0.0.1".to_owned(),
            |ConnectInfo(peer)| peer.ip().to_string(),
        ),
    }
}

impl tower::Service<Request<Body>> for S3Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}

/// Knows one access key, and says what S3 says about any other.
struct OneKey {
    access_key: String,
    secret_key: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            return Ok(self.secret_key.clone());
        }
        let text = "The AWS Access Key Id you provided does not exist in our records.";
        Err(s3_error!(InvalidAccessKeyId, "{text}"))
    }
}
