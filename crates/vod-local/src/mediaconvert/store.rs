//! Jobs in the stack's database. A change of a job and the event that tells of it are one transaction, so
//! that no event is lost or made up, whenever the process dies.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde_json::json;
use tokio::sync::Notify;

use super::events::Event;
use super::job::{Job, Messages, Status, Timing};
use super::request::CreateJob;
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::ids;
use crate::lambda::ACCOUNT;
use crate::queue::{self, Queues};

mod turns;

pub(super) use self::turns::Turn;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS mediaconvert_job (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    status       TEXT NOT NULL,
    priority     INTEGER NOT NULL,
    queue        TEXT NOT NULL,
    input        TEXT NOT NULL,
    token        TEXT,
    submitted_ms INTEGER NOT NULL,
    job          TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS mediaconvert_job_status ON mediaconvert_job (status, number);
CREATE INDEX IF NOT EXISTS mediaconvert_job_token ON mediaconvert_job (token) WHERE token IS NOT NULL;
";

/// `clientRequestToken` is remembered for one minute after a successful request, no longer (API reference).
const TOKEN_MEMORY: SignedDuration = SignedDuration::from_mins(1);

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("failed to read a stored job")]
    Json(#[from] serde_json::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Which jobs to list. Newest first unless `ascending`.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) status: Option<Status>,
    /// An ARN.
    pub(super) queue: Option<String>,
    /// A part of an input's URL.
    pub(super) input: Option<String>,
    pub(super) ascending: bool,
    /// The number of the last job of the page before.
    pub(super) after: Option<i64>,
    pub(super) limit: usize,
}

