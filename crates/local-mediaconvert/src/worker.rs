//! Works on jobs: takes the next one, attempts it, and stores how it ended.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use mediaconvert_api::{Engine as _, Event, Job, Store as _};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transcode::Failure;

use self::attempt::Attempt;
use super::MediaConvert;
use super::store::{StoreError, Turn};

mod attempt;
mod failure;

/// The pause after the database failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// After this many deaths of the process, a job runs alone.
const ALONE_AFTER: u32 = 2;

pub(super) async fn run(service: &MediaConvert, shutdown: CancellationToken) {
    persist(&shutdown, || service.store().recover()).await;
    let slots = Arc::new(Semaphore::new(service.concurrency()));
    let mut workers = JoinSet::new();
    while let Some(Ok(slot)) = shutdown.run_until_cancelled(slots.clone().acquire_owned()).await {
        while workers.try_join_next().is_some() {}
        let turn = async {
            let turn = next(service).await;
            let alone = alone(&slots, service, &turn).await;
            (turn, alone)
        };
        let Some((turn, others)) = shutdown.run_until_cancelled(turn).await else {
            break;
        };
        let Some(job) = persist(&shutdown, || service.store().take(&turn.id))
            .await
            .flatten()
        else {
            continue;
        };
        let (service, stop) = (service.clone(), shutdown.child_token());
        workers.spawn(async move {
            service
                .inner
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(job.id.clone(), stop.clone());
            let id = job.id.clone();
            Box::pin(work(&service, job, turn.deaths, &stop)).await;
            service
                .inner
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id);
            drop((slot, others));
        });
    }
    workers.join_all().await;
}

/// Waits for the next job.
async fn next(service: &MediaConvert) -> Turn {
    loop {
        match service.store().next().await {
            Ok(Some(turn)) => return turn,
            Ok(None) => service.store().submitted().await,
            Err(error) => {
                tracing::error!(%error, "failed to look for a job");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// Takes all other slots for a job during which the process has died. If it dies again, no other job can be the cause, and none
/// is interrupted with it.
async fn alone(slots: &Arc<Semaphore>, service: &MediaConvert, turn: &Turn) -> Option<OwnedSemaphorePermit> {
    if turn.deaths < ALONE_AFTER {
        return None;
    }
    let others = u32::try_from(service.concurrency() - 1).unwrap_or(u32::MAX);
    slots.clone().acquire_many_owned(others).await.ok()
}

/// Repeats a write until it succeeds or the stack shuts down: a full disk may have room again later.
async fn persist<T, F, Fut>(shutdown: &CancellationToken, write: F) -> Option<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, StoreError>>,
{
    loop {
        match write().await {
            Ok(value) => return Some(value),
            Err(error) => tracing::error!(%error, "failed to write job, trying again"),
        }
        shutdown
            .run_until_cancelled(tokio::time::sleep(RETRY_DELAY))
            .await?;
    }
}

/// Why an attempt ended before its outputs were in place.
enum Stop {
    /// The job was canceled, or the stack shuts down: nothing is left to store.
    Ended,
    /// The job failed.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn work(service: &MediaConvert, job: Job, deaths: u32, stop: &CancellationToken) {
    let id = job.id.clone();
    let attempt = Attempt {
        service,
        job,
        deaths,
        stop,
    };
    tracing::info!(
        job_id = id,
        input = attempt.job.input(),
        retry = attempt.job.retry_count,
        "job started"
    );
    let outcome = match unless_it_panics(Box::pin(attempt.run())).await {
        Ok(groups) => Outcome::Complete(groups),
        // While the stack shuts down, services that the job needs stop before it. That is no failure of the job.
        Err(Stop::Failed(failure)) if !stop.is_cancelled() => Outcome::Error(failure),
        Err(_) => {
            tracing::info!(job_id = id, "job interrupted");
            // If this fails, it counts as a death of the process, of which a job survives several.
            if let Err(error) = service.store().give_back(&id).await {
                tracing::warn!(job_id = id, %error, "failed to requeue the job");
            }
            return;
        }
    };
    persist(stop, || {
        let outcome = outcome.clone();
        service
            .store()
            .change(&id, move |job, now| vec![outcome.apply(job, now)])
    })
    .await;
}

/// A panic ends the job as any other failure does. Otherwise nothing would continue it before the next start.
async fn unless_it_panics<T>(attempt: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    // Its unfinished files are in its work folder, which is removed.
    let ended = AssertUnwindSafe(attempt).catch_unwind().await;
    ended.unwrap_or_else(|_| Err(Stop::Failed(failure::panicked())))
}

/// How an attempt ended.
#[derive(Clone)]
enum Outcome {
    /// With `outputGroupDetails`.
    Complete(Value),
    Error(Failure),
}

impl Outcome {
    fn apply(self, job: &mut Job, now: Timestamp) -> Event {
        match self {
            Self::Complete(groups) => {
                tracing::info!(job_id = job.id, "job complete");
                job.complete(groups, now)
            }
            Self::Error(Failure { code, message }) => {
                tracing::warn!(job_id = job.id, code, message, "job failed");
                job.fail(code, message, now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_job_alone() {
        let attempt = async { panic!("a bug") };
        match unless_it_panics::<()>(attempt).await {
            Err(Stop::Failed(failure)) => assert_eq!(failure.code, failure::code::INTERNAL),
            _ => unreachable!("it did not panic"),
        }
        assert!(matches!(unless_it_panics(async { Ok(1) }).await, Ok(1)));
    }
}
