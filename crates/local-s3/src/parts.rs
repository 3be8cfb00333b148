//! Rows of uploads in progress and of their parts.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use s3s::s3_error;

use super::checksum::{self, Stored};
use super::error::OperationError;
use super::headers::Headers;
use super::index::{self, json};
use super::store::Aftermath;

/// An upload in progress.
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) initiated_ms: i64,
    pub(super) headers: Headers,
    pub(super) checksum: Option<checksum::Multipart>,
}

/// One of its parts.
#[derive(Debug)]
pub(super) struct PartRow {
    pub(super) number: i32,
    pub(super) content: i64,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    pub(super) checksum: Option<Stored>,
}

/// Columns of [`Upload`], in the order of [`upload`].
const UPLOAD_COLUMNS: &str = "key, id, initiated_ms, headers, checksum";

fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Ok(Upload {
        key: row.get(0)?,
        id: row.get(1)?,
        initiated_ms: row.get(2)?,
        headers: json(row, 3)?,
        checksum: json(row, 4)?,
    })
}

pub(super) fn get_upload(
    connection: &Connection,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<Upload, OperationError> {
    index::require_bucket(connection, bucket)?;
    let sql = format!("SELECT {UPLOAD_COLUMNS} FROM s3_upload WHERE id = ?1 AND bucket = ?2 AND key = ?3");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([id, bucket, key], upload)
        .optional()?;
    let text = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
        aborted or completed.";
    found.ok_or_else(|| s3_error!(NoSuchUpload, "{text}").into())
}

/// All uploads in a bucket, by key and then by age. There are never many.
pub(super) fn uploads(connection: &Connection, bucket: &str) -> rusqlite::Result<Vec<Upload>> {
    let sql =
        format!("SELECT {UPLOAD_COLUMNS} FROM s3_upload WHERE bucket = ?1 ORDER BY key, initiated_ms, id");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map([bucket], upload)?.collect()
}

/// All parts of an upload, by number.
pub(super) fn parts(connection: &Connection, upload: &str) -> rusqlite::Result<Vec<PartRow>> {
    connection
        .prepare_cached(
            "SELECT number, content, size, etag, modified_ms, checksum FROM s3_part
             WHERE upload = ?1 ORDER BY number",
        )?
        .query_map([upload], |row| {
            Ok(PartRow {
                number: row.get(0)?,
                content: row.get(1)?,
                size: row.get(2)?,
                etag: row.get(3)?,
                modified_ms: row.get(4)?,
                checksum: json(row, 5)?,
            })
        })?
        .collect()
}

/// Forgets an upload with the contents of all its parts.
pub(super) fn drop_upload(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    id: &str,
) -> rusqlite::Result<()> {
    for part in parts(transaction, id)? {
        index::drop_content(transaction, after, part.content)?;
    }
    transaction.execute("DELETE FROM s3_part WHERE upload = ?1", [id])?;
    transaction.execute("DELETE FROM s3_upload WHERE id = ?1", [id])?;
    Ok(())
}
