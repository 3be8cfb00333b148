//! The whole stack in one process: services, functions, and the queues between them.

mod ground;
mod parts;
mod private;

use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use local_base::access::{AccessLog, Port};
use local_base::date;
use local_base::fault::Faults;
use local_base::serve::{Limits, serve};
use local_edge::web_origin::WebOrigin;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vod_state::endpoints::Endpoints;
use vod_state::secrets::ChosenSecret;

use self::ground::{check_secret, listen, lock, spawn};
use self::parts::Base;
use crate::api::Api;
use crate::door::Door;
use crate::reconciler;
use crate::web;

/// The one bucket.
pub const BUCKET: &str = "vod";
/// What the local services take for a region.
pub const REGION: &str = "us-east-1";

/// The settings of `vod up`.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The folder of everything that survives a restart.
    pub state: PathBuf,
    /// Port 0 picks a free one.
    pub api: SocketAddr,
    pub edge: SocketAddr,
    /// How viewers reach the edge, where that is not its address: `https://video.example.org`.
    pub edge_url: Option<String>,
    /// Origins of other sites whose pages may use the edge, the signer and the bucket (CORS), beside the edge's own.
    pub allowed_origins: Vec<WebOrigin>,
    /// The secret of the access key, instead of the state folder's random one.
    pub secret: Option<ChosenSecret>,
    /// Encodes at one time.
    pub jobs: usize,
    /// Longer videos are not encoded.
    pub play_time: Duration,
    /// Faults to inject, and files of them, see [`local_base::fault::SYNTAX`].
    pub faults: Vec<String>,
}

/// A running stack. Dropping it stops everything at once, which loses nothing.
pub struct Stack {
    endpoints: Endpoints,
    page: String,
    faults: Option<Faults>,
    state: PathBuf,
    shutdown: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    /// Held for as long as the process lives; the system lets go of it whatever happens.
    _lock: File,
}

impl Stack {
    /// Starts everything. When this returns, uploads are taken and `endpoints.json` is written.
    pub async fn start(options: StackOptions) -> anyhow::Result<Self> {
        check_secret(options.secret.as_ref(), options.api)?;
        let lock = lock(&options.state)?;
        Endpoints::remove(&options.state)?;
        let access_log =
            AccessLog::open(&options.state.join("access.log")).context("failed to open the access log")?;
        let (api, edge) = (listen(options.api).await?, listen(options.edge).await?);
        let base = Base::open(&options, &api, &edge).await?;
        let s3 = base.s3().await?;
        let shutdown = CancellationToken::new();
        let upkeep = s3.clone().upkeep(shutdown.clone());
        let mediaconvert = base.mediaconvert(&options).await?;
        private::tighten(&options.state);
        let functions = base.functions()?;
        let cache = local_edge::Cache::default();
        let api_services = Api {
            functions,
            mediaconvert: mediaconvert.clone(),
            cache: cache.clone(),
            sqs: base.sqs(),
            s3,
        };
        let mut services = api_services.router(&base.keys, base.clock.clone());
        if let Some(faults) = &base.faults {
            services = faults.around(services);
        }
        let door = Door::api(options.api.ip(), base.page_origins());
        let api_router = access_log.watch(door.before(services), Port::Api);
        // Before the log, which is about calls between the parts: a scrape every few seconds is none.
        let api_router = base.metrics.before(mediaconvert.clone(), api_router);
        let api_router = date::stamp(api_router, base.clock.clone());
        let edge_options = base.edge(cache)?;
        let door = Door::edge(options.edge.ip(), edge_options.edge_url.as_ref());
        let edge_router = access_log.watch(door.before(local_edge::router(edge_options)), Port::Edge);
        let edge_router = date::stamp(edge_router, base.clock.clone());

        let mut tasks = JoinSet::new();
        tasks.spawn(serve(api, api_router, Limits::api(), shutdown.clone()));
        web::publish(&vod_aws::s3(&base.aws), BUCKET).await?;
        let endpoints = base.endpoints()?;
        endpoints.write(&base.state)?;
        // The edge answers /healthz from here on: only now, when the file is there.
        tasks.spawn(serve(edge, edge_router, Limits::edge(), shutdown.clone()));
        for poller in base.pollers() {
            spawn(&mut tasks, poller.run(shutdown.clone()));
        }
        let stop = shutdown.clone();
        spawn(&mut tasks, async move { mediaconvert.run(stop).await });
        spawn(&mut tasks, upkeep);
        spawn(&mut tasks, reconciler::run(base.invoker(), shutdown.clone()));
        let page = base.page()?;
        spawn(&mut tasks, base.signing_keys.follow(shutdown.clone()));
        if let Some(faults) = &base.faults {
            // Not before: a stack comes up whatever it is to suffer.
            faults.arm();
            spawn(&mut tasks, faults.clone().follow(shutdown.clone()));
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

    /// The link that opens the page. It contains a token with which everything can be watched.
    pub fn page(&self) -> &str {
        &self.page
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
