//! Works on jobs: takes them in turn, has each attempted, and writes down how it ended.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transcode::Failure;

use self::attempt::Worker;
use super::MediaConvert;
use super::events::Event;
use super::job::{Job, Status};
use super::store::{StoreError, Turn};

mod attempt;
mod failure;
mod progress;

/// How long the worker rests when the database does not answer.
const REST: Duration = Duration::from_secs(1);
/// After so many deaths of the process a job is worked on by itself.
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

/// The job whose turn it is, as soon as there is one.
async fn next(service: &MediaConvert) -> Turn {
    loop {
        match service.store().next().await {
            Ok(Some(turn)) => return turn,
            Ok(None) => service.store().submitted().await,
            Err(error) => {
                tracing::error!(%error, "failed to look for a job");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// All other slots, for a job during which the process has died: should it die again, no other job is to blame, and
/// none is broken off with it.
async fn alone(slots: &Arc<Semaphore>, service: &MediaConvert, turn: &Turn) -> Option<OwnedSemaphorePermit> {
    if turn.deaths < ALONE_AFTER {
        return None;
    }
    let others = u32::try_from(service.concurrency() - 1).unwrap_or(u32::MAX);
    slots.clone().acquire_many_owned(others).await.ok()
}

/// Repeats what must be written until it is, or the stack shuts down: a full disk has room again some time.
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
        shutdown.run_until_cancelled(tokio::time::sleep(REST)).await?;
    }
}

/// Why work on a job ends before its outputs are in place.
enum Stop {
    /// It was canceled, or the stack shuts down: nothing is left to write.
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
    let worker = Worker {
        service,
        job,
        deaths,
        stop,
    };
    tracing::info!(
        job_id = id,
        input = worker.job.input(),
        retry = worker.job.retry_count,
        "job started"
    );
    let change = match unless_it_panics(Box::pin(worker.attempt())).await {
        Ok(groups) => Outcome::Complete(groups),
        // While the stack goes down, services that the job needs are gone before it: that is no failure of the job.
        Err(Stop::Failed(failure)) if !stop.is_cancelled() => Outcome::Error(failure),
        Err(_) => {
            tracing::info!(job_id = id, "job broken off");
            // Where this fails it counts as a death, of which a job survives many.
            if let Err(error) = service.store().give_back(&id).await {
                tracing::warn!(job_id = id, %error, "failed to put the job back in line");
            }
            return;
        }
    };
    persist(stop, || {
        let change = change.clone();
        service
            .store()
            .change(&id, move |job, now| change.apply(job, now))
    })
    .await;
}

/// A fault of ours ends the job as any other failure does: nobody would take it up again before the next start.
async fn unless_it_panics<T>(attempt: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    // What it leaves half done lies in its work folder, which goes with it.
    let ended = AssertUnwindSafe(attempt).catch_unwind().await;
    ended.unwrap_or_else(|_| Err(Stop::Failed(failure::panicked())))
}

/// How a job ends by itself.
#[derive(Clone)]
enum Outcome {
    /// With `outputGroupDetails`.
    Complete(Value),
    Error(Failure),
}

impl Outcome {
    fn apply(self, job: &mut Job, now: Timestamp) -> Vec<Event> {
        match self {
            Self::Complete(groups) => {
                job.finish(Status::Complete, now);
                job.output_group_details = Some(without_paths(&groups));
                tracing::info!(job_id = job.id, "job complete");
                vec![Event::Complete(groups)]
            }
            Self::Error(failure) => {
                job.finish(Status::Error, now);
                tracing::warn!(
                    job_id = job.id,
                    code = failure.code,
                    message = failure.message,
                    "job failed"
                );
                job.error_code = Some(failure.code);
                job.error_message = Some(failure.message);
                vec![Event::Error]
            }
        }
    }
}

/// What `GetJob` shows of the groups.
fn without_paths(groups: &Value) -> Value {
    let mut groups = groups.clone();
    for group in groups
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        group.remove("playlistFilePaths");
        group.remove("type");
        let outputs = group.get_mut("outputDetails").and_then(Value::as_array_mut);
        for output in outputs.into_iter().flatten().filter_map(Value::as_object_mut) {
            output.remove("outputFilePaths");
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_job_alone() {
        let attempt = async { panic!("a fault of ours") };
        match unless_it_panics::<()>(attempt).await {
            Err(Stop::Failed(failure)) => assert_eq!(failure.code, failure::code::INTERNAL),
            _ => unreachable!("it did not panic"),
        }
        assert!(matches!(unless_it_panics(async { Ok(1) }).await, Ok(1)));
    }

    #[test]
    fn getjob_never_tells_paths() {
        let groups = json!([{
            "outputDetails": [{ "outputFilePaths": ["s3://b/o.m3u8"], "durationInMs": 1, "videoDetails": { "widthInPx": 2 } }],
            "playlistFilePaths": ["s3://b/m.m3u8"],
            "type": "HLS_GROUP",
        }]);
        let shown = json!([{ "outputDetails": [{ "durationInMs": 1, "videoDetails": { "widthInPx": 2 } }] }]);
        assert_eq!(without_paths(&groups), shown);
    }
}
