//! Repairs of what has a record: uploads sent again, and jobs asked for the end that nobody has reported.

use std::collections::BTreeMap;
use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use submit::Invocation;
use tracing::warn;
use vod_aws::{JobInfo, LoadedTemplate};
use vod_core::asset::AssetId;
use vod_core::error_codes;
use vod_core::events::ObjectCreated;
use vod_core::job::{self, JobRequest};
use vod_core::keys::asset_prefix;
use vod_core::record::{Job, JobError, Record, Source};
use vod_core::state::{self, Change};

use crate::decide::{Active, REPAIRS};
use crate::look::{Finding, Looked, failed};
use crate::outputs::{self, Missing, Observed, Succeeded};
use crate::reconcile::{Reconcile, ReconcileError, Run};
use crate::summary::Outcome;

/// How long the reason of a repair that failed may take to get on record.
const REASON: Duration = Duration::from_secs(10);

/// How asking for a job ended.
enum Answer {
    /// It runs, or waits for its turn.
    Alive,
    /// It has ended, and now the record knows.
    Closed(&'static str),
    /// It has succeeded, and its outputs are gone.
    Robbed,
}

/// The event of an upload.
fn created(source: &Source) -> ObjectCreated {
    ObjectCreated {
        bucket: source.bucket.clone(),
        key: source.key.clone(),
        size: Some(source.size),
        etag: Some(source.etag.clone()),
        version: source.version.clone(),
        sequencer: source.sequencer.clone(),
    }
}

impl Reconcile {
    /// Gives an upload to `submit` as S3's event would have. `known`: its record, if it has one.
    pub(crate) async fn send_again(
        &self,
        source: &Source,
        known: Option<&Record>,
        run: &Run,
    ) -> Result<(), ReconcileError> {
        let (object, invocation) = (created(source), run.invocation());
        let sent = Self::limited(async { Ok(self.submit.upload(&object, &invocation).await?) }).await;
        if let Err(error) = &sent {
            let tries = known.map_or(0, |record| record.repairs) + 1;
            let reason = error_codes::unrepaired(tries, tries < REPAIRS, &vod_aws::chain(error));
            self.put_reason(source, &invocation, reason).await;
        }
        sent
    }

    /// Ends an upload that nothing has brought as far as a job.
    pub(crate) async fn abandon(&self, record: &Record, run: &Run) {
        let reason = "whoever had claimed it died, time and again";
        let reason = error_codes::unrepaired(record.repairs, false, reason);
        self.put_reason(&record.source, &run.invocation(), reason).await;
    }

    /// Where the reason cannot be put on record either, the next pass tries again.
    async fn put_reason(&self, source: &Source, invocation: &Invocation, reason: JobError) {
        let put = async {
            let object = created(source);
            Ok(self.submit.put_reason(&object, invocation, reason).await?)
        };
        let put = vod_aws::within(REASON, Box::pin(put)).await;
        if let Err(error) = put.unwrap_or(Err(ReconcileError::Slow)) {
            warn!(key = %source.key, error = vod_aws::chain(&error), "no reason on record");
        }
    }

    /// Asks MediaConvert for the jobs of which nothing was heard, and records what they have come to.
    pub(crate) async fn ask(&self, run: &Run, record: &Record, active: &[Active]) -> Looked {
        let mut findings = Vec::new();
        for active in active {
            let found = |found: &str, outcome| Finding::new(&record.id, &record.source.key, found, outcome);
            match Self::limited(self.ask_one(run, record, active)).await {
                Ok(Answer::Alive) => {}
                Ok(Answer::Closed(what)) if run.look_only => findings.push(found(what, Outcome::WouldMend)),
                Ok(Answer::Closed(what)) => findings.push(found(what, Outcome::Mended)),
                Ok(Answer::Robbed) => {
                    findings.push(found(
                        "its job succeeded and its outputs are gone",
                        Outcome::GivenUp,
                    ));
                }
                Err(error) => findings.push(found("its job could not be asked for", failed(&error))),
            }
        }
        if findings.is_empty() {
            Looked::Waiting
        } else {
            Looked::Found(findings)
        }
    }

    async fn ask_one(&self, run: &Run, record: &Record, active: &Active) -> Result<Answer, ReconcileError> {
        let Some(job) = self.mediaconvert.job(&active.job_id).await? else {
            return self.vanished(run, record, active).await;
        };
        if !job.has_ended() {
            return Ok(Answer::Alive);
        }
        let observed = self.observe(&record.id).await?;
        let place = (active.template.clone(), active.attempt);
        let observed = observed.get(&place).cloned().unwrap_or_default();
        let asset = (&record.id, active.template.as_str(), active.attempt);
        match self.last_event(&job, asset, &observed) {
            Ok(event) => {
                self.deliver(run, event).await?;
                Ok(Answer::Closed("the event of its job's end was lost"))
            }
            Err(Missing(key)) => {
                let error = error_codes::outputs_gone(&key);
                self.fail(run, record, active, error).await?;
                Ok(Answer::Robbed)
            }
        }
    }

