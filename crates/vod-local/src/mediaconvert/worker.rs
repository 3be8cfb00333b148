//! Works on jobs: fetches the input, probes, plans, runs ffmpeg, sends the outputs, tells of each step.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transcode::Failure;
use transcode::exec::TranscodeError;
use transcode::produced::{Produced, ProducedFile};

use super::MediaConvert;
use super::events::Event;
use super::inspect;
use super::job::{Job, Phase, Status};
use super::scratch::{self, Scratch};
use super::store::StoreError;
use super::transfer::{self, Kind, Location, TransferError};

/// How long the worker rests when the database does not answer.
const REST: Duration = Duration::from_secs(1);
/// A job that was interrupted more often than this is given up: it may be what ends the process.
const MAX_RETRIES: u32 = 3;
/// Files that go to the bucket at the same time.
const PARALLEL_FILES: usize = 4;

/// MediaConvert's error codes (user guide, "MediaConvert error codes").
mod code {
    pub(super) const ACCELERATION: u32 = 1041;
    pub(super) const DENIED: u32 = 1401;
    pub(super) const NOT_FOUND: u32 = 1404;
    pub(super) const DISK_FULL: u32 = 1507;
    pub(super) const INTERNAL: u32 = 1999;
    pub(super) const SETTING: u32 = 1040;
}

pub(super) async fn run(service: &MediaConvert, shutdown: CancellationToken) {
    if let Err(error) = scratch::wipe(&service.settings().work).await {
        tracing::error!(%error, "failed to empty work folder");
    }
    persist(&shutdown, || service.store().recover()).await;
    let slots = Arc::new(Semaphore::new(service.concurrency()));
    let mut workers = JoinSet::new();
    while let Some(Ok(slot)) = shutdown.run_until_cancelled(slots.clone().acquire_owned()).await {
        while workers.try_join_next().is_some() {}
        let Some(job) = shutdown.run_until_cancelled(next(service)).await else {
            break;
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
            Box::pin(work(&service, job, &stop)).await;
            service
                .inner
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id);
            drop(slot);
        });
    }
    workers.join_all().await;
}

