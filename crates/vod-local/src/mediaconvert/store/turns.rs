//! Whose turn it is, and what becomes of jobs that did not come to their end.
//!
//! A job that the stack broke off in an orderly way begins anew. One during which the process died does so too, and
//! that is counted: it may be what ends the process. Such jobs wait for those that never did harm.

use rusqlite::{OptionalExtension as _, Transaction};

use super::{Store, StoreError, write};
use crate::mediaconvert::events::Event;
use crate::mediaconvert::job::{Job, Phase, Status};

pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS mediaconvert_death (
    job_id TEXT PRIMARY KEY,
    deaths INTEGER NOT NULL
) STRICT;
";

/// The job whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mediaconvert) struct Turn {
    pub(in crate::mediaconvert) id: String,
    /// How often the process died while it worked on it.
    pub(in crate::mediaconvert) deaths: u32,
}

impl Store {
    /// Puts jobs that were being worked on when the process died back in line. Returns their ids.
    pub(in crate::mediaconvert) async fn recover(&self) -> Result<Vec<String>, StoreError> {
        let recovered = self.db.transaction(recover).await?;
        self.submitted.notify_one();
        Ok(recovered)
    }

    /// The next job: first those during which the process has died least often, then the highest priority, then the
    /// oldest.
    pub(in crate::mediaconvert) async fn next(&self) -> Result<Option<Turn>, StoreError> {
        self.db
            .transaction(|t| Ok::<_, StoreError>(next_submitted(t)?))
            .await
    }

    /// Makes a job PROGRESSING, with its event. None when it has been canceled meanwhile.
    pub(in crate::mediaconvert) async fn take(&self, id: &str) -> Result<Option<Job>, StoreError> {
        self.change(id, |job, now| {
            job.status = Status::Progressing;
            job.current_phase = Some(Phase::Probing);
            job.job_percent_complete = Some(0);
            job.timing.start_time = Some(now.as_second());
            vec![Event::Progressing]
        })
        .await
    }

    /// Puts a job that was broken off while the process lived back in line; that is nobody's fault.
    pub(in crate::mediaconvert) async fn give_back(&self, id: &str) -> Result<(), StoreError> {
        self.change(id, |job, _| {
            back_in_line(job);
            Vec::new()
        })
        .await?;
        Ok(())
    }
}

fn next_submitted(t: &Transaction<'_>) -> rusqlite::Result<Option<Turn>> {
    let sql =
        "SELECT id, coalesce(deaths, 0) FROM mediaconvert_job LEFT JOIN mediaconvert_death ON job_id = id
               WHERE status = 'SUBMITTED' ORDER BY coalesce(deaths, 0), priority DESC, number LIMIT 1";
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
        back_in_line(&mut job);
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

fn back_in_line(job: &mut Job) {
    job.status = Status::Submitted;
    job.retry_count += 1;
    job.current_phase = None;
    job.job_percent_complete = None;
}
