//! The whole stack in one process: services, functions, and the queues between them.

use std::fs::{self, File, TryLockError};
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::serve::ListenerExt as _;
use complete::Complete;
use reconcile::Reconcile;
use signer::auth::{Auth, Expected};
use signer::{App, Parts, Scheme, Secret};
use submit::Submit;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transcode::exec::Limits as EncodeLimits;
use vod_aws::{AwsConfig, Catalog};

use crate::access::{AccessLog, Port};
use crate::clock::{self, Clock};
use crate::cloudfront;
use crate::db::Db;
use crate::edge::{self, EdgeOptions};
use crate::endpoints::Endpoints;
use crate::events::{Backoff, Delivery, Invoker, Poller};
use crate::fault::Faults;
use crate::lambda::{Functions, Limits};
use crate::mediaconvert::{MediaConvert, Settings};
use crate::metrics::Metrics;
use crate::queue::{QueueSettings, Queues};
use crate::reconciler;
use crate::rotation::SigningKeys;
use crate::s3::{Notification, S3Options, S3Service};
use crate::secrets::{ALL_SCOPES, Secrets};
use crate::sigv4::Keys;
use crate::sqs::Sqs;
use crate::web;

/// The one bucket.
pub const BUCKET: &str = "vod";
/// What the local services take for a region.
pub const REGION: &str = "us-east-1";
const ACCESS_KEY: &str = "vod";
const SECRET_KEY: &str = "vod-local-secret";
/// Looks at the state folder's lock before another stack is believed to hold it; 50 ms between two.
const LOCK_TRIES: u32 = 20;
/// Uploads on their way to `submit`.
const UPLOADS: &str = "uploads";
/// MediaConvert's events on their way to `complete`.
const JOB_EVENTS: &str = "job-events";
/// The stack's own token is good for a year.
const TOKEN_SECONDS: i64 = 365 * 24 * 3600;
/// The page's token is less than that: it stands in a terminal, and what stands there gets copied.
const PAGE_SCOPES: &str = "library playback";
const PAGE_TOKEN_SECONDS: i64 = 30 * 24 * 3600;
/// Uploads are submitted four at a time, which is more than one machine encodes.
const SUBMIT: Limits = Limits {
    timeout: Duration::from_mins(1),
    concurrency: 4,
};
const COMPLETE: Limits = Limits {
    timeout: Duration::from_secs(30),
    concurrency: 4,
};
const SIGNER: Limits = Limits {
    timeout: Duration::from_secs(10),
    concurrency: 64,
};
/// One at a time: two would find the same things.
const RECONCILE: Limits = Limits {
    timeout: Duration::from_mins(5),
    concurrency: 1,
};
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
/// `STATUS_UPDATE` events of a job are this far apart at least.
const STATUS_INTERVAL: Duration = Duration::from_secs(2);

/// What `vod up` can be told.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The folder of everything that survives a restart.
    pub state: PathBuf,
    /// Port 0 picks a free one.
    pub api: SocketAddr,
    pub edge: SocketAddr,
    /// How viewers reach the edge, where that is not its address: `https://video.example.org`.
    pub edge_url: Option<String>,
    /// Encodes at one time.
    pub jobs: usize,
    /// Faults on purpose, and files of them, see [`crate::fault::SYNTAX`].
    pub faults: Vec<String>,
}

/// A running stack. Dropping it stops everything at once, which loses nothing.
#[derive(Debug)]
pub struct Stack {
    endpoints: Endpoints,
    page: PageLink,
    faults: Option<Faults>,
    state: PathBuf,
    shutdown: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    /// Held for as long as the process lives; the system lets go of it whatever happens.
    _lock: File,
}

/// Kept out of `Debug`: there is a token in it.
struct PageLink(String);

impl std::fmt::Debug for PageLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageLink")
    }
}