/// The next job, already PROGRESSING.
async fn next(service: &MediaConvert) -> Job {
    loop {
        match service.store().take().await {
            Ok(Some(job)) => return job,
            Ok(None) => service.store().submitted().await,
            Err(error) => {
                tracing::error!(%error, "failed to take a job");
                tokio::time::sleep(REST).await;
            }
        }
    }
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

async fn work(service: &MediaConvert, job: Job, stop: &CancellationToken) {
    let id = job.id.clone();
    let worker = Worker { service, job, stop };
    tracing::info!(
        job_id = id,
        input = worker.job.input(),
        retry = worker.job.retry_count,
        "job started"
    );
    let change = match worker.attempt().await {
        Ok(groups) => Outcome::Complete(groups),
        // While the stack goes down, services that the job needs are gone before it: that is no failure of the job.
        Err(Stop::Failed(failure)) if !stop.is_cancelled() => Outcome::Error(failure),
        Err(_) => {
            tracing::info!(job_id = id, "job broken off");
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

/// How far a phase is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Progress {
    percent: u8,
    frames: Option<u64>,
}

/// One attempt at one job.
struct Worker<'a> {
    service: &'a MediaConvert,
    job: Job,
    stop: &'a CancellationToken,
}

impl Worker<'_> {
    /// From the input to outputs in the bucket; the result is `outputGroupDetails`.
    async fn attempt(&self) -> Result<Value, Stop> {
        self.check_attempt()?;
        let folder = Scratch::new(&self.service.settings().work, &self.job.id)
            .await
            .map_err(|error| folder_failure(&error))?;
        let (input, out) = (folder.path().join("input"), folder.path().join("out"));
        self.fetch(&input).await?;

        let url = self.job.input();
        let probed = self
            .unless_stopped(transcode::probe::probe(&input, &self.service.probe_limits()))
            .await?;
        let info = probed.map_err(|error| error.failure(url))?;
        let details = inspect::input_details(url, &info);
        self.tell(move |job, _| enter(job, Phase::Transcoding, vec![Event::InputInformation(details)]))
            .await?;

        let plan = transcode::plan::plan(&self.job.settings, &info, &self.started())
            .map_err(|refusal| refusal.failure())?;
        self.warn(&plan.warnings).await?;
        let produced = self.transcode(&plan, &input, &out).await?;
        drop(tokio::fs::remove_file(&input).await); // Room for others; what stays behind goes with the folder.

        self.tell(|job, _| enter(job, Phase::Uploading, Vec::new()))
            .await?;
        self.upload(&produced, &out).await?;
        Ok(produced.output_group_details())
    }

    /// What AWS accepts at CreateJob and this service cannot do, and jobs that end the process each time.
    fn check_attempt(&self) -> Result<(), Failure> {
        let job = &self.job;
        if job.retry_count > MAX_RETRIES {
            let message = format!("the job was interrupted {} times", job.retry_count);
            return Err(Failure {
                code: code::INTERNAL,
                message,
            });
        }
        if job
            .acceleration_settings
            .as_ref()
            .is_some_and(|settings| settings["mode"] == "ENABLED")
        {
            let message =
                "/accelerationSettings/mode: ENABLED is not available locally, PREFERRED falls back";
            return Err(Failure {
                code: code::ACCELERATION,
                message: message.to_owned(),
            });
        }
        Ok(())
    }

    async fn fetch(&self, path: &Path) -> Result<(), Stop> {
        let url = self.job.input();
        let location = Location::parse(url).ok_or_else(|| Failure {
            code: code::SETTING,
            message: "/inputs/0/fileInput: the local engine reads s3:// only".to_owned(),
        })?;
        let fetching = Box::pin(transfer::fetch(self.service.s3(), &location, path));
        let fetched = self.unless_stopped(fetching).await?;
        fetched.map_err(|error| input_failure(url, &error))?;
        Ok(())
    }

    async fn transcode(
        &self,
        plan: &transcode::plan::Plan,
        input: &Path,
        out: &Path,
    ) -> Result<Produced, Stop> {
        let (sender, receiver) = watch::channel(Progress::default());
        let run = transcode::exec::run(plan, input, out, self.service.limits(), self.stop, |progress| {
            sender.send_replace(Progress {
                percent: progress.percent,
                frames: Some(progress.frames),
            });
        });
        let result = tokio::select! {
            result = run => result,
            never = self.report(Phase::Transcoding, receiver.clone()) => match never {},
        };
        drop(receiver);
        result.map_err(|error| match error {
            TranscodeError::Canceled => Stop::Ended,
            TranscodeError::Files(error) => folder_failure(&error).into(),
            error => error.failure(self.job.input()).into(),
        })
    }

    /// Sends segments first and the master playlist last, so that who sees a playlist can fetch all it names.
    async fn upload(&self, produced: &Produced, out: &Path) -> Result<(), Stop> {
        let total: u64 = produced.files.iter().map(|file| file.size).sum();
        let (sender, receiver) = watch::channel(Progress::default());
        let (sender, mut sent) = (&sender, 0_u64);
        let send_all = async {
            for stage in produced.files.chunk_by(|a, b| a.stage == b.stage) {
                let files: Vec<_> = stage.iter().map(|file| self.send(file, out)).collect();
                let mut files = stream::iter(files).buffer_unordered(PARALLEL_FILES);
                while let Some(size) = files.try_next().await? {
                    sent += size;
                    sender.send_replace(Progress {
                        percent: percent(sent, total),
                        frames: None,
                    });
                }
            }
            Ok(())
        };
        let result = tokio::select! {
            result = self.unless_stopped(send_all) => result?,
            never = self.report(Phase::Uploading, receiver) => match never {},
        };
        result.map_err(Stop::Failed)
    }

    async fn send(&self, file: &ProducedFile, out: &Path) -> Result<u64, Failure> {
        let to = Location::parse(&file.url).ok_or_else(|| Failure {
            code: code::SETTING,
            message: format!("the destination {} is no s3:// URL", file.url),
        })?;
        let stored = transfer::store(self.service.s3(), &out.join(&file.path), &to).await;
        stored.map_err(|error| output_failure(&error))?;
        Ok(file.size)
    }

    /// Tells how far a phase is, at most once in each interval. Never returns; drop it when the phase is over.
    async fn report(
        &self,
        phase: Phase,
        mut progress: watch::Receiver<Progress>,
    ) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(self.service.settings().status_interval).await;
            if progress.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let Progress { percent, frames } = *progress.borrow_and_update();
            let told = self.service.store().change(&self.job.id, move |job, _| {
                job.job_percent_complete = Some(overall(phase, percent));
                vec![Event::StatusUpdate {
                    phase,
                    percent,
                    frames,
                }]
            });
            // A progress report that is lost is made up for by the next one.
            if let Err(error) = told.await {
                tracing::warn!(job_id = self.job.id, %error, "failed to report progress");
            }
        }
    }

    async fn warn(&self, warnings: &[transcode::plan::Warning]) -> Result<(), Stop> {
        if warnings.is_empty() {
            return Ok(());
        }
        let warnings = warnings.to_vec();
        self.tell(move |job, _| {
            let tell = |warning: transcode::plan::Warning| {
                job.warn(warning.code, &warning.message);
                Event::NewWarning {
                    code: warning.code,
                    message: warning.message,
                }
            };
            warnings.into_iter().map(tell).collect()
        })
        .await
    }

    /// Writes a change with its events; that the job has ended meanwhile stops the work.
    async fn tell(
        &self,
        change: impl FnOnce(&mut Job, Timestamp) -> Vec<Event> + Clone + Send + 'static,
    ) -> Result<(), Stop> {
        let store = self.service.store();
        let written = persist(self.stop, || store.change(&self.job.id, change.clone())).await;
        if written.flatten().is_some() {
            Ok(())
        } else {
            Err(Stop::Ended)
        }
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        self.stop.run_until_cancelled(work).await.ok_or(Stop::Ended)
    }

    /// The start of the job for names that contain it: `YYYYMMDDTHHMMSS`.
    fn started(&self) -> String {
        let start = self
            .job
            .timing
            .start_time
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        start
            .unwrap_or_else(|| self.service.store().now())
            .strftime("%Y%m%dT%H%M%S")
            .to_string()
    }
}

