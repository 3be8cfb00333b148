//! Repairs of what has a record: uploads are submitted again, and jobs are asked for an end that was not reported.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tracing::warn;
use vod_aws::JobInfo;
use vod_core::asset::AssetId;
use vod_core::attempt::repair::{Active, REPAIRS};
use vod_core::attempt::{Invocation, Prepared, upload};
use vod_core::error_codes;
use vod_core::keys::asset_prefix;
use vod_core::object::Listed;
use vod_core::record::{JobError, Record, Source};
use vod_core::state::{self, Change};

use super::check::{Checked, Checker, Finding, failed};
use super::outputs::{self, Attempts, Ended, Missing, Observed};
use super::summary::Outcome;
use super::{Reconcile, limited};
use crate::Error;

/// How long it may take to record the reason of a repair that failed.
const REASON_TIMEOUT: Duration = Duration::from_secs(10);

/// What became of a job.
enum Answer {
    /// It runs, or waits for its turn.
    Running,
    /// It has ended, and the record says so now.
    Recorded(&'static str),
    /// It has succeeded, and its outputs are gone.
    OutputsMissing,
}

/// Submits an upload as S3's event would have. `known` is its record, if it has one.
pub(super) async fn resubmit(
    checker: Checker<'_>,
    source: &Source,
    known: Option<&Record>,
) -> Result<(), Error> {
    let (object, invocation) = (upload::event(source), checker.run.invocation());
    let submitted = limited(checker.reconcile.submit.upload(&object, &invocation)).await;
    if let Err(error) = &submitted {
        let tries = known.map_or(0, |record| record.repairs) + 1;
        let reason = error_codes::unrepaired(tries, tries < REPAIRS, &vod_aws::chain(error));
        put_reason(checker.reconcile, source, &invocation, &reason).await;
    }
    submitted
}

/// Ends an upload for which no repair has produced a job.
pub(super) async fn abandon(checker: Checker<'_>, record: &Record) {
    let reason = "every invocation that had claimed it died";
    let reason = error_codes::unrepaired(record.repairs, false, reason);
    let invocation = checker.run.invocation();
    put_reason(checker.reconcile, &record.source, &invocation, &reason).await;
}

/// If the reason cannot be recorded either, the next pass tries again.
async fn put_reason(reconcile: &Reconcile, source: &Source, invocation: &Invocation, reason: &JobError) {
    let object = upload::event(source);
    let put = Box::pin(reconcile.submit.put_reason(&object, invocation, reason));
    let put = vod_aws::within(REASON_TIMEOUT, put).await;
    if let Err(error) = put.unwrap_or(Err(Error::SlowRepair(REASON_TIMEOUT.as_secs()))) {
        warn!(key = %source.key, error = vod_aws::chain(&error), "no reason on record");
    }
}

/// Asks MediaConvert for the jobs that have not reported for a while, and records what has become of them.
pub(super) async fn ask(checker: Checker<'_>, record: &Record, active: &[Active]) -> Checked {
    let mut findings = Vec::new();
    for active in active {
        let (found, outcome) = match limited(ask_one(checker, record, active)).await {
            Ok(Answer::Running) => continue,
            Ok(Answer::Recorded(found)) if checker.run.dry_run => (found, Outcome::WouldMend),
            Ok(Answer::Recorded(found)) => (found, Outcome::Mended),
            Ok(Answer::OutputsMissing) => ("its job succeeded and its outputs are gone", Outcome::GivenUp),
            Err(error) => ("its job could not be asked for", failed(&error)),
        };
        findings.push(Finding::new(&record.id, &record.source.key, found, outcome));
    }
    if findings.is_empty() {
        Checked::Waiting
    } else {
        Checked::Found(findings)
    }
}

async fn ask_one(checker: Checker<'_>, record: &Record, active: &Active) -> Result<Answer, Error> {
    let reconcile = checker.reconcile;
    let job = reconcile.services.mediaconvert.job(&active.job_id).await?;
    if job.as_ref().is_some_and(|job| !job.has_ended()) {
        return Ok(Answer::Running);
    }
    let observed = observe(reconcile, &record.id).await?;
    let observed = observed.get(&(active.template.clone(), active.attempt));
    let Some(job) = job else {
        return vanished(checker, record, active, observed).await;
    };
    let asset = (&record.id, active.template.as_str(), active.attempt);
    match last_event(reconcile, &job, asset, observed.unwrap_or(&Observed::default())) {
        Ok(event) => {
            deliver(checker, &event).await?;
            Ok(Answer::Recorded("the event of its job's end was lost"))
        }
        Err(Missing(key)) => {
            fail(checker, record, active, error_codes::outputs_gone(&key)).await?;
            Ok(Answer::OutputsMissing)
        }
    }
}

/// A job that MediaConvert does not know: its outputs may still show that it succeeded.
async fn vanished(
    checker: Checker<'_>,
    record: &Record,
    active: &Active,
    observed: Option<&Observed>,
) -> Result<Answer, Error> {
    let templates = checker.reconcile.submit.templates().await?;
    let builder = checker.reconcile.submit.builder(&templates);
    let prepared = builder.prepare(record, &active.template, active.attempt);
    let event = observed.and_then(|observed| {
        event_of_outputs(checker.reconcile, record, &active.job_id, &prepared, observed)
    });
    if let Some(event) = event {
        deliver(checker, &event).await?;
        return Ok(Answer::Recorded("its job is forgotten and its outputs are there"));
    }
    fail(checker, record, active, error_codes::job_unknown(&active.job_id)).await?;
    Ok(Answer::Recorded("its job has vanished without outputs"))
}

/// Records an event as if EventBridge had delivered it.
async fn deliver(checker: Checker<'_>, event: &Value) -> Result<(), Error> {
    if checker.run.dry_run {
        return Ok(());
    }
    checker.reconcile.complete.record(event).await
}

async fn fail(checker: Checker<'_>, record: &Record, active: &Active, error: JobError) -> Result<(), Error> {
    if checker.run.dry_run {
        return Ok(());
    }
    let change = Change::Error(error);
    let apply = |known: &mut Record| {
        let (template, now) = (&active.template, vod_aws::now());
        state::apply(known, template, active.attempt, &active.job_id, &change, now)
    };
    checker
        .reconcile
        .services
        .catalog
        .change(&record.id, apply)
        .await?;
    Ok(())
}

/// An asset, a template and an attempt.
type Place<'a> = (&'a AssetId, &'a str, u32);

fn ended<'a>(reconcile: &'a Reconcile, job: &'a JobInfo, (asset, template, attempt): Place<'a>) -> Ended<'a> {
    Ended {
        application: reconcile.application(),
        output_bucket: reconcile.outputs.name(),
        asset,
        template,
        attempt,
        job,
    }
}