/// What all parts are made of.
struct Base {
    state: PathBuf,
    api_url: String,
    edge_url: String,
    public_url: Option<String>,
    keys: Keys,
    aws: AwsConfig,
    secrets: Secrets,
    signing_keys: SigningKeys,
    db: Db,
    queues: Queues,
    metrics: Metrics,
    clock: Clock,
    faults: Option<Faults>,
}

impl Stack {
    /// Starts everything. When this returns, uploads are taken and `endpoints.json` is written.
    pub async fn start(options: StackOptions) -> anyhow::Result<Self> {
        let lock = lock(&options.state)?;
        Endpoints::remove(&options.state)?;
        let access_log =
            AccessLog::open(&options.state.join("access.log")).context("failed to open the access log")?;
        let (api, edge) = (listen(options.api).await?, listen(options.edge).await?);
        let base = Base::open(&options, &api, &edge).await?;
        let s3 = base.s3().await?;
        let mediaconvert = base.mediaconvert(options.jobs).await?;
        let functions = base.functions()?;
        let cache = edge::Cache::default();
        let routes = functions
            .router(&base.keys)
            .merge(mediaconvert.router(&base.keys))
            .merge(cloudfront::router(cache.clone(), &base.keys, base.clock.clone()));
        let mut services = base.sqs().before(routes.fallback_service(s3));
        if let Some(faults) = &base.faults {
            services = faults.around(services);
        }
        let api_router = access_log.watch(services, Port::Api);
        // Before the log, which is about calls between the parts: a scrape every few seconds is none.
        let api_router = base.metrics.before(mediaconvert.clone(), api_router);
        let edge_router = access_log.watch(edge::router(base.edge(cache)?), Port::Edge);

        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(api, api_router, shutdown.clone()));
        web::publish(&vod_aws::s3(&base.aws), BUCKET).await?;
        let endpoints = base.endpoints()?;
        endpoints.write(&base.state)?;
        // The edge answers /healthz from here on: only now, when the file is there.
        tasks.spawn(serve(edge, edge_router, shutdown.clone()));
        for poller in base.pollers() {
            let shutdown = shutdown.clone();
            tasks.spawn(async move {
                poller.run(shutdown).await;
                Ok(())
            });
        }
        let stop = shutdown.clone();
        tasks.spawn(async move {
            mediaconvert.run(stop).await;
            Ok(())
        });
        let (invoker, stop) = (base.invoker(), shutdown.clone());
        tasks.spawn(async move {
            reconciler::run(invoker, stop).await;
            Ok(())
        });
        let page = base.page()?;
        tasks.spawn(follow(base.signing_keys, shutdown.clone()));
        if let Some(faults) = &base.faults {
            // Not before: a stack comes up whatever it is to suffer.
            faults.arm();
            let (faults, stop) = (faults.clone(), shutdown.clone());
            tasks.spawn(async move {
                faults.follow(stop).await;
                Ok(())
            });
        }
        Ok(Self {
            endpoints,
            page,
            faults: base.faults,
            state: base.state,
            shutdown,
            tasks,
            _lock: lock,
        })
    }

    /// Where everything is.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The link that opens the page: whoever has it may watch everything.
    pub fn page(&self) -> &str {
        &self.page.0
    }

    /// The faults that it was started with.
    pub fn faults(&self) -> Option<&Faults> {
        self.faults.as_ref()
    }

    /// Runs until `shutdown` ends or a part fails, then stops.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            ended = self.tasks.join_next() => match ended {
                Some(Ok(Ok(()))) | None => Err(anyhow::anyhow!("a part of the stack stopped by itself")),
                Some(Ok(Err(error))) => Err(error),
                Some(Err(panic)) => Err(panic).context("a part of the stack failed"),
            },
        };
        Endpoints::remove(&self.state)?;
        self.shutdown.cancel();
        // Connections that stay open must not keep the stack from stopping: being killed is safe anyway.
        let _ = tokio::time::timeout(Duration::from_secs(5), async {
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
        ended
    }
}