fn enter(job: &mut Job, phase: Phase, events: Vec<Event>) -> Vec<Event> {
    job.current_phase = Some(phase);
    job.job_percent_complete = Some(overall(phase, 0));
    events
}

/// Percent of the whole job: probing takes 5, transcoding 85, uploading 10.
fn overall(phase: Phase, percent: u8) -> u8 {
    let percent = u16::from(percent.min(100));
    let overall = match phase {
        Phase::Probing => percent * 5 / 100,
        Phase::Transcoding => 5 + percent * 85 / 100,
        Phase::Uploading => 90 + percent * 10 / 100,
    };
    u8::try_from(overall).unwrap_or(100)
}

fn percent(part: u64, whole: u64) -> u8 {
    u8::try_from((part * 100).checked_div(whole).unwrap_or(100)).unwrap_or(100)
}

fn folder_failure(error: &std::io::Error) -> Failure {
    let full = matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    );
    let code = if full { code::DISK_FULL } else { code::INTERNAL };
    Failure {
        code,
        message: format!("failed to use the work folder: {error}"),
    }
}

/// In MediaConvert's words, so that whoever knows them finds them again.
fn input_failure(url: &str, error: &TransferError) -> Failure {
    let wrap = |detail: &str| {
        format!(
            "Unable to open input file [{url}]: [Failed probe/open: [Can't read input stream: [{detail}]]]"
        )
    };
    match error.kind {
        Kind::NotFound => Failure {
            code: code::NOT_FOUND,
            message: wrap(&format!("Failed to read data: The object {url} does not exist")),
        },
        Kind::Denied => Failure {
            code: code::DENIED,
            message: wrap(&format!("Failed to read data: Access denied to {url}")),
        },
        Kind::DiskFull => Failure {
            code: code::DISK_FULL,
            message: error.to_string(),
        },
        Kind::Other => Failure {
            code: code::INTERNAL,
            message: error.to_string(),
        },
    }
}

fn output_failure(error: &TransferError) -> Failure {
    let code = match error.kind {
        Kind::Denied => code::DENIED,
        Kind::NotFound => code::NOT_FOUND,
        Kind::DiskFull => code::DISK_FULL,
        Kind::Other => code::INTERNAL,
    };
    Failure {
        code,
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn progress_over_the_phases_never_falls() {
        let phases = [Phase::Probing, Phase::Transcoding, Phase::Uploading];
        let all: Vec<u8> = phases
            .into_iter()
            .flat_map(|phase| (0..=100).map(move |p| overall(phase, p)))
            .collect();
        assert!(all.is_sorted());
        assert_eq!((all.first(), all.last()), (Some(&0), Some(&100)));
        assert_eq!(overall(Phase::Transcoding, 2), 6);
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