    /// A job that MediaConvert does not know: its outputs may still tell that it succeeded.
    async fn vanished(&self, run: &Run, record: &Record, active: &Active) -> Result<Answer, ReconcileError> {
        let observed = self.observe(&record.id).await?;
        let templates = self.submit.templates().await?;
        let mut planned = Job::planned(&active.template, None, active.attempt);
        planned.job_id = Some(active.job_id.clone());
        let observed = observed.get(&(active.template.clone(), active.attempt));
        if let Some(event) =
            observed.and_then(|observed| self.event_of_outputs(record, &planned, &templates, observed))
        {
            self.deliver(run, event).await?;
            return Ok(Answer::Closed("its job is forgotten and its outputs are there"));
        }
        let error = error_codes::job_unknown(&active.job_id);
        self.fail(run, record, active, error).await?;
        Ok(Answer::Closed("its job has vanished without outputs"))
    }

    /// Hands an event to `complete`, as EventBridge would have.
    async fn deliver(&self, run: &Run, event: Value) -> Result<(), ReconcileError> {
        if !run.look_only {
            self.complete
                .handle(LambdaEvent::new(event, Context::default()))
                .await?;
        }
        Ok(())
    }

    async fn fail(
        &self,
        run: &Run,
        record: &Record,
        active: &Active,
        error: JobError,
    ) -> Result<(), ReconcileError> {
        if run.look_only {
            return Ok(());
        }
        let change = Change::Error(error);
        let apply = |known: &mut Record| {
            let (template, now) = (&active.template, vod_aws::now());
            state::apply(known, template, active.attempt, &active.job_id, &change, now)
        };
        self.catalog.change(&record.id, apply).await?;
        Ok(())
    }

    /// The event of a job's end, made of what GetJob tells and what lies in its folder.
    pub(crate) fn last_event(
        &self,
        job: &JobInfo,
        (asset, template, attempt): (&AssetId, &str, u32),
        observed: &Observed,
    ) -> Result<Value, Missing> {
        let succeeded = Succeeded {
            application: &self.config.submit.application,
            asset,
            template,
            attempt,
            job_id: &job.id,
            at: job.finished_at.unwrap_or_else(vod_aws::now),
            settings: Some(&job.settings),
            details: &job.outputs,
            warnings: &job.warnings,
            output_bucket: self.outputs.bucket(),
            input: &job.input,
        };
        if job.status == "COMPLETE" {
            return outputs::complete(&succeeded, observed);
        }
        let members = match job.error_code {
            Some(code) => json!({ "errorCode": code, "errorMessage": job.error_message }),
            None => json!({}),
        };
        Ok(outputs::event(&succeeded, &job.status, &members))
    }

    /// The COMPLETE event of an attempt whose job nobody knows any more, if its outputs are whole: all that its
    /// template names today, or, where that has changed since, as many groups.
    pub(crate) fn event_of_outputs(
        &self,
        record: &Record,
        planned: &Job,
        templates: &[LoadedTemplate],
        observed: &Observed,
    ) -> Option<Value> {
        let request = self.request(record, planned, templates);
        let settings = request.as_ref().map(|request| &request.body["settings"]);
        let input = format!("s3://{}/{}", record.source.bucket, record.source.key);
        let mut succeeded = Succeeded {
            application: &self.config.submit.application,
            asset: &record.id,
            template: &planned.template,
            attempt: planned.attempt,
            job_id: planned.job_id.as_deref().unwrap_or_default(),
            at: vod_aws::now(),
            settings,
            details: &[],
            warnings: &[],
            output_bucket: self.outputs.bucket(),
            input: &input,
        };
        if let Ok(event) = outputs::complete(&succeeded, observed) {
            return Some(event);
        }
        let wanted = settings?["outputGroups"].as_array()?.len();
        succeeded.settings = None;
        let event = outputs::complete(&succeeded, observed).ok()?;
        let groups = event["detail"]["outputGroupDetails"].as_array()?.len();
        (groups >= wanted).then_some(event)
    }

    /// The job of an attempt, built again as submit would today.
    pub(crate) fn request(
        &self,
        record: &Record,
        planned: &Job,
        templates: &[LoadedTemplate],
    ) -> Option<JobRequest> {
        let template = templates
            .iter()
            .find(|template| template.name == planned.template)?;
        let template = template.template.as_ref().ok()?;
        let target = self.submit.target(record, planned);
        job::build(template, &target, &record.source.media, self.config.submit.rules).ok()
    }

    /// What lies under `output/<asset>/`, by template and attempt.
    pub(crate) async fn observe(
        &self,
        asset: &AssetId,
    ) -> Result<BTreeMap<(String, u32), Observed>, ReconcileError> {
        let mut found: BTreeMap<(String, u32), Observed> = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.outputs.keys(&asset_prefix(asset), after.as_deref()).await?;
            for key in &page.entries {
                if let Some(attempt) = outputs::attempt_of(asset, key) {
                    found.entry(attempt).or_default().add(key);
                }
            }
            match page.next {
                Some(place) => after = Some(place.key),
                None => return Ok(found),
            }
        }
    }
}