/// The event of a job's end, made of GetJob's answer and of what is in its folder.
pub(super) fn last_event(
    reconcile: &Reconcile,
    job: &JobInfo,
    place: Place<'_>,
    observed: &Observed,
) -> Result<Value, Missing> {
    let ended = ended(reconcile, job, place);
    if job.status == "COMPLETE" {
        return outputs::complete(&ended, observed);
    }
    let members = match job.error_code {
        Some(code) => json!({ "errorCode": code, "errorMessage": job.error_message }),
        None => json!({}),
    };
    Ok(outputs::event(&ended, &job.status, &members))
}

/// The COMPLETE event of an attempt whose job is forgotten, if its outputs are whole: all that its template names
/// today, or, if that has changed since, as many groups.
pub(super) fn event_of_outputs(
    reconcile: &Reconcile,
    record: &Record,
    job_id: &str,
    prepared: &Prepared,
    observed: &Observed,
) -> Option<Value> {
    let request = prepared.request.as_ref().ok();
    let mut job = JobInfo {
        id: job_id.to_owned(),
        input: record.source.url(),
        settings: request.map_or(Value::Null, |request| request.body["settings"].clone()),
        ..JobInfo::default()
    };
    let place = (&record.id, prepared.template.as_str(), prepared.attempt);
    if let Ok(event) = outputs::complete(&ended(reconcile, &job, place), observed) {
        return Some(event);
    }
    let wanted = job.settings["outputGroups"].as_array()?.len();
    job.settings = Value::Null;
    let event = outputs::complete(&ended(reconcile, &job, place), observed).ok()?;
    let groups = event["detail"]["outputGroupDetails"].as_array()?.len();
    (groups >= wanted).then_some(event)
}

/// What is under `output/<asset>/`, by template and attempt.
pub(super) async fn observe(reconcile: &Reconcile, asset: &AssetId) -> Result<Attempts<Observed>, Error> {
    let mut found: Attempts<Observed> = BTreeMap::new();
    for Listed { key, .. } in reconcile.outputs.all(&asset_prefix(asset)).await? {
        if let Some(attempt) = outputs::attempt_of(asset, &key) {
            found.entry(attempt).or_default().add(&key);
        }
    }
    Ok(found)
}
