//! Measures how full a queue is, for SQS's API and for metrics.

use jiff::SignedDuration;
use rusqlite::{Row, params};

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
    /// The number of messages that `queue` holds.
    pub async fn counts(&self, queue: &str) -> Result<Counts, DbError> {
        Ok(self.depth(queue).await?.counts)
    }

    /// How full `queue` is now.
    pub async fn depth(&self, queue: &str) -> Result<Depth, DbError> {
        let (queue, now) = (queue.to_owned(), (self.clock)());
        let sql = "SELECT count(*) FILTER (WHERE visible_ms <= ?2), count(*) FILTER (WHERE visible_ms > ?2),
                       min(sent_ms) FROM queue_message WHERE queue = ?1";
        let depth = move |row: &Row<'_>| {
            let sent: Option<i64> = row.get(2)?;
            let oldest = sent.map_or(SignedDuration::ZERO, |sent| now.duration_since(timestamp(sent)));
            Ok(Depth {
                counts: Counts {
                    visible: row.get(0)?,
                    in_flight: row.get(1)?,
                },
                oldest: oldest.max(SignedDuration::ZERO),
            })
        };
        self.db
            .call(move |connection| {
                Ok(connection.query_row(sql, params![queue, now.as_millisecond()], depth)?)
            })
            .await
    }
}
