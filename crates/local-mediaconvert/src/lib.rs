//! The MediaConvert service of the local stack: `mediaconvert_api` over the stack's database, with ffmpeg behind it.
//!
//! What AWS accepts and this engine cannot do ends as a job in ERROR that names the path. Inputs and outputs cross S3's HTTP
//! API. If the process dies during a job, the job starts again at the next start.

mod engine;
mod inspect;
mod sample;
mod scratch;
mod store;
#[cfg(test)]
mod testing;
mod transfer;
mod worker;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use local_base::ACCOUNT;
use local_base::clock::Clock;
use local_base::db::{Db, DbError};
use local_base::fault::Faults;
use local_base::queue::Queues;
use local_base::sigv4::{self, Keys};
use mediaconvert_api::{Engine as _, Identity, Service};
use tokio_util::sync::CancellationToken;
use transcode::exec::Limits;

use self::store::JobStore;

/// Bodies beyond this many bytes are refused. The largest job that AWS accepts is far smaller.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// The default pause between two `STATUS_UPDATE` events of a job.
const STATUS_INTERVAL: Duration = Duration::from_secs(2);
/// The longest that ffprobe may run on one file.
const PROBE_TIME: Duration = Duration::from_mins(1);
/// Address space of ffprobe in bytes. It decodes what it needs of 8K video in 500 MiB, and reports the size of pictures that do
/// not fit.
const PROBE_MEMORY: u64 = 768 << 20;

/// How the service works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For ARNs and events.
    pub region: String,
    /// The queue that takes job events, as EventBridge's rule would.
    pub events_queue: String,
    /// A folder of the service's own. It is emptied at start.
    pub work: PathBuf,
    /// Jobs at one time.
    pub concurrency: usize,
    /// The shortest pause between two `STATUS_UPDATE` events of a job. AWS's shortest is 10 s, its default 60 s; locally a
    /// person watches a progress bar.
    pub status_interval: Duration,
    /// Limits for ffprobe and ffmpeg.
    pub limits: Limits,
    /// Injected faults.
    pub faults: Option<Faults>,
}

impl Settings {
    /// One job at a time, for a person who waits; no faults.
    pub fn new(region: &str, events_queue: &str, work: PathBuf) -> Self {
        Self {
            region: region.to_owned(),
            events_queue: events_queue.to_owned(),
            work,
            concurrency: 1,
            status_interval: STATUS_INTERVAL,
            limits: Limits::default(),
            faults: None,
        }
    }
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct MediaConvert {
    inner: Arc<Inner>,
}

struct Inner {
    store: JobStore,
    identity: Identity,
    clock: Clock,
    s3: aws_sdk_s3::Client,
    settings: Settings,
    /// Stops a running job, by its id.
    running: Mutex<HashMap<String, CancellationToken>>,
}

impl MediaConvert {
    /// Opens the service on `db`. `s3` is a client of the stack's own S3 endpoint.
    pub async fn open(
        db: Db,
        queues: Queues,
        clock: Clock,
        s3: aws_sdk_s3::Client,
        settings: Settings,
    ) -> Result<Self, DbError> {
        // Before the first request: a probe keeps its file in this folder, too.
        if let Err(error) = scratch::wipe(&settings.work).await {
            tracing::error!(%error, "failed to empty work folder");
        }
        let identity = Identity {
            region: settings.region.as_str().into(),
            account: ACCOUNT.into(),
            source: "aws.mediaconvert".into(),
            queue: "Default".into(),
        };
        let store = JobStore::open(
            db,
            queues,
            clock.clone(),
            identity.clone(),
            &settings.events_queue,
        )
        .await?;
        let inner = Inner {
            store,
            identity,
            clock,
            s3,
            settings,
            running: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The HTTP API, for requests signed with `keys` only.
    pub fn router(&self, keys: &Keys) -> Router {
        let service = Service::new(
            self.clone(),
            self.inner.identity.clone(),
            self.inner.clock.clone(),
        );
        sigv4::require(service.router(), keys.clone(), "mediaconvert", MAX_BODY)
    }

    /// Works on jobs until `shutdown`, which interrupts jobs in progress. They start again at the next run.
    pub async fn run(&self, shutdown: CancellationToken) {
        transcode::confine::prepare().await;
        worker::run(self, shutdown).await;
    }

    fn s3(&self) -> &aws_sdk_s3::Client {
        &self.inner.s3
    }

    fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    fn limits(&self) -> &Limits {
        &self.inner.settings.limits
    }

    /// The limits of an encode of `input`.
    fn encode_limits(&self, input: &str) -> Limits {
        let faults = self.settings().faults.as_ref();
        Limits {
            kill_after: faults.and_then(|faults| faults.kill_after(input)),
            disk: self.share().min(self.limits().disk),
            ..*self.limits()
        }
    }

    /// The part of the disk, in bytes, that one of several encodes may use. A tenth of the free space stays for uploads and the
    /// state.
    fn share(&self) -> u64 {
        let free = transcode::exec::free(&self.settings().work);
        let jobs = u64::try_from(self.concurrency()).unwrap_or(u64::MAX);
        // If the free space is unknown, the disk itself is the limit.
        free.map_or(u64::MAX, |free| free / 10 * 9 / jobs)
    }

    /// A probe takes seconds at most, unless the file is hostile.
    fn probe_limits(&self) -> Limits {
        Limits {
            time: PROBE_TIME.min(self.limits().time),
            memory: PROBE_MEMORY.min(self.limits().memory),
            ..*self.limits()
        }
    }
}

#[cfg(test)]
#[path = "beside_tests.rs"]
mod beside_tests;
#[cfg(test)]
#[path = "worker_tests.rs"]
mod worker_tests;
