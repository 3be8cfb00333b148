//! An upload becomes a record and its jobs: load, decide, claim, create, store.

use std::time::Duration;

use jiff::SignedDuration;
use tracing::{info, warn};
use vod_aws::CreateJobError;
use vod_core::asset::AssetId;
use vod_core::attempt::{
    self, Claim, Created, Invocation, JobBuilder, Next, Outcome, Prepared, Retry, end, store, upload,
};
use vod_core::error_codes;
use vod_core::events::ObjectCreated;
use vod_core::job::{self, LoadedTemplate};
use vod_core::keys::INPUT;
use vod_core::record::{JobError, Media, Record, Source};
use vod_core::removal::Removal;

use crate::{Config, Error, Services, complete_template};

/// The longest wait for a probe: an invocation has a minute, and must create the job as well.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// No CreateJob is started with less time left than this.
const CREATE_MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// The index of SearchJobs may lag: if a search finds nothing, it is repeated after this.
const SECOND_SEARCH: Duration = Duration::from_millis(500);

/// Submits uploads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Submit {
    services: Services,
    config: Config,
}

/// An upload as it was found.
struct Loaded {
    source: Source,
    /// Whether an object is at its key.
    exists: bool,
    /// The tombstone of an earlier removal.
    removal: Option<Removal>,
    /// Why it cannot be encoded.
    obstacle: Option<&'static str>,
}

/// A record that this invocation holds, and the jobs that it is to create.
type Claimed = (Record, Vec<Prepared>);

