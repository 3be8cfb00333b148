//! One attempt at one job: from its input to its outputs in the bucket.

use std::path::{Path, PathBuf};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use local_base::fault;
use mediaconvert_api::{Engine as _, Event, Job, Location, Phase, Store as _};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use transcode::Failure;
use transcode::exec::TranscodeError;
use transcode::plan::{self, CaptionFiles, SideFile, SideFiles, SideKind, Warning};
use transcode::probe::MediaInfo;
use transcode::produced::{Produced, ProducedFile};

use super::super::MediaConvert;
use super::super::inspect;
use super::super::scratch::Scratch;
use super::super::transfer;
use super::failure::{code, folder_failure, input_failure, output_failure};
use super::{Stop, persist};

/// A job during which the process died this often fails: it may be what kills the process. The limit is generous, because a
/// machine may go down, and a person may kill a stack, at any time.
const DEATHS: u32 = 10;
/// The largest caption file in bytes.
const MAX_CAPTIONS: u64 = 8 << 20;
/// The largest image that is laid over a picture, in bytes.
const MAX_IMAGE: u64 = 64 << 20;
/// The largest file of external audio in bytes.
const MAX_SOUND: u64 = 16 << 30;
/// Files that are written to the bucket at the same time.
const PARALLEL_FILES: usize = 4;

/// One attempt at one job.
pub(super) struct Attempt<'a> {
    pub(super) service: &'a MediaConvert,
    pub(super) job: Job,
    /// How often the process died during this job.
    pub(super) deaths: u32,
    pub(super) stop: &'a CancellationToken,
}

