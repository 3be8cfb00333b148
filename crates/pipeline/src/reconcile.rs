//! Compares uploads, records, jobs and outputs, and submits again what was lost.
//!
//! Reconcile repairs nothing itself. A lost upload goes through [`Submit`], a lost event through [`Complete`], so that
//! there is one way for each, and whatever runs at the same time is as safe as two deliveries of one message.
//!
//! - `scan`: one pass through the bucket, page by page: uploads, records, output folders.
//! - `check`: one upload, record or output folder, and what is found there.
//! - `repair`, `rebuild`: the repairs.
//! - `outputs`: the COMPLETE event of a job, from its settings and a listing.
//! - `summary`: what a pass has found.

mod check;
mod outputs;
mod rebuild;
mod repair;
mod scan;
mod summary;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use vod_aws::Bucket;
use vod_core::attempt::Invocation;
use vod_core::attempt::repair::Limits;

pub use self::check::LEFT_OF_REMOVED;
pub use self::summary::{Note, Summary};
use crate::{Complete, Error, Services, Submit};

/// The checkpoint of an unfinished pass.
pub const CHECKPOINT: &str = "ops/reconcile.json";

/// The longest that one repair may take, so that the claim of a repair that hangs is soon free again.
const REPAIR_TIMEOUT: Duration = Duration::from_secs(50);
/// Left at the end of an invocation after the last repair.
const MARGIN: SignedDuration = SignedDuration::from_secs(20);

/// Reconciles one stack. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reconcile {
    services: Services,
    submit: Submit,
    complete: Complete,
    inputs: Bucket,
    outputs: Bucket,
    delays: Delays,
}

/// How long uploads, events and retries may take.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// Until an upload or an event that is under way counts as lost.
    pub grace: SignedDuration,
    /// Before the first retry after a transient error. Each further one waits four times as long.
    pub retry: SignedDuration,
}

/// The options of one run. Anything else in the event (a schedule's, for example) is ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Report what would be done, and change nothing.
    pub dry_run: bool,
    /// In place of the configured [`Delays::grace`].
    pub grace_seconds: Option<u32>,
}

/// The parameters of one invocation.
#[derive(Debug, Clone)]
struct RunInfo {
    /// Report what would be done, and change nothing.
    dry_run: bool,
    limits: Limits,
    holder: String,
    deadline: Timestamp,
    /// Nothing is started after this.
    stop: Timestamp,
}

impl RunInfo {
    fn new(options: &Options, delays: Delays, id: &str, deadline: Timestamp) -> Self {
        let now = vod_aws::now();
        let margin = SignedDuration::try_from(REPAIR_TIMEOUT).unwrap_or_default() + MARGIN;
        let grace = options.grace_seconds;
        Self {
            dry_run: options.dry_run,
            limits: Limits {
                now,
                grace: grace.map_or(delays.grace, |seconds| SignedDuration::from_secs(seconds.into())),
                retry: delays.retry,
            },
            holder: format!("reconcile-{id}"),
            deadline,
            stop: deadline - margin.min(deadline.duration_since(now) / 2),
        }
    }

    /// A repair that starts now.
    fn invocation(&self) -> Invocation {
        let limit = vod_aws::now() + REPAIR_TIMEOUT;
        Invocation {
            holder: self.holder.clone(),
            deadline: limit.min(self.deadline),
            repair: true,
        }
    }
}

impl Reconcile {
    /// Starts jobs with the services and the configuration of `submit`.
    pub fn new(services: Services, submit: Submit, delays: Delays) -> Self {
        let config = submit.config();
        Self {
            complete: Complete::new(services.clone(), config.jobs.application.clone()),
            inputs: Bucket::new(services.s3.clone(), config.bucket.clone()),
            outputs: Bucket::new(services.s3.clone(), config.jobs.output_bucket.clone()),
            submit,
            services,
            delays,
        }
    }

    /// Checks everything in the bucket, repairs what it can and returns a [`Summary`]. Stops before `deadline`; the
    /// next run continues there. Safe to run at any time, and twice at once. `id` names this run in the leases of its
    /// repairs.
    pub async fn run(&self, options: &Options, id: &str, deadline: Timestamp) -> Result<Summary, Error> {
        let run = RunInfo::new(options, self.delays, id, deadline);
        scan::run(self, &run).await
    }

    fn application(&self) -> &str {
        &self.submit.config().jobs.application
    }
}

/// Runs a repair with a time limit. A repair that is cut off is as if its invocation had died, which every repair
/// survives.
async fn limited<T>(repair: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    // Boxed: the SDK's futures are large and a repair holds many.
    let ended = vod_aws::within(REPAIR_TIMEOUT, Box::pin(repair)).await;
    ended.unwrap_or(Err(Error::SlowRepair(REPAIR_TIMEOUT.as_secs())))
}
