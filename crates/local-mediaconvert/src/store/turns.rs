//! Which job is next, and how jobs that were interrupted start again.
//!
//! A job that an orderly stop interrupted starts again. So does one during which the process died, and that is counted: the job
//! may be what kills the process. Such jobs wait for all others.

use mediaconvert_api::{Job, Store as _};
use rusqlite::{OptionalExtension as _, Transaction};

use super::{JobStore, StoreError, write};

pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS mediaconvert_death (
    job_id TEXT PRIMARY KEY,
    deaths INTEGER NOT NULL
) STRICT;
";

/// The next job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) id: String,
    /// How often the process died while it worked on it.
    pub(crate) deaths: u32,
}

impl JobStore {
    /// Requeues the jobs that were being worked on when the process died. Returns their ids.
    pub(crate) async fn recover(&self) -> Result<Vec<String>, StoreError> {
        let recovered = self.db.transaction(recover).await?;
        self.submitted.notify_one();
        Ok(recovered)
    }

    /// The next job of a queue that is not paused and works on fewer jobs than it may: first those during which the process has
    /// died least often, then the highest priority, then the oldest.
    pub(crate) async fn next(&self) -> Result<Option<Turn>, StoreError> {
        self.db
            .transaction(|t| Ok::<_, StoreError>(next_submitted(t)?))
            .await
    }

    /// Makes a job PROGRESSING, with its event. None when it has been canceled meanwhile.
    pub(crate) async fn take(&self, id: &str) -> Result<Option<Job>, StoreError> {
        self.change(id, |job, now| vec![job.start(now)]).await
    }

    /// Requeues a job that was interrupted while the process lived. This does not count as a death.
    pub(crate) async fn give_back(&self, id: &str) -> Result<(), StoreError> {
        self.change(id, |job, _| {
            job.requeue();
            Vec::new()
        })
        .await?;
        Ok(())
    }
}

fn next_submitted(t: &Transaction<'_>) -> rusqlite::Result<Option<Turn>> {
    let sql = "
        WITH closed AS (
            SELECT resource ->> '$.body.arn' AS arn FROM mediaconvert_resource
            WHERE kind = 'queues' AND (
                resource ->> '$.body.status' = 'PAUSED'
                OR resource ->> '$.body.concurrentJobs' <= (
                    SELECT count(*) FROM mediaconvert_job
                    WHERE status = 'PROGRESSING' AND queue = resource ->> '$.body.arn')))
        SELECT id, coalesce(deaths, 0) FROM mediaconvert_job LEFT JOIN mediaconvert_death ON job_id = id
        WHERE status = 'SUBMITTED' AND queue NOT IN (SELECT arn FROM closed)
        ORDER BY coalesce(deaths, 0), priority DESC, number LIMIT 1";
    t.query_row(sql, [], |row| {
        Ok(Turn {
            id: row.get(0)?,
            deaths: row.get(1)?,
        })
    })
    .optional()
}

fn recover(t: &Transaction<'_>) -> Result<Vec<String>, StoreError> {
    let mut statement =
        t.prepare("SELECT job FROM mediaconvert_job WHERE status = 'PROGRESSING' ORDER BY number")?;
    let texts = statement
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        let mut job: Job = serde_json::from_str(&text)?;
        job.requeue();
        write(t, &job)?;
        t.execute(
            "INSERT INTO mediaconvert_death (job_id, deaths) VALUES (?1, 1)
             ON CONFLICT (job_id) DO UPDATE SET deaths = deaths + 1",
            [&job.id],
        )?;
        ids.push(job.id);
    }
    Ok(ids)
}