impl Base {
    async fn open(options: &StackOptions, api: &TcpListener, edge: &TcpListener) -> anyhow::Result<Self> {
        let api_url = url(api)?;
        let edge_url = match &options.edge_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => url(edge)?,
        };
        let clock = clock::system();
        let secrets = Secrets::open(&options.state)?;
        let db = Db::open(&options.state.join("vod.db")).context("failed to open the state")?;
        let queues = Queues::open(db.clone(), clock.clone()).await?;
        queues.release().await?;
        Ok(Self {
            state: options.state.clone(),
            keys: Keys {
                access_key: ACCESS_KEY.into(),
                secret_key: SECRET_KEY.into(),
                region: REGION.into(),
            },
            aws: AwsConfig {
                region: REGION.to_owned(),
                access_key_id: ACCESS_KEY.to_owned(),
                secret_access_key: SECRET_KEY.to_owned(),
                session_token: None,
                s3_endpoint: Some(api_url.clone()),
                mediaconvert_endpoint: Some(api_url.clone()),
            },
            signing_keys: SigningKeys::new(&options.state, &secrets)?,
            secrets,
            api_url,
            edge_url,
            public_url: options.edge_url.clone(),
            db,
            metrics: Metrics::new(queues.clone(), &[UPLOADS, JOB_EVENTS]),
            queues,
            clock,
            faults: Faults::open(&options.faults, &options.state)?,
        })
    }

    async fn s3(&self) -> anyhow::Result<S3Service> {
        let uploads = Notification {
            bucket: BUCKET.into(),
            prefix: vod_core::keys::INPUT.into(),
            queue: UPLOADS.into(),
        };
        let options = S3Options {
            clock: self.clock.clone(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            region: REGION.to_owned(),
            notifications: vec![uploads],
            cors_origins: vec![self.edge_url.clone()],
        };
        let s3 = S3Service::open(self.db.clone(), self.queues.clone(), &self.state, options).await?;
        s3.ensure_bucket(BUCKET).await?;
        Ok(s3)
    }

    fn sqs(&self) -> Sqs {
        let served = [(UPLOADS, QUEUE), (JOB_EVENTS, QUEUE)];
        Sqs::new(self.queues.clone(), self.keys.clone(), &self.api_url, &served)
    }

    async fn mediaconvert(&self, jobs: usize) -> anyhow::Result<MediaConvert> {
        let settings = Settings {
            region: REGION.to_owned(),
            events_queue: JOB_EVENTS.to_owned(),
            work: self.state.join("work"),
            concurrency: jobs,
            status_interval: STATUS_INTERVAL,
            limits: EncodeLimits::default(),
            faults: self.faults.clone(),
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
    fn functions(&self) -> anyhow::Result<Functions> {
        let (s3, mediaconvert) = self.clients("submit");
        let submit = Submit::with_clients(s3, mediaconvert, submit::Config::local(BUCKET)?);
        let submit = Arc::new(submit.metered(self.metrics.meter()));
        let config = complete::Config {
            bucket: BUCKET.to_owned(),
            application: "vod".to_owned(),
        };
        let complete = Complete::with_client(self.clients("complete").0, config);
        let complete = Arc::new(complete.metered(self.metrics.meter()));
        let (s3, mediaconvert) = self.clients("reconcile");
        let reconcile = Reconcile::with_clients(s3, mediaconvert, reconcile::Config::local(BUCKET)?);
        let reconcile = Arc::new(reconcile.metered(self.metrics.meter()));
        let signer = signer::router(self.signer()?);
        let functions = Functions::builder(REGION)
            .function("submit", SUBMIT, move |event| {
                let submit = Arc::clone(&submit);
                async move { submit.handle(event).await }
            })
            .function("complete", COMPLETE, move |event| {
                let complete = Arc::clone(&complete);
                async move { complete.handle(event).await }
            })
            .function("reconcile", RECONCILE, move |event| {
                let reconcile = Arc::clone(&reconcile);
                async move { reconcile.handle(event).await }
            })
            .http("signer", SIGNER, signer);
        Ok(functions.build())
    }

    /// The credentials of one part, which Lambda tells by their session token; so does the access log here.
    fn role(&self, part: &str) -> AwsConfig {
        AwsConfig {
            session_token: Some(part.to_owned()),
            ..self.aws.clone()
        }
    }

    /// A function's own. With faults on, its invocations can die at a call.
    fn clients(&self, function: &str) -> (aws_sdk_s3::Client, vod_aws::MediaConvert) {
        let aws = self.role(function);
        let mut http = vod_aws::http();
        if let Some(faults) = &self.faults {
            http = faults.deadly(http);
        }
        let mediaconvert = vod_aws::mediaconvert_over(http.clone(), &aws);
        (
            vod_aws::s3_over(http, &aws),
            vod_aws::MediaConvert::new(mediaconvert),
        )
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
            s3,
            bucket: BUCKET.to_owned(),
            output_bucket: BUCKET.to_owned(),
            signing: Secret::watched(self.signing_keys.signing()),
            auth: Secret::fixed(Auth::hs256(&self.secrets.jwt_secret, Expected::default())?),
            scheme,
            clock: self.clock.clone(),
        }))
    }

    fn edge(&self, cache: edge::Cache) -> anyhow::Result<EdgeOptions> {
        let public_url = self.public_url.as_deref().map(str::parse).transpose();
        Ok(EdgeOptions {
            api_url: self.api_url.clone(),
            bucket: BUCKET.to_owned(),
            keys: self.keys.clone(),
            trusted: self.signing_keys.trusted(),
            edge_url: public_url.context("--edge-url is not of the form https://host[:port]")?,
            cache,
            clock: self.clock.clone(),
        })
    }

    fn invoker(&self) -> Invoker {
        Invoker::new(&self.api_url, self.keys.clone())
    }

    fn pollers(&self) -> Vec<Poller> {
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

    /// The token is in the fragment, which browsers send to nobody.
    fn page(&self) -> anyhow::Result<PageLink> {
        let token = self.secrets.token(PAGE_SCOPES, &[], PAGE_TOKEN_SECONDS)?;
        Ok(PageLink(format!("{}/#token={token}", self.edge_url)))
    }

    fn endpoints(&self) -> anyhow::Result<Endpoints> {
        Ok(Endpoints {
            api: self.api_url.clone(),
            edge: self.edge_url.clone(),
            bucket: BUCKET.to_owned(),
            region: REGION.to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            token: self.secrets.token(ALL_SCOPES, &[], TOKEN_SECONDS)?,
        })
    }
}

/// Makes the state folder, for its owner alone, and takes it for this process.
fn lock(state: &Path) -> anyhow::Result<File> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(state);
    created.with_context(|| format!("failed to make the state folder {}", state.display()))?;
    let path = state.join("lock");
    let file = File::create(&path).with_context(|| format!("failed to open {}", path.display()))?;
    let mut tries = 0;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A process that was killed leaves its lock to a child it was just about to start, for a moment.
            Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => bail!(
                "another `vod up` is running on {}; stop it, or give this one another folder with --state",
                state.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock {}", path.display()));
            }
        }
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let hint =
        "is another program using the port? choose another with --api or --edge (port 0 picks a free one)";
    TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on {address}: {hint}"))
}

/// The URL of a listener for programs on this machine.
fn url(listener: &TcpListener) -> anyhow::Result<String> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(format!("http://{address}"))
}

async fn follow(keys: SigningKeys, stop: CancellationToken) -> anyhow::Result<()> {
    keys.follow(stop).await;
    Ok(())
}

async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> anyhow::Result<()> {
    // An answer in two writes would otherwise wait 40 ms for the peer's delayed acknowledgement.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await?;
    Ok(())
}