impl Submit {
    pub fn new(services: Services, config: Config) -> Self {
        Self { services, config }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Submits one upload, or continues what a delivery that died has started. Repeating it changes nothing.
    pub async fn upload(&self, object: &ObjectCreated, invocation: &Invocation) -> Result<(), Error> {
        if !object.key.starts_with(INPUT) {
            warn!(key = %object.key, "ignored an object outside of input/");
            return Ok(());
        }
        // Boxed: the SDK's futures are large and this one holds many.
        Box::pin(self.submit(object, invocation)).await
    }

    #[tracing::instrument(skip_all, fields(asset = tracing::field::Empty))]
    async fn submit(&self, object: &ObjectCreated, invocation: &Invocation) -> Result<(), Error> {
        let Loaded {
            source,
            exists,
            mut removal,
            obstacle,
        } = self.load(object).await?;
        let covers = |removal: &&Removal| removal.covers(&source) || !exists;
        if let Some(removal) = removal.as_ref().filter(covers) {
            info!("the video was removed");
            return self.withdraw(&source, removal, exists, invocation).await;
        }
        if let Some(reason) = obstacle {
            return self.close(source, reason, invocation).await;
        }
        let templates = self.templates().await?;
        loop {
            let claim = Claim {
                source: &source,
                builder: self.builder(&templates),
                removal: removal.as_ref(),
                invocation,
            };
            let Some((record, prepared)) = self.claim(&claim).await? else {
                return Ok(());
            };
            // A removal writes its tombstone before it deletes the record. One that was before this claim has a
            // tombstone by now, and one that comes later finds the claim.
            let latest = self.services.removals.get(&record.id).await?;
            if let Some(latest) = latest.as_ref().filter(covers) {
                info!("the video was removed meanwhile");
                return self.withdraw(&source, latest, exists, invocation).await;
            }
            if latest == removal {
                return self.create(&record, prepared, invocation).await;
            }
            // An earlier upload of the same bytes was removed meanwhile: its attempts count.
            removal = latest;
        }
    }

    /// Closes what a delivery has recorded of a video that was removed, unless the record is of a newer upload. Only a
    /// removal deletes records; reconcile reports what is left.
    async fn withdraw(
        &self,
        source: &Source,
        removal: &Removal,
        exists: bool,
        invocation: &Invocation,
    ) -> Result<(), Error> {
        let (holder, now) = (&invocation.holder, vod_aws::now());
        // No job is searched for: if there is one, `complete` cancels it.
        let close = |known: &mut Record| {
            let is_same = known.source.sequencer == source.sequencer;
            let is_removed = is_same || removal.covers(&known.source) || !exists;
            is_removed && end::close(known, &[], upload::REMOVED, holder, now)
        };
        self.services.catalog.change(&source.asset_id(), close).await?;
        Ok(())
    }

    /// Reads the object and its tombstone.
    async fn load(&self, object: &ObjectCreated) -> Result<Loaded, Error> {
        // The object as it is now, whatever version was uploaded: MediaConvert reads no other.
        let head = self.services.head(&object.bucket, &object.key).await?;
        let source = upload::source(object, head.as_ref(), vod_aws::now());
        let id = source.asset_id();
        tracing::Span::current().record("asset", id.as_str());
        let removal = self.services.removals.get(&id).await?;
        Ok(Loaded {
            exists: head.is_some(),
            obstacle: upload::obstacle(&source, head.as_ref()),
            source,
            removal,
        })
    }

    /// Records that an upload is not encoded, or closes what a delivery that died has left of it.
    async fn close(&self, source: Source, reason: &str, invocation: &Invocation) -> Result<(), Error> {
        let (catalog, holder, now) = (&self.services.catalog, &invocation.holder, vod_aws::now());
        let record = upload::ignored(source, reason, now);
        if catalog.claim(&record).await? {
            info!(asset = %record.id, reason, "upload ignored");
            return Ok(());
        }
        let known = catalog.get(&record.id).await?.map(|known| known.value);
        let Some(known) = known.filter(|known| end::can_close(known, holder, now)) else {
            return Ok(());
        };
        let mut found = Vec::new();
        for job in known
            .latest_attempts()
            .filter(|job| attempt::may_have_unknown_job(job))
        {
            if let Some(job_id) = self.find_job(&known, &job.template, job.attempt).await? {
                found.push(Created {
                    template: job.template.clone(),
                    attempt: job.attempt,
                    outcome: Outcome::Found { job_id },
                });
            }
        }
        let close = |known: &mut Record| end::close(known, &found, reason, holder, now);
        catalog.change(&record.id, close).await?;
        Ok(())
    }

    /// Claims the upload, or takes over what is on record. `None`: there is nothing to do.
    async fn claim(&self, claim: &Claim<'_>) -> Result<Option<Claimed>, Error> {
        let (id, now) = (claim.source.asset_id(), vod_aws::now());
        let nothing = |why: &str| info!(asset = %id, why, "nothing to do");
        let mut media = Media::default();
        if let Some(known) = self.services.catalog.get(&id).await? {
            let holder = &claim.invocation.holder;
            if let Next::Nothing(why) = attempt::next(&known.value, claim.source, holder, now) {
                nothing(why);
                return Ok(None);
            }
            media = self.media(&known.value.source).await;
        } else if let Some(claimed) = self.claim_first(claim).await? {
            return Ok(Some(claimed));
        }
        let (mut next, mut prepared) = (Next::Nothing("the record is gone"), Vec::new());
        let resume = |known: &mut Record| {
            (next, prepared) = claim.resume(known, &media, now);
            !matches!(next, Next::Nothing(_))
        };
        let record = self.services.catalog.change(&id, resume).await?;
        if let Next::Nothing(why) = next {
            nothing(why);
            return Ok(None);
        }
        warn!(asset = %id, ?next, "continuing a claim");
        Ok(record.map(|record| (record, prepared)))
    }

    /// Claims an upload that has no record. `None`: another delivery was first.
    ///
    /// The source is probed before, so that the claim contains everything that will be sent: an invocation that dies
    /// after CreateJob leaves a whole record, even if COMPLETE arrives before the next delivery.
    async fn claim_first(&self, claim: &Claim<'_>) -> Result<Option<Claimed>, Error> {
        let media = self.probe(claim.source).await;
        let (record, prepared) = claim.first(media, vod_aws::now());
        if !self.services.catalog.claim(&record).await? {
            return Ok(None);
        }
        info!(asset = %record.id, "claimed");
        Ok(Some((record, prepared)))
    }

    /// Creates the jobs that are missing, and stores what came of it.
    async fn create(
        &self,
        record: &Record,
        prepared: Vec<Prepared>,
        invocation: &Invocation,
    ) -> Result<(), Error> {
        let (mut created, mut failure) = (Vec::new(), None);
        for job in prepared {
            match self.create_one(record, job, invocation).await {
                Ok(outcome) => created.push(outcome),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // What was created goes on record even if a later one failed: nothing is created twice.
        let finished = failure.is_none();
        // No record, or one that was created later: the video was removed meanwhile. `complete` cancels the jobs when
        // they start.
        let store = |known: &mut Record| {
            known.created_at == record.created_at
                && store::store_all(known, &created, finished, vod_aws::now())
        };
        self.services.catalog.change(&record.id, store).await?;
        failure.map_or(Ok(()), Err)
    }

    /// The job of one attempt, found or created, or the reason why there can be none.
    async fn create_one(
        &self,
        record: &Record,
        prepared: Prepared,
        invocation: &Invocation,
    ) -> Result<Created, Error> {
        let (template, attempt) = (prepared.template.clone(), prepared.attempt);
        let outcome = 'outcome: {
            // First of all: a job that exists does not depend on what has become of its template since.
            if !invocation.made_first(record)
                && let Some(job_id) = self.find_job(record, &template, attempt).await?
            {
                break 'outcome Outcome::Found { job_id };
            }
            let body = match &prepared.request {
                Ok(request) => &request.body,
                Err(problem) => break 'outcome Outcome::Refused(problem.clone()),
            };
            if vod_aws::now() + CREATE_MARGIN > invocation.deadline {
                return Err(Error::OutOfTime);
            }
            match self.services.mediaconvert.create_job(body).await {
                Ok(job_id) => {
                    info!(asset = %record.id, %job_id, template, attempt, "job created");
                    let prepared = Box::new(prepared);
                    Outcome::Sent { job_id, prepared }
                }
                Err(CreateJobError::Refused { status, message }) => {
                    warn!(asset = %record.id, status, message, template, "job refused");
                    Outcome::Refused(error_codes::refused(status, &message))
                }
                Err(source) => {
                    let asset = record.id.to_string();
                    return Err(Error::CreateJob { asset, source });
                }
            }
        };
        Ok(Created {
            template,
            attempt,
            outcome,
        })
    }

    /// The job that an earlier delivery has created without living to put it on record.
    async fn find_job(&self, record: &Record, template: &str, attempt: u32) -> Result<Option<String>, Error> {
        let url = record.source.url();
        let metadata = job::user_metadata(&self.config.jobs.target(record, template, attempt));
        let mediaconvert = &self.services.mediaconvert;
        let search = || mediaconvert.find_job(&url, &metadata, record.created_at);
        let mut job_id = search().await?;
        if job_id.is_none() {
            vod_aws::sleep(SECOND_SEARCH).await;
            job_id = search().await?;
        }
        if let Some(job_id) = &job_id {
            info!(asset = %record.id, %job_id, template, attempt, "job found");
        }
        Ok(job_id)
    }

    /// Starts a new attempt at each template that has failed with an error that may pass. Returns whether there was
    /// anything to start.
    #[tracing::instrument(skip_all, fields(asset = %id))]
    pub async fn retry(&self, id: &AssetId, invocation: &Invocation) -> Result<bool, Error> {
        let catalog = &self.services.catalog;
        let templates = self.templates().await?;
        let Some(known) = catalog.get(id).await? else {
            return Ok(false);
        };
        let source = known.value.source;
        let head = self.services.head(&source.bucket, &source.key).await?;
        let media = match head {
            Some(head) if upload::is_current(&source, &head) => Some(self.media(&source).await),
            _ => None,
        };
        let (builder, mut retry) = (self.builder(&templates), Retry::Nothing);
        let change = |record: &mut Record| {
            retry = attempt::retry(record, &builder, media.as_ref(), invocation, vod_aws::now());
            retry != Retry::Nothing
        };
        let changed = catalog.change(id, change).await?;
        let (Some(record), Retry::Started(prepared)) = (changed, retry) else {
            return Ok(false);
        };
        info!("trying again");
        Box::pin(self.create(&record, prepared, invocation)).await?;
        Ok(true)
    }

    /// Records that an upload is given up for now, because its message has failed in all its `deliveries`. If that
    /// fails too, the message in the dead letters and its alarm remain.
    pub async fn give_up(
        &self,
        object: &ObjectCreated,
        deliveries: u32,
        invocation: &Invocation,
        error: &Error,
    ) {
        // Without an `ETag`, its asset is unknown.
        if object.etag.is_none() || !object.key.starts_with(INPUT) {
            return;
        }
        let error = error_codes::undeliverable(deliveries, &vod_aws::chain(error));
        match self.put_reason(object, invocation, &error).await {
            Ok(()) => info!(key = %object.key, deliveries, "given up for now"),
            Err(error) => warn!(key = %object.key, error = vod_aws::chain(&error), "no reason on record"),
        }
    }

    /// Records why no job could be created. Attempts that another delivery is working on stay as they are.
    pub async fn put_reason(
        &self,
        object: &ObjectCreated,
        invocation: &Invocation,
        error: &JobError,
    ) -> Result<(), Error> {
        let (catalog, now) = (&self.services.catalog, vod_aws::now());
        let record = end::given_up(upload::source(object, None, now), invocation, error, now);
        let removals = &self.services.removals;
        // Only the head of the object tells whether it came after a removal, so then no record is claimed without one.
        if removals.get(&record.id).await?.is_some() || !catalog.claim(&record).await? {
            let change = |known: &mut Record| end::give_up(known, invocation, error, now);
            catalog.change(&record.id, change).await?;
            return Ok(());
        }
        // The tombstone is read again after every claim.
        match removals.get(&record.id).await? {
            Some(removal) => self.withdraw(&record.source, &removal, true, invocation).await,
            None => Ok(()),
        }
    }

    /// The bucket's templates, or the built-in one, with their job templates and presets applied.
    pub async fn templates(&self) -> Result<Vec<LoadedTemplate>, Error> {
        let mut templates = vod_aws::load_templates(&self.services.s3, &self.config.bucket).await?;
        if templates.is_empty() {
            templates.push(self.config.template.clone());
        }
        for loaded in &mut templates {
            if let Ok(template) = loaded.template.clone() {
                let completed = complete_template(&self.services.mediaconvert, template).await?;
                loaded.template = completed.map_err(|problem| format!("template {}: {problem}", loaded.name));
            }
        }
        Ok(templates)
    }

    /// What jobs are built from.
    pub fn builder<'a>(&'a self, templates: &'a [LoadedTemplate]) -> JobBuilder<'a> {
        JobBuilder {
            settings: &self.config.jobs,
            templates,
        }
    }

    /// What is known of the source of a record; a probe if that is nothing.
    async fn media(&self, source: &Source) -> Media {
        if source.media == Media::default() {
            self.probe(source).await
        } else {
            source.media.clone()
        }
    }

    /// What a probe finds in the source. A probe that fails or takes too long never fails the upload: the template is
    /// then used as it is.
    pub async fn probe(&self, source: &Source) -> Media {
        let url = source.url();
        match vod_aws::within(PROBE_TIMEOUT, self.services.mediaconvert.probe(&url)).await {
            Some(Ok(media)) => return media,
            Some(Err(error)) => warn!(key = ?source.key, error = vod_aws::chain(&error), "probe failed"),
            None => warn!(key = ?source.key, seconds = PROBE_TIMEOUT.as_secs(), "probe took too long"),
        }
        Media::default()
    }
}