impl Attempt<'_> {
    /// Makes all outputs. Returns `outputGroupDetails` with paths.
    pub(super) async fn run(&self) -> Result<Value, Stop> {
        self.check_attempt()?;
        let folder = Scratch::new(&self.service.settings().work, &self.job.id)
            .await
            .map_err(|error| folder_failure(&error))?;
        let out = folder.path().join("out");
        let urls = self.job.inputs();
        let (mut files, mut sources) = (Vec::new(), Vec::new());
        for (index, url) in urls.iter().enumerate() {
            let file = folder.path().join(format!("input{index}"));
            sources.push(self.input(index, url, &file).await?);
            files.push(file);
        }
        let details = inspect::input_details(urls.iter().copied().zip(&sources));
        self.store(move |job, _| {
            job.enter(Phase::Transcoding);
            vec![Event::InputInformation(details)]
        })
        .await?;

        let mut captions = Box::pin(self.captions(&folder.path().join("captions"))).await?;
        let closed = folder.path().join("closed");
        for (number, (info, file)) in sources.iter().zip(&files).enumerate() {
            Box::pin(self.closed_captions(&mut captions, number, (info, file), &closed)).await?;
        }
        let beside = Box::pin(self.beside(&out, captions)).await?;
        let plan = plan::with_files(&self.job.settings, &sources, &beside, &self.started())
            .map_err(|refusal| refusal.failure())?;
        let mut warnings = plan.warnings.clone();
        warnings.extend(self.acceleration());
        self.warn(&warnings).await?;
        let produced = Box::pin(self.transcode(&plan, &files, &out)).await?;
        for file in &files {
            drop(tokio::fs::remove_file(file).await); // Frees disk space; otherwise it goes with the folder.
        }

        self.store(|job, _| {
            job.enter(Phase::Uploading);
            Vec::new()
        })
        .await?;
        self.upload(&produced, &out).await?;
        Ok(produced.output_group_details())
    }

    /// A warning where the job demands what only AWS has.
    fn acceleration(&self) -> Option<Warning> {
        let settings = self.job.acceleration_settings.as_ref()?;
        let message = "/accelerationSettings/mode: ENABLED: the job runs without acceleration";
        (settings["mode"] == "ENABLED").then(|| Warning {
            code: plan::WARN_APPROXIMATED,
            message: message.to_owned(),
        })
    }

    /// Refuses what AWS accepts at CreateJob and this engine cannot do, and jobs that kill the process each time.
    fn check_attempt(&self) -> Result<(), Failure> {
        let job = &self.job;
        if self.deaths >= DEATHS {
            let message = format!(
                "`vod up` died {} times while it worked on this job: it may need more memory than there is",
                self.deaths
            );
            return Err(Failure {
                code: code::INTERNAL,
                message,
            });
        }
        // AWS accepts such a job and fails it, too.
        match mediaconvert_job::validate::run_time(&job.settings)
            .into_iter()
            .next()
        {
            Some(violation) => Err(Failure {
                code: code::BAD_SETTING,
                message: violation.message,
            }),
            None => Ok(()),
        }
    }

    /// Fetches an input and finds out what it is.
    async fn input(&self, index: usize, url: &str, file: &Path) -> Result<MediaInfo, Stop> {
        self.fetch(index, url, file).await?;
        let limits = self.service.probe_limits();
        let probed = self
            .unless_stopped(transcode::probe::probe(file, &limits))
            .await?;
        Ok(probed.map_err(|error| error.failure(url))?)
    }

    async fn fetch(&self, index: usize, url: &str, path: &Path) -> Result<(), Stop> {
        let location = Location::parse(url).ok_or_else(|| Failure {
            code: code::BAD_SETTING,
            message: format!("/inputs/{index}/fileInput: the local engine reads s3:// only"),
        })?;
        let fetching = Box::pin(transfer::fetch(self.service.s3(), &location, path));
        let fetched = self.unless_stopped(fetching).await?;
        fetched.map_err(|error| input_failure(url, &error))?;
        Ok(())
    }

    /// Reads the caption files that the job names.
    async fn captions(&self, path: &Path) -> Result<CaptionFiles, Stop> {
        let mut files = CaptionFiles::new();
        for url in plan::caption_files(&self.job.settings) {
            let location = Location::parse(&url).ok_or_else(|| Failure {
                code: code::BAD_SETTING,
                message: format!("the local engine reads captions from s3:// only, not from {url}"),
            })?;
            self.fetch_up_to(MAX_CAPTIONS, &url, &location, path).await?;
            let bytes = tokio::fs::read(path)
                .await
                .map_err(|error| folder_failure(&error))?;
            files.insert(url, bytes);
        }
        Ok(files)
    }

    /// Copies an object that has at most `limit` bytes.
    async fn fetch_up_to(&self, limit: u64, url: &str, from: &Location, to: &Path) -> Result<(), Stop> {
        let head = Box::pin(transfer::head(self.service.s3(), from));
        let head = self.unless_stopped(head).await?;
        let head = head.map_err(|error| input_failure(url, &error))?;
        let size = u64::try_from(head.size.unwrap_or_default()).unwrap_or_default();
        if size > limit {
            let message = format!("{url} has {size} bytes; the limit for a file of its kind is {limit}");
            return Err(bad_setting(message).into());
        }
        let mut file = File::create(to).await.map_err(|error| folder_failure(&error))?;
        // The object whose size was looked at, and no other.
        if size > 0 {
            let range = transfer::fetch_range(self.service.s3(), from, &head, &mut file, 0..size);
            let fetched = self.unless_stopped(Box::pin(range)).await?;
            fetched.map_err(|error| input_failure(url, &error))?;
        }
        Ok(())
    }

    /// Copies the images and audio files that the job names into the folder in which the encoder works, and judges them.
    async fn beside(&self, out: &Path, captions: CaptionFiles) -> Result<SideFiles, Stop> {
        let mut files = SideFiles {
            captions,
            ..SideFiles::default()
        };
        let named = plan::side_files(&self.job.settings).map_err(|refusal| refusal.failure())?;
        if !named.is_empty() {
            tokio::fs::create_dir_all(out)
                .await
                .map_err(|error| folder_failure(&error))?;
        }
        for SideFile {
            url,
            path,
            kind,
            name,
        } in named
        {
            let from = Location::parse(&url).ok_or_else(|| {
                bad_setting(format!("{path}: the local engine reads s3:// only, not {url}"))
            })?;
            let to = out.join(name);
            let limit = match kind {
                SideKind::Image => MAX_IMAGE,
                SideKind::Sound => MAX_SOUND,
            };
            self.fetch_up_to(limit, &url, &from, &to).await?;
            match kind {
                SideKind::Image => {
                    let header = beginning(&to).await.map_err(|error| folder_failure(&error))?;
                    let suffix = to.extension().and_then(std::ffi::OsStr::to_str);
                    let size = transcode::image::size(&header, suffix.unwrap_or_default());
                    let size = size.map_err(|error| bad_setting(format!("{path}: {url}: {error}")))?;
                    files.images.insert(url, size);
                }
                SideKind::Sound => {
                    let limits = self.service.probe_limits();
                    let probed = transcode::probe::probe(&to, &limits);
                    let probed = self.unless_stopped(Box::pin(probed)).await?;
                    let info = probed.map_err(|error| error.failure(&url))?;
                    files.sounds.insert(url, info);
                }
            }
        }
        Ok(files)
    }

    /// Decodes captions in pictures and in SCC files.
    async fn closed_captions(
        &self,
        captions: &mut CaptionFiles,
        number: usize,
        input: (&MediaInfo, &Path),
        work: &Path,
    ) -> Result<(), Stop> {
        let limits = self.service.encode_limits(self.job.input());
        let read = transcode::closed::read(&self.job.settings, captions, number, input, work, &limits);
        let read = Box::pin(self.unless_stopped(read)).await?;
        read.map_err(|error| match error {
            TranscodeError::Files(error) => folder_failure(&error).into(),
            error => error.failure(self.job.input()).into(),
        })
    }

    async fn transcode(
        &self,
        plan: &transcode::plan::Plan,
        inputs: &[PathBuf],
        out: &Path,
    ) -> Result<Produced, Stop> {
        let (sender, receiver) = watch::channel(Progress::default());
        let (limits, stop) = (
            self.service.encode_limits(self.job.input()),
            self.stop.child_token(),
        );
        let run = transcode::exec::run_inputs(plan, inputs, out, &limits, &stop, |progress| {
            sender.send_replace(Progress {
                percent: progress.percent,
                frames: Some(progress.frames),
            });
        });
        let faults = self.service.settings().faults.as_ref();
        let run = fault::while_there_is_room(faults, &stop, TranscodeError::DiskFull, run);
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

    /// Writes segments first and the master playlist last, so that everything that a playlist names exists when it appears.
    async fn upload(&self, produced: &Produced, out: &Path) -> Result<(), Stop> {
        let total: u64 = produced.files.iter().map(|file| file.size).sum();
        let (sender, receiver) = watch::channel(Progress::default());
        let (sender, mut written) = (&sender, 0_u64);
        let write_all = async {
            for stage in produced.files.chunk_by(|a, b| a.stage == b.stage) {
                let files: Vec<_> = stage.iter().map(|file| self.write(file, out)).collect();
                let mut files = stream::iter(files).buffer_unordered(PARALLEL_FILES);
                while let Some(size) = files.try_next().await? {
                    written += size;
                    sender.send_replace(Progress {
                        percent: percent(written, total),
                        frames: None,
                    });
                }
            }
            Ok(())
        };
        let result = tokio::select! {
            result = self.unless_stopped(write_all) => result?,
            never = self.report(Phase::Uploading, receiver) => match never {},
        };
        result.map_err(Stop::Failed)
    }

    async fn write(&self, file: &ProducedFile, out: &Path) -> Result<u64, Failure> {
        let to = Location::parse(&file.url).ok_or_else(|| Failure {
            code: code::BAD_SETTING,
            message: format!("the destination {} is no s3:// URL", file.url),
        })?;
        let stored = transfer::store(self.service.s3(), &out.join(&file.path), &to).await;
        stored.map_err(|error| output_failure(&error))?;
        Ok(file.size)
    }

    /// Reports the progress of a phase, at most once in each interval. Never returns; drop it when the phase is over.
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
            let reported = self.service.store().change(&self.job.id, move |job, _| {
                vec![job.advance(phase, percent, frames)]
            });
            // The next report makes up for a lost one.
            if let Err(error) = reported.await {
                tracing::warn!(job_id = self.job.id, %error, "failed to report progress");
            }
        }
    }

    async fn warn(&self, warnings: &[transcode::plan::Warning]) -> Result<(), Stop> {
        if warnings.is_empty() {
            return Ok(());
        }
        let warnings = warnings.to_vec();
        self.store(move |job, _| {
            let warnings = warnings.iter();
            warnings
                .map(|warning| job.warn(warning.code, &warning.message))
                .collect()
        })
        .await
    }

    /// Stores a change with its events. If the job has ended meanwhile, the work stops.
    async fn store(
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

fn bad_setting(message: String) -> Failure {
    Failure {
        code: code::BAD_SETTING,
        message,
    }
}

/// The first bytes of a file, as many as the header of an image takes.
async fn beginning(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut header = Vec::new();
    let file = File::open(path).await?;
    file.take(transcode::image::HEADER as u64)
        .read_to_end(&mut header)
        .await?;
    Ok(header)
}

/// The progress of a phase.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Progress {
    percent: u8,
    frames: Option<u64>,
}

/// `part` of `whole` in percent; 100 if the whole is 0.
fn percent(part: u64, whole: u64) -> u8 {
    u8::try_from((part * 100).checked_div(whole).unwrap_or(100)).unwrap_or(100)
}
