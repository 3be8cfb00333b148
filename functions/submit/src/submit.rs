//! Claim, probe, create, record: each step can be repeated, and a delivery that dies after any of them leaves a
//! state from which the next one goes on.

use jiff::SignedDuration;
use tracing::{info, warn};
use vod_aws::{CreateJobError, Head, LoadedTemplate};
use vod_core::asset::AssetId;
use vod_core::catalogue;
use vod_core::events::ObjectCreated;
use vod_core::job::{self, JobRequest, Target};
use vod_core::record::{Job, JobError, Lease, Media, Record, Source, State};
use vod_core::removal::Removal;

use crate::dead_letter;
use crate::handler::{Invocation, Submit, SubmitError};
use crate::plan::{self, Next};

/// How long a lease outlives the invocation that holds it, so that a call sent at its last moment has
/// ended before anybody takes over.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_mins(1);
/// No CreateJob is started with less than this left.
const CREATE_MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// SearchJobs' index may lag: a takeover looks a second time after this.
const SECOND_LOOK: std::time::Duration = std::time::Duration::from_millis(500);

const REMOVED: &str = "the upload was removed before it could be read";
const REPLACED: &str = "the upload was replaced by a newer one before it could be read";

/// One attempt's way into the record.
struct Created {
    template: String,
    attempt: u32,
    outcome: Result<(String, JobRequest), JobError>,
}

impl Submit {
    /// Brings one upload as far as its jobs. Repeating it changes nothing.
    #[tracing::instrument(skip_all, fields(asset = tracing::field::Empty))]
    pub(crate) async fn submit(
        &self,
        object: &ObjectCreated,
        invocation: &Invocation,
    ) -> Result<(), SubmitError> {
        // The object as it is now, whatever version was uploaded: MediaConvert reads no other.
        let head = self.sources.head(&object.bucket, &object.key, None).await?;
        let source = source(object, head.as_ref());
        let id = AssetId::new(
            &source.bucket,
            &source.key,
            source.version.as_deref(),
            &source.etag,
        );
        tracing::Span::current().record("asset", id.as_str());
        let removal = self.removals.get(&id).await?;
        let covered = |removal: &Removal| {
            removal.covers(source.sequencer.as_deref(), source.uploaded_at) || head.is_none()
        };
        if removal.as_ref().is_some_and(covered) {
            info!("the video was taken down since");
            return Ok(());
        }
        let Some(head) = head else {
            return self.close(id, source, REMOVED, invocation).await;
        };
        if head.etag != source.etag || head.version != source.version {
            return self.close(id, source, REPLACED, invocation).await;
        }
        if head.size == 0 {
            let folder = source.key.ends_with('/');
            let reason = if folder {
                "a directory marker, not a file"
            } else {
                "the file is empty (zero bytes)"
            };
            return self.close(id, source, reason, invocation).await;
        }
        let templates = self.templates().await?;
        let Some(record) = self
            .claim(id, source, &templates, removal.as_ref(), invocation)
            .await?
        else {
            return Ok(());
        };
        self.create_jobs(record, &templates, invocation).await
    }

    /// Puts an upload on record that is nothing to encode, or ends what a delivery that died has left of it.
    async fn close(
        &self,
        id: AssetId,
        source: Source,
        reason: &str,
        invocation: &Invocation,
    ) -> Result<(), SubmitError> {
        let now = vod_aws::now();
        let mut record = Record::new(id, source, now);
        record.state = State::Ignored;
        record.reason = Some(reason.to_owned());
        if self.catalog.claim(&record).await? {
            info!(asset = %record.id, reason, "upload ignored");
            return Ok(());
        }
        let close = |known: &mut Record| {
            match plan::next(known, &record.source, &invocation.holder, now) {
                Next::TakeOver => {}
                Next::TakeUp => dead_letter::take_up(known, &[]),
                Next::Nothing(_) | Next::Restart => return false,
            }
            if known.jobs.is_empty() {
                known.state = State::Ignored;
                known.reason = Some(reason.to_owned());
            } else {
                plan::abandon(known, reason);
            }
            true
        };
        self.catalog.change(&record.id, close).await?;
        Ok(())
    }

