//! Jobs and other resources in the stack's database. A change of a job and its events are one transaction, so that no event is lost or invented
//! if the process dies.

use std::sync::Arc;

use jiff::Timestamp;
use local_base::clock::Clock;
use local_base::db::{Db, DbError};
use local_base::queue::{self, Queues};
use mediaconvert_api::{Created, Event, Filter, Identity, Job, Kind, Page, Resource, Status, Store};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tokio::sync::Notify;

mod resources;
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

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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

/// The jobs of the stack. Cheap to clone.
#[derive(Clone)]
pub struct JobStore {
    db: Db,
    queues: Queues,
    clock: Clock,
    identity: Identity,
    events_queue: Arc<str>,
    submitted: Arc<Notify>,
}

impl JobStore {
    pub(super) async fn open(
        db: Db,
        queues: Queues,
        clock: Clock,
        identity: Identity,
        events_queue: &str,
    ) -> Result<Self, DbError> {
        db.create_tables(TABLES).await?;
        db.create_tables(turns::TABLES).await?;
        db.create_tables(resources::TABLES).await?;
        Ok(Self {
            db,
            queues,
            clock,
            identity,
            events_queue: events_queue.into(),
            submitted: Arc::new(Notify::new()),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Returns when a job may have been submitted. One waiter at a time.
    pub(super) async fn submitted(&self) {
        self.submitted.notified().await;
    }
}

impl Store for JobStore {
    type Error = StoreError;

    async fn insert(&self, job: Job, since: Timestamp) -> Result<Job, StoreError> {
        let now = self.now();
        let job = self.db.transaction(move |t| insert(t, job, since, now)).await?;
        self.submitted.notify_one();
        Ok(job)
    }

    async fn get(&self, id: &str) -> Result<Option<Job>, StoreError> {
        let id = id.to_owned();
        self.db.transaction(move |t| read(t, &id)).await
    }

    async fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        self.db.read(move |t| list(t, &filter)).await
    }

    async fn change<F>(&self, id: &str, change: F) -> Result<Option<Job>, StoreError>
    where
        F: FnOnce(&mut Job, Timestamp) -> Vec<Event> + Clone + Send + 'static,
    {
        let (id, now) = (id.to_owned(), self.now());
        let (identity, events_queue) = (self.identity.clone(), self.events_queue.clone());
        let changed = self
            .db
            .transaction(move |t| {
                let Some(mut job) = read(t, &id)?.filter(|job| job.status.is_active()) else {
                    return Ok::<_, StoreError>(None);
                };
                let events = change(&mut job, now);
                write(t, &job)?;
                for event in events {
                    let event = event.to_json(&job, &identity, now).to_string();
                    queue::send(t, &events_queue, &event, now)?;
                }
                Ok(Some(job))
            })
            .await?;
        self.queues.wake();
        if changed.as_ref().is_some_and(|job| !job.status.is_active()) {
            // Its queue may have room for another.
            self.submitted.notify_one();
        }
        Ok(changed)
    }

    async fn active(&self, queue: Option<&str>) -> Result<(u32, u32), StoreError> {
        let queue = queue.map(str::to_owned);
        let count = move |t: &Transaction<'_>, status: Status| {
            let sql =
                "SELECT count(*) FROM mediaconvert_job WHERE status = ?1 AND (?2 IS NULL OR queue = ?2)";
            t.query_row(sql, params![status.as_str(), queue], |row| row.get(0))
        };
        self.db
            .transaction(move |t| Ok((count(t, Status::Submitted)?, count(t, Status::Progressing)?)))
            .await
    }

    async fn create(&self, kind: Kind, resource: Resource, most: usize) -> Result<Created, StoreError> {
        let create = move |t: &Transaction<'_>| resources::create(t, kind, &resource, most);
        self.db.transaction(create).await
    }

    async fn resource(&self, kind: Kind, name: &str) -> Result<Option<Resource>, StoreError> {
        let name = name.to_owned();
        self.db
            .transaction(move |t| resources::read(t, kind, &name))
            .await
    }

    async fn resources(&self, kind: Kind) -> Result<Vec<Resource>, StoreError> {
        self.db.transaction(move |t| resources::list(t, kind)).await
    }

    async fn change_resource<F>(
        &self,
        kind: Kind,
        name: &str,
        change: F,
    ) -> Result<Option<Resource>, StoreError>
    where
        F: FnOnce(&mut Resource) + Clone + Send + 'static,
    {
        let name = name.to_owned();
        let changed = self
            .db
            .transaction(move |t| resources::change(t, kind, &name, change))
            .await?;
        // A queue may have been resumed.
        self.submitted.notify_one();
        Ok(changed)
    }

    async fn remove(&self, kind: Kind, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.db
            .transaction(move |t| resources::remove(t, kind, &name))
            .await
    }
}

fn insert(t: &Transaction<'_>, job: Job, since: Timestamp, now: Timestamp) -> Result<Job, StoreError> {
    if let Some(token) = &job.client_request_token {
        let sql = "SELECT job FROM mediaconvert_job WHERE token = ?1 AND submitted_ms > ?2 ORDER BY number DESC LIMIT 1";
        let known: Option<String> = t
            .query_row(sql, params![token, since.as_millisecond()], |row| row.get(0))
            .optional()?;
        if let Some(text) = known {
            return Ok(serde_json::from_str(&text)?);
        }
    }
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

fn list(t: &Connection, filter: &Filter) -> Result<Page, StoreError> {
    // Each condition is true if its parameter is NULL, so that one statement serves every filter.
    let sql = if filter.ascending {
        "SELECT job FROM mediaconvert_job
         WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR instr(input, ?3) > 0)
           AND (?4 IS NULL OR number > (SELECT number FROM mediaconvert_job WHERE id = ?4)) ORDER BY number LIMIT ?5"
    } else {
        "SELECT job FROM mediaconvert_job
         WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR instr(input, ?3) > 0)
           AND (?4 IS NULL OR number < (SELECT number FROM mediaconvert_job WHERE id = ?4)) ORDER BY number DESC LIMIT ?5"
    };
    let status = filter.status.map(Status::as_str);
    // One more than requested shows whether there is a next page. A query looks into each job.
    let limit = match &filter.query {
        Some(_) => -1,
        None => i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1),
    };
    let mut statement = t.prepare_cached(sql)?;
    let mut rows = statement.query(params![status, filter.queue, filter.input, filter.after, limit])?;
    let (mut jobs, mut more) = (Vec::new(), false);
    while let Some(row) = rows.next()? {
        let job: Job = serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        if filter.query.as_ref().is_none_or(|query| query.accepts(&job)) {
            if jobs.len() == filter.limit {
                more = true;
                break;
            }
            jobs.push(job);
        }
    }
    Ok(Page { jobs, more })
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
