//! The store: index and content files together, and the one way to change them.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use local_base::clock::Clock;
use local_base::db::{Db, DbError, in_transaction};
use local_base::queue::{self, Queues};
use rusqlite::{Connection, Transaction};

use super::blobs::{Blobs, Published};
use super::conditions::WriteCondition;
use super::error::OperationError;
use super::events::{self, Requester};
use super::index::{self, Object};
use super::reserve::Reserve;
use super::{Expiration, Notification, S3Options, generation, start};

/// Buckets, objects and uploads of the local S3. Cheap to clone.
#[derive(Clone)]
pub(super) struct Store {
    db: Db,
    pub(super) blobs: Arc<Blobs>,
    pub(super) reserve: Arc<Reserve>,
    queues: Queues,
    clock: Clock,
    notifications: Arc<[Notification]>,
    pub(super) expirations: Arc<[Expiration]>,
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
        state_dir: &Path,
        options: &S3Options,
    ) -> Result<Self, OperationError> {
        db.create_tables(index::TABLES).await?;
        db.create_tables(generation::TABLES).await?;
        db.run(|connection| index::add_columns(connection)).await?;
        let (state_dir, now) = (state_dir.to_owned(), (options.clock)());
        let reserve = Arc::new(Reserve::new(&state_dir));
        let blobs = db
            .run(move |connection| start::open(connection, &state_dir, now))
            .await?;
        Ok(Self {
            db,
            blobs,
            reserve,
            queues,
            clock: options.clock.clone(),
            notifications: options.notifications.as_slice().into(),
            expirations: options.expirations.as_slice().into(),
            region: options.region.as_str().into(),
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
        let store = self.clone();
        self.db
            .run(move |connection| store.attempt(connection, work))
            .await
    }

    /// [`Store::write`] for what makes room: on a full disk it gives up the reserve and tries again.
    pub(super) async fn write_delete<T, F>(&self, work: F) -> Result<T, OperationError>
    where
        T: Send + 'static,
        F: Fn(&Transaction<'_>, &mut Aftermath) -> Result<T, OperationError> + Send + 'static,
    {
        let store = self.clone();
        self.db
            .run(move |connection| {
                loop {
                    match store.attempt(connection, &work) {
                        Err(error) if error.is_disk_full() && store.reserve.give_up() => {}
                        done => return done,
                    }
                }
            })
            .await
    }

    fn attempt<T>(
        &self,
        connection: &mut Connection,
        work: impl FnOnce(&Transaction<'_>, &mut Aftermath) -> Result<T, OperationError>,
    ) -> Result<T, OperationError> {
        let mut after = Aftermath::default();
        let value = in_transaction(connection, |transaction| work(transaction, &mut after))?;
        after.run(&self.blobs, &self.queues);
        Ok(value)
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
        index::put_object(transaction, after, bucket, object, current.as_ref())?;
        for notification in self.notifications.iter().filter(|n| n.wants(bucket, &object.key)) {
            let queue = &notification.queue;
            let body = events::message(bucket, object, origin, &self.region, queue);
            queue::send(transaction, queue, &body, time(object.modified_ms)).map_err(DbError::Sqlite)?;
            after.wake = true;
        }
        Ok(())
    }
}

/// The origin of an object: the operation, its sender and its condition.
pub(super) struct Origin {
    /// `Put`, `Post`, `Copy` or `CompleteMultipartUpload`, as in the name of the event.
    pub(super) cause: &'static str,
    pub(super) requester: Requester,
    pub(super) condition: WriteCondition,
}

/// A stored time.
pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
