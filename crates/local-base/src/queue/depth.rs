//! Measures how full a queue is, for metrics.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::{Counts, Queues, timestamp};
use crate::db::DbError;

/// A queue at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    pub counts: Counts,
    /// Since the oldest message, in flight or not, was sent; zero when there is none.
    pub oldest: SignedDuration,
}

impl Queues {
    /// How full `queue` is now.
    pub async fn depth(&self, queue: &str) -> Result<Depth, DbError> {
        let counts = self.counts(queue).await?;
        let (queue, now) = (queue.to_owned(), (self.clock)());
        let sent: Option<Timestamp> = self
            .db
            .call(move |connection| {
                let sql = "SELECT min(sent_ms) FROM queue_message WHERE queue = ?1";
                let sent: Option<i64> = connection.query_row(sql, params![queue], |row| row.get(0))?;
                Ok(sent.map(timestamp))
            })
            .await?;
        let oldest = sent.map_or(SignedDuration::ZERO, |sent| now.duration_since(sent));
        Ok(Depth {
            counts,
            oldest: oldest.max(SignedDuration::ZERO),
        })
    }
}
