//! A MediaConvert-compatible service: the same API, the same events, with ffmpeg behind it.
//!
//! What AWS refuses is refused at CreateJob with the same path and text; what AWS accepts and the local
//! engine cannot do ends as a job in ERROR that names the path. Jobs live in the stack's database, inputs and
//! outputs cross S3's HTTP API, and a process that dies in mid-job starts it again when it is back.

mod api;
mod events;
mod inspect;
mod job;
mod request;
mod sample;
mod scratch;
mod store;
#[cfg(test)]
mod testing;
mod transfer;
mod worker;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio_util::sync::CancellationToken;
use transcode::exec::Limits;

use self::api::{ApiError, DEFAULT_QUEUE};
use self::scratch::Scratch;
use self::store::Store;
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::fault::Faults;
use crate::lambda::ACCOUNT;
use crate::queue::Queues;
use crate::sigv4::{self, Keys};

/// Bodies beyond this many bytes are refused. The largest job that AWS accepts is far smaller.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// How long ffprobe may look at one file.
const PROBE_TIME: Duration = Duration::from_mins(1);
/// Address space of ffprobe in bytes: of 8K it decodes what it needs in 500 MiB. Of a picture that does not fit it still
/// tells the size.
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
    /// The shortest pause between two `STATUS_UPDATE` events of a job. AWS's shortest is 10 s, its default 60 s;
    /// here somebody watches a progress bar.
    pub status_interval: Duration,
    /// Bounds for ffprobe and ffmpeg.
    pub limits: Limits,
    /// What happens to encoders, on purpose.
    pub faults: Option<Faults>,
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct MediaConvert {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    s3: aws_sdk_s3::Client,
    settings: Settings,
    /// What ends a running job, by its id.
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
        // Before the first request: one that looks at a file has its folder here, too.
        if let Err(error) = scratch::wipe(&settings.work).await {
            tracing::error!(%error, "failed to empty work folder");
        }
        let store = Store::open(db, queues, clock, &settings.region, &settings.events_queue).await?;
        let inner = Inner {
            store,
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
        sigv4::require(api::routes(self.clone()), keys.clone(), "mediaconvert", MAX_BODY)
    }

    /// Works on jobs until `shutdown`. Jobs under way are then broken off; they start again at the next run.
    pub async fn run(&self, shutdown: CancellationToken) {
        transcode::confine::prepare().await;
        worker::run(self, shutdown).await;
    }

    /// How many jobs wait, and how many are under way.
    pub(crate) async fn active(&self) -> Result<(u32, u32), Box<dyn std::error::Error + Send + Sync>> {
        let (waiting, running) = self.store().active().await?;
        Ok((waiting.try_into()?, running.try_into()?))
    }

    fn store(&self) -> &Store {
        &self.inner.store
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

    /// Those of the encode of `input`.
    fn encode_limits(&self, input: &str) -> Limits {
        let faults = self.settings().faults.as_ref();
        Limits {
            kill_after: faults.and_then(|faults| faults.kill_after(input)),
            disk: self.share().min(self.limits().disk),
            ..*self.limits()
        }
    }

    /// What one of the encodes under way may take of the disk: a tenth of what is free now stays for uploads and the
    /// state.
    fn share(&self) -> u64 {
        let free = transcode::exec::free(&self.settings().work);
        let jobs = u64::try_from(self.concurrency()).unwrap_or(u64::MAX);
        // Where it is not known, the disk itself is the limit.
        free.map_or(u64::MAX, |free| free / 10 * 9 / jobs)
    }

    /// Looking at a file takes no time worth mentioning; what takes longer has met a trap.
    fn probe_limits(&self) -> Limits {
        Limits {
            time: PROBE_TIME.min(self.limits().time),
            memory: PROBE_MEMORY.min(self.limits().memory),
            ..*self.limits()
        }
    }

    fn concurrency(&self) -> usize {
        self.inner.settings.concurrency.max(1)
    }

    /// The ARN of the queue of this name or ARN. There is one queue, which any account's ARN may name.
    fn queue_arn(&self, name: &str) -> Result<String, ApiError> {
        let short = if name.starts_with("arn:") {
            name.rsplit('/').next().unwrap_or_default()
        } else {
            name
        };
        if short != DEFAULT_QUEUE {
            return Err(ApiError::NotFound(format!("The queue {name} does not exist.")));
        }
        let region = &self.settings().region;
        Ok(format!("arn:aws:mediaconvert:{region}:{ACCOUNT}:queues/{short}"))
    }

    /// A folder for one request.
    async fn scratch(&self) -> Result<Scratch, ApiError> {
        Scratch::new(&self.settings().work, "probe")
            .await
            .map_err(|error| {
                tracing::error!(%error, "failed to make work folder");
                ApiError::Internal
            })
    }

    /// Ends the engine of a job that has been canceled, if it runs.
    fn stop(&self, id: &str) {
        let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = running.get(id) {
            token.cancel();
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
#[cfg(test)]
#[path = "worker_tests.rs"]
mod worker_tests;
