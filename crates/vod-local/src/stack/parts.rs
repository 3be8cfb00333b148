//! The parts of a stack, each made from the same base: services, functions, and the queues between them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::SignedDuration;
use local_base::ACCOUNT;
use local_base::clock::{self, Clock};
use local_base::db::Db;
use local_base::fault::Faults;
use local_base::queue::{QueueSettings, Queues};
use local_base::sigv4::Keys;
use local_edge::EdgeOptions;
use local_edge::web_origin::WebOrigin;
use local_lambda::events::{Backoff, Delivery, Invoker, Poller};
use local_lambda::{Functions, Limits};
use local_mediaconvert::{MediaConvert, Settings};
use local_s3::{Expiration, Notification, S3Options, S3Service};
use pipeline::{Complete, Config, Delays, Manage, Reconcile, Services, Submit, Uploads};
use signer::{App, Parts, Scheme};
use tokio::net::TcpListener;
use transcode::exec::Limits as EncodeLimits;
use vod_aws::{AwsConfig, Catalog};
use vod_core::queues::{JOB_EVENTS, UPLOADS};
use vod_http::Secret;
use vod_http::auth::{Auth, Expected};
use vod_state::endpoints::{Endpoints, Programs};
use vod_state::secrets::{ALL_SCOPES, ChosenSecret, Secrets};

use super::ground::url;
use super::{BUCKET, REGION, StackOptions};
use crate::metrics::Metrics;
use crate::rotation::SigningKeys;
use crate::sqs::Sqs;

const ACCESS_KEY: &str = "vod";
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The stack's own token is good for a year.
const TOKEN_SECONDS: i64 = 365 * 24 * 3600;
/// The page's token is valid for less: it is printed to a terminal, from which people copy.
const PAGE_SCOPES: &str = "library playback upload";
const PAGE_TOKEN_SECONDS: i64 = 30 * 24 * 3600;
/// Uploads are submitted four at a time, which is more than one machine encodes.
const SUBMIT: Limits = limits(Duration::from_mins(1), 4);
const COMPLETE: Limits = limits(Duration::from_secs(30), 4);
const SIGNER: Limits = limits(Duration::from_secs(10), 64);
const OWNER: Limits = limits(Duration::from_secs(30), 64);
/// Events are under way for seconds here, and the user is waiting.
const DELAYS: Delays = Delays {
    grace: SignedDuration::from_mins(1),
    retry: SignedDuration::from_secs(20),
};
/// One at a time: two would find the same things.
const RECONCILE: Limits = limits(Duration::from_mins(5), 1);
const QUEUE: QueueSettings = QueueSettings {
    // As the AWS documentation asks: six times the function's timeout.
    visibility_timeout: Duration::from_mins(6),
    max_receive_count: 5,
};
/// A person waits here, so a failed delivery comes again sooner than on AWS.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(30),
};

const fn limits(timeout: Duration, concurrency: usize) -> Limits {
    Limits { timeout, concurrency }
}

/// What all parts are made of.
pub(super) struct Base {
    pub(super) state: PathBuf,
    pub(super) api_url: String,
    pub(super) edge_url: String,
    pub(super) public_url: Option<String>,
    pub(super) allowed_origins: Vec<WebOrigin>,
    /// Where the edge listens.
    edge_address: SocketAddr,
    pub(super) keys: Keys,
    pub(super) aws: AwsConfig,
    pub(super) secrets: Secrets,
    pub(super) signing_keys: SigningKeys,
    pub(super) db: Db,
    pub(super) queues: Queues,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) faults: Option<Faults>,
}