    /// Starts again what has failed with an error that may pass: a new attempt at each such template. Returns
    /// whether there was anything to start.
    #[tracing::instrument(skip_all, fields(asset = %id))]
    pub async fn retry(&self, id: &AssetId, invocation: &Invocation) -> Result<bool, SubmitError> {
        let templates = self.templates().await?;
        let Some(known) = self.catalog.get(id).await? else {
            return Ok(false);
        };
        let source = known.value.source;
        let head = self.sources.head(&source.bucket, &source.key, None).await?;
        let same = head.is_some_and(|head| head.etag == source.etag && head.version == source.version);
        let mut started = false;
        let changed = self.catalog.change(id, |record| {
            started = plan::retry(record, &templates, same);
            if started && same {
                record.lease = Some(lease(invocation));
            }
            started
        });
        match changed.await? {
            Some(record) if started && same => {
                info!("trying again");
                Box::pin(self.create_jobs(record, &templates, invocation)).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The bucket's templates, else the built-in one.
    pub async fn templates(&self) -> Result<Vec<LoadedTemplate>, SubmitError> {
        let templates = vod_aws::load_templates(&self.s3, &self.config.bucket).await?;
        Ok(if templates.is_empty() {
            vec![self.config.template.clone()]
        } else {
            templates
        })
    }

    /// Claims the asset, or takes over or restarts what is on record. `None`: nothing is left to do here.
    async fn claim(
        &self,
        id: AssetId,
        source: Source,
        templates: &[LoadedTemplate],
        removal: Option<&Removal>,
        invocation: &Invocation,
    ) -> Result<Option<Record>, SubmitError> {
        let now = vod_aws::now();
        let lease = lease(invocation);
        let mut record = Record::new(id, source, now);
        record.jobs = plan::first_attempts(templates);
        plan::go_on_counting(&mut record.jobs, removal);
        record.lease = Some(lease.clone());
        vod_core::state::refresh(&mut record);
        if self.catalog.claim(&record).await? {
            info!(asset = %record.id, "claimed");
            return Ok(Some(record));
        }
        let source = record.source;
        let mut next = Next::Nothing("the record is gone");
        let changed = self.catalog.change(&record.id, |known| {
            next = plan::next(known, &source, &invocation.holder, now);
            match next {
                Next::Nothing(_) => return false,
                Next::TakeOver => {}
                Next::Restart => {
                    known.source.sequencer.clone_from(&source.sequencer);
                    known.source.uploaded_at = source.uploaded_at;
                    plan::add_attempts(known, templates);
                }
                Next::TakeUp => {
                    let never_planned = known.jobs.is_empty();
                    dead_letter::take_up(known, templates);
                    if never_planned {
                        known.source.clone_from(&source);
                        plan::go_on_counting(&mut known.jobs, removal);
                    }
                }
            }
            known.lease = Some(lease.clone());
            true
        });
        let changed = changed.await?;
        if let Next::Nothing(why) = next {
            info!(asset = %record.id, why, "nothing to do");
            return Ok(None);
        }
        warn!(asset = %record.id, ?next, "going on with a claim");
        Ok(changed)
    }

    /// Creates the jobs that are planned and missing, and stores what came of it.
    async fn create_jobs(
        &self,
        record: Record,
        templates: &[LoadedTemplate],
        invocation: &Invocation,
    ) -> Result<(), SubmitError> {
        let media = self.media(&record.source).await;
        let mut created = Vec::new();
        let mut failure = None;
        for planned in record
            .latest_attempts()
            .filter(|job| job.job_id.is_none() && !job.state.is_terminal())
        {
            match self.create(&record, planned, templates, &media, invocation).await {
                Ok(outcome) => {
                    let (template, attempt) = (planned.template.clone(), planned.attempt);
                    created.push(Created {
                        template,
                        attempt,
                        outcome,
                    });
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // What has been created goes on record even when a later one failed: nothing is created twice.
        let finished = failure.is_none();
        self.catalog
            .change(&record.id, |record| {
                store(record, &media, &created);
                if finished {
                    record.lease = None;
                }
                true
            })
            .await?;
        failure.map_or(Ok(()), Err)
    }

    /// One attempt: the job found or created, or the reason why there can be none.
    async fn create(
        &self,
        record: &Record,
        planned: &Job,
        templates: &[LoadedTemplate],
        media: &Media,
        invocation: &Invocation,
    ) -> Result<Result<(String, JobRequest), JobError>, SubmitError> {
        let Some(template) = templates
            .iter()
            .find(|template| template.name == planned.template)
        else {
            let text = format!("{}: removed since the upload was claimed", planned.template);
            return Ok(Err(catalogue::unusable_template(&text)));
        };
        let request = template
            .template
            .as_ref()
            .map_err(String::clone)
            .and_then(|template| {
                let target = self.target(record, planned);
                job::build(template, &target, media, self.config.rules).map_err(|error| error.to_string())
            });
        let request = match request {
            Ok(request) => request,
            Err(problem) => return Ok(Err(catalogue::unusable_template(&problem))),
        };
        if let Some(job_id) = self.existing(record, &request, invocation).await? {
            return Ok(Ok((job_id, request)));
        }
        if vod_aws::now() + CREATE_MARGIN > invocation.deadline {
            return Err(SubmitError::OutOfTime);
        }
        match self.mediaconvert.create_job(&request.body).await {
            Ok(job_id) => {
                info!(asset = %record.id, %job_id, template = planned.template, attempt = planned.attempt, "job created");
                Ok(Ok((job_id, request)))
            }
            Err(CreateJobError::Refused { status, message }) => {
                warn!(asset = %record.id, status, message, template = planned.template, "job refused");
                Ok(Err(catalogue::refused(status, &message)))
            }
            Err(source) => Err(SubmitError::CreateJob {
                asset: record.id.to_string(),
                source,
            }),
        }
    }

    /// The job that a delivery before this one has created without living to put it on record. A claim of our own
    /// making cannot have one.
    async fn existing(
        &self,
        record: &Record,
        request: &JobRequest,
        invocation: &Invocation,
    ) -> Result<Option<String>, SubmitError> {
        let own = record.updated_at == record.created_at
            && record
                .lease
                .as_ref()
                .is_some_and(|lease| lease.holder == invocation.holder);
        if own {
            return Ok(None);
        }
        let url = format!("s3://{}/{}", record.source.bucket, record.source.key);
        let (metadata, since) = (&request.body["userMetadata"], record.created_at);
        if let Some(job_id) = self.mediaconvert.find_job(&url, metadata, since).await? {
            return Ok(Some(job_id));
        }
        vod_aws::sleep(SECOND_LOOK).await;
        Ok(self.mediaconvert.find_job(&url, metadata, since).await?)
    }

    /// What the job of one attempt is for, and where its parts go.
    pub fn target<'a>(&'a self, record: &'a Record, planned: &'a Job) -> Target<'a> {
        Target {
            asset: &record.id,
            template: &planned.template,
            attempt: planned.attempt,
            input_bucket: &record.source.bucket,
            input_key: &record.source.key,
            output_bucket: &self.config.output_bucket,
            role_arn: &self.config.role_arn,
            queue: self.config.queue.as_deref(),
            application: &self.config.application,
        }
    }

    /// What is known of the source. A probe that fails never fails the upload: the template then goes as it is.
    pub async fn media(&self, source: &Source) -> Media {
        let url = format!("s3://{}/{}", source.bucket, source.key);
        match self.mediaconvert.probe(&url).await {
            Ok(media) => media,
            Err(error) => {
                warn!(key = %source.key, error = vod_aws::chain(&error), "probe failed");
                Media::default()
            }
        }
    }
}

fn lease(invocation: &Invocation) -> Lease {
    Lease {
        holder: invocation.holder.clone(),
        until: invocation.deadline + LEASE_MARGIN,
    }
}

/// What the event and the object's head say together; the event's version is the one that was uploaded.
pub(crate) fn source(object: &ObjectCreated, head: Option<&Head>) -> Source {
    let head_etag = head.map(|head| head.etag.clone());
    Source {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version: object
            .version
            .clone()
            .or_else(|| head.and_then(|head| head.version.clone())),
        etag: object.etag.clone().or(head_etag).unwrap_or_default(),
        size: object.size.or(head.map(|head| head.size)).unwrap_or(0),
        uploaded_at: head.map_or_else(vod_aws::now, |head| head.modified),
        sequencer: object.sequencer.clone(),
        media: Media::default(),
    }
}

/// Puts the outcomes on record. Events may have been faster: what they brought stays.
fn store(record: &mut Record, media: &Media, created: &[Created]) {
    let known = record.source.media.clone();
    record.source.media = Media {
        duration_ms: media.duration_ms.or(known.duration_ms),
        width: media.width.or(known.width),
        height: media.height.or(known.height),
        frame_rate: media.frame_rate.or(known.frame_rate),
        rotation: media.rotation.or(known.rotation),
        audio_tracks: media.audio_tracks.or(known.audio_tracks),
    };
    let now = vod_aws::now();
    for Created {
        template,
        attempt,
        outcome,
    } in created
    {
        let job = record.attempt_mut(template, *attempt);
        match outcome {
            Ok((job_id, request)) => {
                job.job_id = Some(job_id.clone());
                job.changes.clone_from(&request.changes);
                job.thumbnail_interval_ms = request.thumbnail_interval_ms;
                job.submitted_at = job.submitted_at.or(Some(now));
            }
            Err(error) => plan::fail(job, error.clone()),
        }
    }
    for set in &mut record.outputs {
        let interval = record.jobs.iter().filter(|job| job.template == set.template);
        let interval = interval.filter_map(|job| job.thumbnail_interval_ms).next_back();
        if let Some(thumbnails) = &mut set.thumbnails {
            thumbnails.interval_ms = thumbnails.interval_ms.or(interval);
        }
    }
    vod_core::state::refresh(record);
}
