//! The one database of the stack: an embedded SQLite file, `<state>/vod.db`.
//!
//! An object, the event that announces it and the queue message that carries the event are rows of one
//! transaction. So a process killed at any instant has either all of them or none, and "no upload is lost"
//! needs no repair code. See `docs/adr/0001-sqlite-index.md`.
//!
//! There is one connection for writes behind a mutex, and one for reads behind another. A read sees the newest commit
//! at its beginning, and never waits for a write: SQLite's write-ahead log keeps the two apart. So viewers go on while
//! an upload waits for another process that holds the write lock.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Params, Transaction, TransactionBehavior};

/// Version of all tables together, kept in SQLite's `user_version`. Raise it when any crate changes its tables.
const SCHEMA_VERSION: i32 = 1;

/// How long a statement waits for another process (an open `sqlite3` shell, say) to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A file of up to so many bytes is checked at start: 256 MiB.
const CHECKED: u64 = 256 << 20;

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
    /// The file is not what SQLite has written.
    #[error(
        "the state database is damaged ({0}): put vod.db back from a backup, or make a new one of what can be read \
         with `sqlite3 vod.db .recover`"
    )]
    Damaged(String),
    /// The file could not be made.
    #[error("failed to make the state database")]
    Create(#[source] std::io::Error),
    /// The task that ran the statement panicked, or the runtime is shutting down.
    #[error("state database task ended early")]
    Task(#[from] tokio::task::JoinError),
}

impl DbError {
    /// Whether the disk has no room left, which only the user can change.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }
}

/// A handle to the database. Cheap to clone; all clones share its two connections.
#[derive(Clone)]
pub struct Db {
    /// The same as `connection` for a database in memory, which has no other. Declared first, so that it is closed first:
    /// the last connection to close empties the log, which a reader cannot.
    reader: Arc<Mutex<Connection>>,
    connection: Arc<Mutex<Connection>>,
}

impl Db {
    /// Opens or creates the file at `path`.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        create_private(path)?;
        let connection = Connection::open(path)?;
        check_pages(&connection, path)?;
        // A commit is on the disk before it is reported: WAL alone would lose the last ones in a power cut.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let mut db = Self::prepare(connection)?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        reader.busy_timeout(BUSY_TIMEOUT)?;
        db.reader = Arc::new(Mutex::new(reader));
        Ok(db)
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
        let connection = Arc::new(Mutex::new(connection));
        Ok(Self {
            reader: Arc::clone(&connection),
            connection,
        })
    }

    /// Creates the tables of one service. `sql` is `CREATE … IF NOT EXISTS` statements, so it may run at every start.
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

    /// Runs one statement, which is a transaction of its own. Returns the number of rows that it changed.
    pub async fn execute(
        &self,
        sql: &'static str,
        values: impl Params + Send + 'static,
    ) -> Result<usize, DbError> {
        self.call(move |connection| Ok(connection.execute(sql, values)?))
            .await
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

    /// Runs `work` on the blocking pool, over one snapshot: the newest commit of this moment. It cannot write.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        Self::on(&self.reader, move |connection| {
            let snapshot = connection.transaction().map_err(DbError::Sqlite)?;
            work(&snapshot)
        })
        .await
    }

    /// Runs `work` on the blocking pool with the writing connection to itself.
    pub async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        Self::on(&self.connection, work).await
    }

    /// The only place that leaves async code: SQLite blocks, and so does the mutex.
    async fn on<T, E, F>(connection: &Arc<Mutex<Connection>>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let connection = Arc::clone(connection);
        let task = tokio::task::spawn_blocking(move || {
            // A panic elsewhere rolled its transaction back while unwinding: the connection is still good.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        });
        task.await.map_err(DbError::Task)?
    }
}

/// Makes the file for its owner alone; SQLite gives its log the same rights.
fn create_private(path: &Path) -> Result<(), DbError> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.create(true).append(true).mode(0o600).open(path);
    opened.map(drop).map_err(DbError::Create)
}

/// Looks for damage at start, when a person is there to read of it. A large file is not checked: reading 256 MiB takes about a
/// second, and a damaged page is an error when it is read.
fn check_pages(connection: &Connection, path: &Path) -> Result<(), DbError> {
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > CHECKED) {
        return Ok(());
    }
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(DbError::Damaged(found)),
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ) =>
        {
            Err(DbError::Damaged(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// [`Db::transaction`] for code that already runs on the blocking pool.
pub fn in_transaction<T, E>(
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
    async fn committed_data_survives_a_restart() {
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

    #[tokio::test]
    async fn reads_go_on_while_a_write_waits_for_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vod.db");
        let db = Db::open(&path).unwrap();
        db.create_tables(TABLE).await.unwrap();
        db.transaction(|t| insert(t, 1)).await.unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let writer = tokio::spawn({
            let db = db.clone();
            async move { db.transaction(|t| insert(t, 2)).await }
        });
        // The write holds its connection before the read begins.
        while db.connection.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let count =
            |c: &Connection| Ok::<i64, DbError>(c.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?);
        assert_eq!(db.read(count).await.unwrap(), 1);
        assert!(!writer.is_finished());
        other.execute_batch("ROLLBACK").unwrap();
        writer.await.unwrap().unwrap();
        assert_eq!(db.read(count).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vod.db");
        let db = Db::open(&path).unwrap();
        db.create_tables(TABLE).await.unwrap();
        let fill = |t: &Transaction<'_>| (0..5000).try_for_each(|n| insert(t, n));
        db.transaction(fill).await.unwrap();
        drop(db);
        let mut bytes = std::fs::read(&path).unwrap();
        let page = bytes.len() / 4096 / 2 * 4096;
        bytes[page..page + 64].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        let error = Db::open(&path).err().unwrap();
        assert!(
            error.to_string().contains("put vod.db back from a backup"),
            "{error}"
        );
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
