//! A state folder with a database, and services in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use local_base::clock::{self, Clock};
use local_base::db::Db;
use local_base::queue::{Queue, QueueSettings, Queues};
use local_s3::{S3Options, S3Service};
use tempfile::TempDir;

use crate::keys;

/// A state folder that is removed with this value, its database and its queues.
pub struct TestState {
    folder: TempDir,
    /// `<folder>/vod.db`.
    pub db: Db,
    /// The queues in it.
    pub queues: Queues,
}

impl TestState {
    /// An empty state with the clock of the machine.
    pub async fn new() -> Self {
        Self::with_clock(clock::system()).await
    }

    /// An empty state whose queues take the time from `clock`.
    pub async fn with_clock(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("vod.db")).unwrap();
        let queues = Queues::open(db.clone(), clock).await.unwrap();
        Self { folder, db, queues }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// An S3 in this state, with the bucket `vod`.
    pub async fn s3(&self) -> S3Service {
        let (db, queues) = (self.db.clone(), self.queues.clone());
        let s3 = S3Service::open(db, queues, self.path(), s3_options())
            .await
            .unwrap();
        s3.ensure_bucket("vod").await.unwrap();
        s3
    }

    /// A queue whose messages stay hidden for ten minutes after they were received.
    pub fn queue(&self, name: &str) -> Queue {
        let settings = QueueSettings {
            visibility_timeout: Duration::from_mins(10),
            max_receive_count: 5,
        };
        self.queues.queue(name, settings)
    }
}

/// An S3 with the keys of [`keys`] that reports no uploads.
pub fn s3_options() -> S3Options {
    let keys = keys();
    S3Options {
        access_key: keys.access_key,
        secret_key: keys.secret_key,
        region: keys.region,
        notifications: Vec::new(),
        cors_origins: Vec::new(),
        expirations: Vec::new(),
        clock: clock::system(),
    }
}