/// One page of jobs, and where the next one starts.
pub(super) struct Page {
    pub(super) jobs: Vec<Job>,
    pub(super) next: Option<i64>,
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Store {
    db: Db,
    queues: Queues,
    clock: Clock,
    region: Arc<str>,
    events_queue: Arc<str>,
    submitted: Arc<Notify>,
}

impl Store {
    pub(super) async fn open(
        db: Db,
        queues: Queues,
        clock: Clock,
        region: &str,
        events_queue: &str,
    ) -> Result<Self, DbError> {
        db.create_tables(TABLES).await?;
        db.create_tables(turns::TABLES).await?;
        Ok(Self {
            db,
            queues,
            clock,
            region: region.into(),
            events_queue: events_queue.into(),
            submitted: Arc::new(Notify::new()),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Creates a job, or gives back the one that this token made within the last minute.
    pub(super) async fn create(&self, request: CreateJob, queue_arn: String) -> Result<Job, StoreError> {
        let (region, now) = (self.region.clone(), self.now());
        let job = self
            .db
            .transaction(move |t| insert(t, request, queue_arn, &region, now))
            .await?;
        self.submitted.notify_one();
        Ok(job)
    }

    pub(super) async fn get(&self, id: &str) -> Result<Option<Job>, StoreError> {
        let id = id.to_owned();
        self.db.transaction(move |t| read(t, &id)).await
    }

    pub(super) async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.db.transaction(move |t| list(t, &filter)).await
    }

    /// Changes an active job and sends the events in which `change` results. None when there is no such job
    /// or it has ended: what has ended stays as it is.
    pub(super) async fn change<F>(&self, id: &str, change: F) -> Result<Option<Job>, StoreError>
    where
        F: FnOnce(&mut Job, Timestamp) -> Vec<Event> + Send + 'static,
    {
        let (id, now, region, events_queue) = (
            id.to_owned(),
            self.now(),
            self.region.clone(),
            self.events_queue.clone(),
        );
        let changed = self
            .db
            .transaction(move |t| {
                let Some(mut job) = read(t, &id)?.filter(|job| job.status.is_active()) else {
                    return Ok::<_, StoreError>(None);
                };
                let events = change(&mut job, now);
                write(t, &job)?;
                for event in events {
                    queue::send(
                        t,
                        &events_queue,
                        &event.to_json(&job, &region, now).to_string(),
                        now,
                    )?;
                }
                Ok(Some(job))
            })
            .await?;
        self.queues.wake();
        Ok(changed)
    }

    /// Returns when a job may have been submitted. One waiter at a time.
    pub(super) async fn submitted(&self) {
        self.submitted.notified().await;
    }

    /// How many jobs are SUBMITTED and PROGRESSING.
    pub(super) async fn active(&self) -> Result<(i64, i64), StoreError> {
        let count = |t: &Transaction<'_>, status: Status| {
            let sql = "SELECT count(*) FROM mediaconvert_job WHERE status = ?1";
            t.query_row(sql, [status.as_str()], |row| row.get(0))
        };
        self.db
            .transaction(move |t| Ok((count(t, Status::Submitted)?, count(t, Status::Progressing)?)))
            .await
    }
}

fn insert(
    t: &Transaction<'_>,
    request: CreateJob,
    queue_arn: String,
    region: &str,
    now: Timestamp,
) -> Result<Job, StoreError> {
    if let Some(token) = &request.client_request_token {
        let since = (now - TOKEN_MEMORY).as_millisecond();
        let sql = "SELECT job FROM mediaconvert_job WHERE token = ?1 AND submitted_ms > ?2 ORDER BY number DESC LIMIT 1";
        let known: Option<String> = t
            .query_row(sql, params![token, since], |row| row.get(0))
            .optional()?;
        if let Some(text) = known {
            return Ok(serde_json::from_str(&text)?);
        }
    }
    let job = new_job(request, queue_arn, region, now);
    t.execute(
        "INSERT INTO mediaconvert_job (id, status, priority, queue, input, token, submitted_ms, job)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            job.id,
            job.status.as_str(),
            job.priority,
            job.queue,
            job.input(),
            job.client_request_token,
            now.as_millisecond(),
            serde_json::to_string(&job)?,
        ],
    )?;
    Ok(job)
}

fn new_job(request: CreateJob, queue: String, region: &str, now: Timestamp) -> Job {
    let id = format!("{}-{}", now.as_millisecond(), ids::letters(6));
    Job {
        arn: format!("arn:aws:mediaconvert:{region}:{ACCOUNT}:jobs/{id}"),
        id,
        created_at: now.as_second(),
        status: Status::Submitted,
        current_phase: None,
        job_percent_complete: None,
        retry_count: 0,
        timing: Timing {
            submit_time: now.as_second(),
            ..Timing::default()
        },
        queue,
        priority: request.priority,
        role: request.role,
        settings: request.settings,
        user_metadata: request.user_metadata,
        client_request_token: request.client_request_token,
        status_update_interval: request
            .status_update_interval
            .unwrap_or_else(|| "SECONDS_60".to_owned()),
        acceleration_settings: Some(
            request
                .acceleration_settings
                .unwrap_or_else(|| json!({ "mode": "DISABLED" })),
        ),
        acceleration_status: "NOT_APPLICABLE".to_owned(),
        billing_tags_source: request.billing_tags_source,
        hop_destinations: request.hop_destinations,
        error_code: None,
        error_message: None,
        messages: Messages::default(),
        warnings: Vec::new(),
        output_group_details: None,
    }
}

fn read(t: &Transaction<'_>, id: &str) -> Result<Option<Job>, StoreError> {
    let sql = "SELECT job FROM mediaconvert_job WHERE id = ?1";
    let text: Option<String> = t.query_row(sql, [id], |row| row.get(0)).optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn write(t: &Transaction<'_>, job: &Job) -> Result<(), StoreError> {
    let sql = "UPDATE mediaconvert_job SET status = ?2, job = ?3 WHERE id = ?1";
    t.execute(
        sql,
        params![job.id, job.status.as_str(), serde_json::to_string(job)?],
    )?;
    Ok(())
}

fn list(t: &Transaction<'_>, filter: &Filter) -> Result<Page, StoreError> {
    // The parameters decide by themselves whether they apply, so there is one statement for every filter.
    let sql = if filter.ascending {
        "SELECT number, job FROM mediaconvert_job
         WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR instr(input, ?3) > 0)
           AND (?4 IS NULL OR number > ?4) ORDER BY number LIMIT ?5"
    } else {
        "SELECT number, job FROM mediaconvert_job
         WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR instr(input, ?3) > 0)
           AND (?4 IS NULL OR number < ?4) ORDER BY number DESC LIMIT ?5"
    };
    let status = filter.status.map(Status::as_str);
    // One more than asked for tells whether there is a next page.
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut statement = t.prepare_cached(sql)?;
    let rows = statement
        .query_map(
            params![status, filter.queue, filter.input, filter.after, limit],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
        )?
        .collect::<Result<Vec<_>, _>>()?;
    let shown = &rows[..rows.len().min(filter.limit)];
    let next = if rows.len() > filter.limit {
        shown.last().map(|(number, _)| *number)
    } else {
        None
    };
    let jobs = shown
        .iter()
        .map(|(_, text)| serde_json::from_str(text))
        .collect::<Result<_, _>>()?;
    Ok(Page { jobs, next })
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
