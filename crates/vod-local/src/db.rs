//! The one database of the stack: an embedded SQLite file, `<state>/vod.db`.
//!
//! An object, the event that announces it and the queue message that carries the event are rows of one
//! transaction. So a process killed at any instant has either all of them or none, and "no upload is lost"
//! needs no repair code. See `docs/adr/0001-sqlite-index.md`.
//!
//! There is one connection behind a mutex. That makes every read a read of the newest commit, which the
//! content store relies on (it pins files while it looks at the index), and a stack on one machine is not
//! bounded by this.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Version of all tables together, kept in SQLite's `user_version`. Raise it when any room changes its tables.
const SCHEMA_VERSION: i32 = 1;

/// How long a statement waits for another process (an open `sqlite3` shell, say) to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What can go wrong with the database itself.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A statement failed.
    #[error("failed to use the state database")]
    Sqlite(#[from] rusqlite::Error),
    /// The file was written by a version of the program with other tables.
    #[error(
        "state database has schema {found}, this program needs {SCHEMA_VERSION}: move the state folder away"
    )]
    Schema {
        /// The `user_version` that the file has.
        found: i32,
    },
    /// The task that ran the statement panicked, or the runtime is shutting down.
    #[error("state database task ended early")]
    Task(#[from] tokio::task::JoinError),
}

impl DbError {
    /// Whether the disk has no room left, which is the user's to mend.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}

/// A handle to the database. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Db {
    connection: Arc<Mutex<Connection>>,
}

impl Db {
    /// Opens or creates the file at `path`.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        let connection = Connection::open(path)?;
        // A commit is on the disk before anybody hears of it: WAL alone would lose the last ones with the power.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Self::prepare(connection)
    }

    /// A database that lives as long as its handles, for tests.
    pub fn in_memory() -> Result<Self, DbError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, DbError> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let found: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => connection.pragma_update(None, "user_version", SCHEMA_VERSION)?,
            SCHEMA_VERSION => {}
            _ => return Err(DbError::Schema { found }),
        }
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Creates the tables of one room. `sql` is `CREATE … IF NOT EXISTS` statements, so it may run at every start.
    pub async fn create_tables(&self, sql: &'static str) -> Result<(), DbError> {
        self.call(move |connection| Ok(connection.execute_batch(sql)?))
            .await
    }

    /// Runs `work` on the blocking pool with the connection to itself.
    ///
    /// Once started it runs to its end, also when the caller's future is dropped: work that must follow a
    /// commit belongs inside.
    pub async fn call<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, DbError> + Send + 'static,
    {
        self.run(work).await
    }

    /// Runs `work` in one IMMEDIATE transaction and commits it, or rolls it back when `work` fails.
    ///
    /// IMMEDIATE takes the write lock first, so what `work` reads cannot change before it writes.
    pub async fn transaction<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        self.run(move |connection| in_transaction(connection, work)).await
    }

    /// The only place that leaves the async world: SQLite blocks, and so does the mutex.
    pub(crate) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let task = tokio::task::spawn_blocking(move || {
            // A panic elsewhere rolled its transaction back while unwinding: the connection is still good.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        });
        task.await.map_err(DbError::Task)?
    }
}

/// [`Db::transaction`] for code that already runs on the blocking pool.
pub(crate) fn in_transaction<T, E>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<DbError>,
{
    let sql = DbError::Sqlite;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sql)?;
    let value = work(&transaction)?;
    transaction.commit().map_err(sql)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE IF NOT EXISTS t (n INTEGER NOT NULL) STRICT;";

    fn insert(transaction: &Transaction<'_>, n: i64) -> Result<(), DbError> {
        transaction.execute("INSERT INTO t VALUES (?1)", [n])?;
        Ok(())
    }

    async fn count(db: &Db) -> i64 {
        db.call(|c| Ok(c.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_failed_transaction_leaves_nothing() {
        let db = Db::in_memory().unwrap();
        db.create_tables(TABLE).await.unwrap();
        let result: Result<(), DbError> = db
            .transaction(|t| {
                insert(t, 1)?;
                Err(DbError::Schema { found: 7 })
            })
            .await;
        assert!(matches!(result, Err(DbError::Schema { found: 7 })));
        assert_eq!(count(&db).await, 0);
    }

    #[tokio::test]
    async fn a_panic_rolls_back_and_the_connection_stays_usable() {
        let db = Db::in_memory().unwrap();
        db.create_tables(TABLE).await.unwrap();
        let result: Result<(), DbError> = db
            .transaction(|t| {
                insert(t, 1)?;
                panic!("on purpose")
            })
            .await;
        assert!(matches!(result, Err(DbError::Task(_))));
        assert_eq!(count(&db).await, 0);
    }

    #[tokio::test]
    async fn what_is_committed_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vod.db");
        let db = Db::open(&path).unwrap();
        db.create_tables(TABLE).await.unwrap();
        db.transaction(|t| insert(t, 1)).await.unwrap();
        drop(db);
        let db = Db::open(&path).unwrap();
        db.create_tables(TABLE).await.unwrap();
        assert_eq!(count(&db).await, 1);
    }

    #[test]
    fn a_file_of_another_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vod.db");
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let error = Db::open(&path).err().unwrap();
        assert_eq!(
            error.to_string(),
            "state database has schema 99, this program needs 1: move the state folder away"
        );
    }
}