impl Base {
    pub(super) async fn open(
        options: &StackOptions,
        api: &TcpListener,
        edge: &TcpListener,
    ) -> anyhow::Result<Self> {
        let api_url = url(api)?;
        let edge_url = match &options.edge_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => url(edge)?,
        };
        let clock = clock::system();
        local_s3::check_state(&options.state)?;
        let secrets = Secrets::open(&options.state)?;
        let keys = Keys {
            access_key: ACCESS_KEY.into(),
            secret_key: options
                .secret
                .as_ref()
                .map_or(secrets.secret_key.as_str(), ChosenSecret::as_str)
                .to_owned(),
            region: REGION.into(),
        };
        let db = Db::open(&options.state.join("vod.db")).context("failed to open the state")?;
        let queues = Queues::open(db.clone(), clock.clone()).await?;
        queues.release().await?;
        Ok(Self {
            state: options.state.clone(),
            aws: AwsConfig {
                region: REGION.to_owned(),
                access_key_id: ACCESS_KEY.to_owned(),
                secret_access_key: keys.secret_key.clone(),
                session_token: None,
                s3_endpoint: Some(api_url.clone()),
                mediaconvert_endpoint: Some(api_url.clone()),
            },
            keys,
            signing_keys: SigningKeys::new(&options.state, &secrets)?,
            secrets,
            api_url,
            edge_url,
            public_url: options.edge_url.clone(),
            allowed_origins: options.allowed_origins.clone(),
            edge_address: edge.local_addr().context("the edge has no address")?,
            db,
            metrics: Metrics::new(queues.clone(), &[UPLOADS, JOB_EVENTS]),
            queues,
            clock,
            faults: Faults::open(&options.faults, &options.state)?,
        })
    }

    pub(super) async fn s3(&self) -> anyhow::Result<S3Service> {
        let uploads = Notification {
            bucket: BUCKET.into(),
            prefix: vod_core::keys::INPUT.into(),
            queue: UPLOADS.into(),
        };
        let options = S3Options {
            clock: self.clock.clone(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: self.keys.secret_key.clone(),
            region: REGION.to_owned(),
            notifications: vec![uploads],
            cors_origins: self.page_origins(),
            expirations: [
                (vod_core::keys::TRASH, vod_core::removal::KEPT),
                // As in infra/template.yaml: a day after they have ended.
                (vod_core::keys::UPLOADS, vod_core::upload::VALID + DAY),
            ]
            .map(|(prefix, after)| Expiration {
                bucket: BUCKET.to_owned(),
                prefix: prefix.to_owned(),
                after,
            })
            .to_vec(),
        };
        let s3 = S3Service::open(self.db.clone(), self.queues.clone(), &self.state, options).await?;
        s3.ensure_bucket(BUCKET).await?;
        Ok(s3)
    }

    /// Whose pages may use the API: the edge's own, by each of its names, and those that were allowed.
    pub(super) fn page_origins(&self) -> Vec<String> {
        let allowed = self.allowed_origins.iter().map(ToString::to_string);
        let mut origins: Vec<_> = std::iter::once(self.edge_url.clone()).chain(allowed).collect();
        let ip = self.edge_address.ip();
        if ip.is_loopback() || ip.is_unspecified() {
            let port = self.edge_address.port();
            let names = ["127.0.0.1", "localhost", "[::1]"];
            origins.extend(names.map(|name| format!("http://{name}:{port}")));
        }
        origins
    }

    pub(super) fn sqs(&self) -> Sqs {
        let served = [(UPLOADS, QUEUE), (JOB_EVENTS, QUEUE)];
        Sqs::new(self.queues.clone(), self.keys.clone(), &self.api_url, &served)
    }

    pub(super) async fn mediaconvert(&self, options: &StackOptions) -> anyhow::Result<MediaConvert> {
        let settings = Settings {
            concurrency: options.jobs,
            limits: EncodeLimits {
                play_time: options.play_time,
                ..EncodeLimits::default()
            },
            faults: self.faults.clone(),
            ..Settings::new(REGION, JOB_EVENTS, self.state.join("work"))
        };
        let (db, queues, clock) = (self.db.clone(), self.queues.clone(), self.clock.clone());
        Ok(MediaConvert::open(
            db,
            queues,
            clock,
            vod_aws::s3(&self.role("mediaconvert")),
            settings,
        )
        .await?)
    }

    /// The functions as Lambda would host them: the same crates, with addresses of this machine.
    pub(super) fn functions(&self) -> anyhow::Result<Functions> {
        let config = Config::local(BUCKET)?;
        let complete = Complete::new(self.services("complete"), config.jobs.application.clone());
        let services = self.services("reconcile");
        let reconcile = Submit::new(services.clone(), config.clone());
        let reconcile = Reconcile::new(services, reconcile, DELAYS);
        let submit = Submit::new(self.services("submit"), config);
        let (submit, complete, reconcile) = (Arc::new(submit), Arc::new(complete), Arc::new(reconcile));
        let signer = signer::router(self.signer()?);
        let owner = owner::router(self.owner()?);
        let functions = Functions::builder(REGION)
            .function("submit", SUBMIT, move |event| {
                let submit = Arc::clone(&submit);
                async move { submit::handle(&submit, submit::DEFAULT_MAX_RECEIVES, event).await }
            })
            .function("complete", COMPLETE, move |event| {
                let complete = Arc::clone(&complete);
                async move { complete::handle(&complete, event).await }
            })
            .function("reconcile", RECONCILE, move |event| {
                let reconcile = Arc::clone(&reconcile);
                async move { reconcile::handle(&reconcile, event).await }
            })
            .http("signer", SIGNER, signer)
            .http("owner", OWNER, owner);
        Ok(functions.build())
    }

    /// The credentials of one part, which have its name as their session token, for the access log.
    fn role(&self, part: &str) -> AwsConfig {
        AwsConfig {
            session_token: Some(part.to_owned()),
            ..self.aws.clone()
        }
    }

    /// The clients of one function. With faults on, its invocations can die at a call.
    fn services(&self, function: &str) -> Services {
        let aws = self.role(function);
        let mut http = vod_aws::http();
        if let Some(faults) = &self.faults {
            http = faults.deadly(http);
        }
        let mediaconvert = vod_aws::mediaconvert_over(http.clone(), &aws);
        let mediaconvert = vod_aws::MediaConvert::new(mediaconvert);
        let services = Services::new(vod_aws::s3_over(http, &aws), mediaconvert, BUCKET);
        services.metered(self.metrics.meter())
    }

    fn signer(&self) -> anyhow::Result<App> {
        let s3 = vod_aws::s3(&self.role("signer"));
        let scheme = if self.edge_url.starts_with("https://") {
            Scheme::Https
        } else {
            Scheme::Http
        };
        Ok(App::new(Parts {
            catalog: Catalog::new(s3.clone(), BUCKET.to_owned()),
            outputs: vod_aws::Bucket::new(s3, BUCKET),
            bucket: BUCKET.to_owned(),
            signing: Secret::watched(self.signing_keys.signing()),
            auth: self.auth()?,
            scheme,
            clock: self.clock.clone(),
        }))
    }

    fn owner(&self) -> anyhow::Result<owner::App> {
        let aws = self.role("owner");
        let services = Services::connect(&aws, BUCKET);
        let queue = vod_aws::Queue::new(&aws, format!("{}/{ACCOUNT}/{UPLOADS}", self.api_url));
        let edge = vod_aws::Edge::at(&aws, self.api_url.clone());
        Ok(owner::App::new(owner::Parts {
            uploads: Uploads::new(vod_aws::Bucket::new(services.s3.clone(), BUCKET)),
            manage: Manage::new(services, BUCKET, queue, edge),
            auth: self.auth()?,
            clock: self.clock.clone(),
        }))
    }

    fn auth(&self) -> anyhow::Result<Secret<Auth>> {
        let auth = Auth::hs256(&self.secrets.jwt_secret, Expected::default())?;
        Ok(Secret::fixed(auth))
    }

    pub(super) fn edge(&self, cache: local_edge::Cache) -> anyhow::Result<EdgeOptions> {
        let public_url = self.public_url.as_deref().map(str::parse).transpose();
        Ok(EdgeOptions {
            api_url: self.api_url.clone(),
            bucket: BUCKET.to_owned(),
            keys: self.keys.clone(),
            trusted: self.signing_keys.trusted(),
            edge_url: public_url.context("--edge-url is not of the form https://host[:port]")?,
            allowed_origins: self.allowed_origins.clone(),
            cache,
            clock: self.clock.clone(),
        })
    }

    pub(super) fn invoker(&self) -> Invoker {
        Invoker::new(&self.api_url, self.keys.clone())
    }

    pub(super) fn pollers(&self) -> Vec<Poller> {
        let invoker = self.invoker();
        let poller = |queue: &str, function: &str, delivery, concurrency| Poller {
            queue: self.queues.queue(queue, QUEUE),
            function: function.to_owned(),
            delivery,
            concurrency,
            backoff: Some(BACKOFF),
            invoker: invoker.clone(),
            faults: self.faults.clone(),
        };
        vec![
            poller(UPLOADS, "submit", Delivery::SqsBatch(1), SUBMIT.concurrency),
            poller(JOB_EVENTS, "complete", Delivery::Bare, COMPLETE.concurrency),
        ]
    }

    /// The token is in the fragment, which browsers never send.
    pub(super) fn page(&self) -> anyhow::Result<String> {
        let token = self.secrets.token(PAGE_SCOPES, &[], PAGE_TOKEN_SECONDS)?;
        Ok(format!("{}/#token={token}", self.edge_url))
    }

    pub(super) fn endpoints(&self) -> anyhow::Result<Endpoints> {
        Ok(Endpoints {
            api: self.api_url.clone(),
            edge: self.edge_url.clone(),
            bucket: BUCKET.to_owned(),
            region: REGION.to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: self.keys.secret_key.clone(),
            token: self.secrets.token(ALL_SCOPES, &[], TOKEN_SECONDS)?,
            programs: Some(Programs::find()),
        })
    }
}
