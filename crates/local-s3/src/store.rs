//! The store: index and content files together, and the one way to change them.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use local_base::clock::Clock;
use local_base::db::{Db, DbError, in_transaction};
use local_base::queue::{self, Queues};
use rusqlite::{Connection, Transaction};

use super::blobs::{Blobs, Published};
use super::conditions::WriteCondition;
use super::error::OperationError;
use super::events::{self, Cause, Created, Requester};
use super::index::{self, Object};
use super::reserve::Reserve;
use super::{Notification, OWNER_ID, generation, start};

/// Buckets, objects and uploads of the local S3. Cheap to clone.
#[derive(Clone)]
pub(super) struct Store {
    db: Db,
    pub(super) blobs: Arc<Blobs>,
    pub(super) reserve: Arc<Reserve>,
    queues: Queues,
    clock: Clock,
    notifications: Arc<[Notification]>,
    pub(super) region: Arc<str>,
}

/// What follows a commit, and only a commit.
#[derive(Default)]
pub(super) struct Aftermath {
    /// Files that rows mention now.
    pub(super) kept: Vec<Published>,
    /// Files that no row mentions any more.
    pub(super) dropped: Vec<String>,
    /// A message was queued.
    wake: bool,
}

impl Aftermath {
    fn run(self, blobs: &Blobs, queues: &Queues) {
        self.kept.into_iter().for_each(Published::keep);
        for id in self.dropped {
            blobs.remove(&id);
        }
        if self.wake {
            queues.wake();
        }
    }
}

impl Store {
    /// Opens the tables and `<state>/objects`, and settles what a crash or a restored backup left behind.
    pub(super) async fn open(
        db: Db,
        queues: Queues,
        clock: Clock,
        state_dir: &Path,
        notifications: Vec<Notification>,
        region: &str,
    ) -> Result<Self, OperationError> {
        db.create_tables(index::TABLES).await?;
        db.create_tables(generation::TABLES).await?;
        db.run(|connection| index::add_columns(connection)).await?;
        let (state_dir, now) = (state_dir.to_owned(), clock());
        let reserve = Arc::new(Reserve::new(&state_dir));
        let blobs = db
            .run(move |connection| start::open(connection, &state_dir, now))
            .await?;
        Ok(Self {
            db,
            blobs,
            reserve,
            queues,
            clock,
            notifications: notifications.into(),
            region: region.into(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Reads the index. No content file that `work` finds there is removed before it has ended.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, OperationError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, OperationError> + Send + 'static,
    {
        let blobs = Arc::clone(&self.blobs);
        self.db
            .read(move |connection| {
                // Before the first statement takes its snapshot.
                let _looking = blobs.look();
                work(connection)
            })
            .await
    }

    /// Changes the index in one transaction and settles files and queues after it has committed.
    ///
    /// All of it is one piece of work on the blocking pool: a client that hangs up cannot cut it in two.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, OperationError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>, &mut Aftermath) -> Result<T, OperationError> + Send + 'static,
    {
        let (blobs, queues) = (Arc::clone(&self.blobs), self.queues.clone());
        self.db
            .run(move |connection| {
                let mut after = Aftermath::default();
                let value = in_transaction(connection, |transaction| work(transaction, &mut after))?;
                after.run(&blobs, &queues);
                Ok(value)
            })
            .await
    }

    /// [`Store::write`] for what makes room: on a full disk it gives up the reserve and tries again.
    pub(super) async fn write_delete<T, F>(&self, work: F) -> Result<T, OperationError>
    where
        T: Send + 'static,
        F: Fn(&Transaction<'_>, &mut Aftermath) -> Result<T, OperationError> + Send + 'static,
    {
        let (blobs, queues) = (Arc::clone(&self.blobs), self.queues.clone());
        let reserve = Arc::clone(&self.reserve);
        self.db
            .run(move |connection| {
                loop {
                    let mut after = Aftermath::default();
                    let done = in_transaction(connection, |transaction| work(transaction, &mut after));
                    match done {
                        Err(error) if error.is_disk_full() && reserve.give_up() => {}
                        done => {
                            if done.is_ok() {
                                after.run(&blobs, &queues);
                            }
                            return done;
                        }
                    }
                }
            })
            .await
    }

    /// Puts the object into the index, under the write's condition, together with its event.
    ///
    /// This is the promise of the store: object, event and message are one transaction.
    pub(super) fn commit_object(
        &self,
        transaction: &Transaction<'_>,
        after: &mut Aftermath,
        bucket: &str,
        object: &Object,
        origin: &Origin,
    ) -> Result<(), OperationError> {
        index::require_bucket(transaction, bucket)?;
        let current = index::find_object(transaction, bucket, &object.key)?;
        origin
            .condition
            .check(current.as_ref().map(|object| object.etag.as_str()))?;
        after
            .dropped
            .extend(index::put_object(transaction, bucket, object)?);
        self.announce(transaction, after, bucket, object, origin)
    }

    fn announce(
        &self,
        transaction: &Transaction<'_>,
        after: &mut Aftermath,
        bucket: &str,
        object: &Object,
        origin: &Origin,
    ) -> Result<(), OperationError> {
        let at = Timestamp::from_millisecond(object.modified_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let created = Created {
            cause: origin.cause,
            bucket,
            key: &object.key,
            size: object.size,
            etag: &object.etag,
            sequence: object.content,
            at,
        };
        for notification in self.notifications.iter().filter(|n| n.wants(bucket, &object.key)) {
            let body = events::message(
                &created,
                &origin.requester,
                &self.region,
                &notification.queue,
                OWNER_ID,
            );
            queue::send(transaction, &notification.queue, &body, at).map_err(DbError::Sqlite)?;
            after.wake = true;
        }
        Ok(())
    }
}

/// Where an object comes from: what caused it, who asked, and under which condition.
pub(super) struct Origin {
    pub(super) cause: Cause,
    pub(super) requester: Requester,
    pub(super) condition: WriteCondition,
}

/// A stored time.
pub(super) fn system_time(ms: i64) -> SystemTime {
    SystemTime::from(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH))
}
