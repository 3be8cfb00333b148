//! The index of the store: rows and the statements over them. Every function runs inside the caller's transaction.
//!
//! An object is a list of segments of immutable blobs. So completing a multipart upload and copying an object
//! only write rows, whatever the size, and a blob goes when no segment mentions it any more.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use s3s::s3_error;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checksum::Stored;
use super::error::{OperationError, no_such_key};
use super::headers::Headers;
use super::receive::Content;
use super::store::Aftermath;

pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS s3_bucket (
    name       TEXT PRIMARY KEY,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_sequence (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS s3_blob (
    number INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    inline BLOB, -- NULL: in a content file
    crc64  INTEGER -- of the content file; NULL: written by an older version
) STRICT;
CREATE TABLE IF NOT EXISTS s3_segment (
    content  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    blob     TEXT NOT NULL REFERENCES s3_blob (id),
    start    INTEGER NOT NULL,
    length   INTEGER NOT NULL,
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS s3_segment_blob ON s3_segment (blob);
CREATE TABLE IF NOT EXISTS s3_object (
    bucket      TEXT NOT NULL REFERENCES s3_bucket (name),
    key         TEXT NOT NULL,
    content     INTEGER NOT NULL UNIQUE,
    size        INTEGER NOT NULL,
    etag        TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    headers     TEXT NOT NULL,
    checksum    TEXT NOT NULL,
    part_sizes  TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_upload (
    id           TEXT PRIMARY KEY,
    bucket       TEXT NOT NULL REFERENCES s3_bucket (name),
    key          TEXT NOT NULL,
    initiated_ms INTEGER NOT NULL,
    headers      TEXT NOT NULL,
    checksum     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS s3_upload_key ON s3_upload (bucket, key);
CREATE TABLE IF NOT EXISTS s3_part (
    upload      TEXT NOT NULL REFERENCES s3_upload (id),
    number      INTEGER NOT NULL,
    content     INTEGER NOT NULL UNIQUE,
    size        INTEGER NOT NULL,
    etag        TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    checksum    TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
";

/// Adds what tables of an older version lack.
pub(super) fn add_columns(connection: &Connection) -> Result<(), OperationError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM pragma_table_info('s3_blob') WHERE name = 'crc64')";
    if connection.query_row(sql, [], |row| row.get(0))? {
        connection.execute_batch("ALTER TABLE s3_blob ADD COLUMN crc64 INTEGER")?;
    }
    Ok(())
}

/// An object as the index knows it.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) key: String,
    /// Names the segments, and is the object's sequencer: it rises with every write of the store.
    pub(super) content: i64,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    pub(super) headers: Headers,
    pub(super) checksum: Option<Stored>,
    /// Sizes of the parts of a multipart object, else empty.
    pub(super) part_sizes: Vec<u64>,
}

/// A piece of a blob.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) blob: String,
    pub(super) start: u64,
    pub(super) length: u64,
}

/// Columns of [`Object`], in the order of [`object`].
pub(super) const OBJECT_COLUMNS: &str =
    "key, content, size, etag, modified_ms, headers, checksum, part_sizes";

pub(super) fn object(row: &Row<'_>) -> rusqlite::Result<Object> {
    Ok(Object {
        key: row.get(0)?,
        content: row.get(1)?,
        size: row.get(2)?,
        etag: row.get(3)?,
        modified_ms: row.get(4)?,
        headers: json(row, 5)?,
        checksum: json(row, 6)?,
        part_sizes: json(row, 7)?,
    })
}

pub(super) fn find_object(
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> rusqlite::Result<Option<Object>> {
    let sql = format!("SELECT {OBJECT_COLUMNS} FROM s3_object WHERE bucket = ?1 AND key = ?2");
    connection
        .prepare_cached(&sql)?
        .query_row([bucket, key], object)
        .optional()
}

/// The object, or S3's word for what is missing.
pub(super) fn get_object(connection: &Connection, bucket: &str, key: &str) -> Result<Object, OperationError> {
    if let Some(object) = find_object(connection, bucket, key)? {
        return Ok(object);
    }
    require_bucket(connection, bucket)?;
    Err(no_such_key())
}

pub(super) fn require_bucket(connection: &Connection, bucket: &str) -> Result<(), OperationError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM s3_bucket WHERE name = ?1")?;
    if statement.exists([bucket])? {
        return Ok(());
    }
    Err(s3_error!(NoSuchBucket, "The specified bucket does not exist").into())
}

/// A number greater than all before, also after a restart and when the clock was put back: it starts from
/// the microseconds of `now_ms` and never falls behind itself.
pub(super) fn next_number(transaction: &Transaction<'_>, now_ms: i64) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO s3_sequence VALUES (1, ?1)
             ON CONFLICT (one) DO UPDATE SET value = max(value + 1, excluded.value) RETURNING value",
        )?
        .query_row([now_ms.saturating_mul(1000)], |row| row.get(0))
}

/// Writes the object, in place of `replaced` if there is one of that key.
pub(super) fn put_object(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    bucket: &str,
    object: &Object,
    replaced: Option<&Object>,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO s3_object VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
        .execute(params![
            bucket,
            object.key,
            object.content,
            object.size,
            object.etag,
            object.modified_ms,
            to_json(&object.headers),
            to_json(&object.checksum),
            to_json(&object.part_sizes),
        ])?;
    replaced.map_or(Ok(()), |replaced| {
        drop_content(transaction, after, replaced.content)
    })
}

/// Removes the object.
pub(super) fn delete_object(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    bucket: &str,
    object: &Object,
) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM s3_object WHERE bucket = ?1 AND key = ?2",
        [bucket, &object.key],
    )?;
    drop_content(transaction, after, object.content)
}

/// Records received bytes as the content `number`. A file is kept once that is committed.
pub(super) fn add_content(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    number: i64,
    size: u64,
    content: Content,
) -> rusqlite::Result<()> {
    let (blob, inline, crc64) = match content {
        Content::Inline(bytes) => (vod_ids::letters(32), Some(bytes), None),
        Content::File(file) => {
            let (id, crc64) = (file.id.clone(), file.crc64.cast_signed());
            after.kept.push(file);
            (id, None, Some(crc64))
        }
    };
    transaction
        .prepare_cached("INSERT INTO s3_blob (id, inline, crc64) VALUES (?1, ?2, ?3)")?
        .execute(params![blob, inline, crc64])?;
    let (start, length) = (0, size);
    add_segments(transaction, number, &[Segment { blob, start, length }])
}

pub(super) fn add_segments(
    transaction: &Transaction<'_>,
    content: i64,
    segments: &[Segment],
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("INSERT INTO s3_segment VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (position, segment) in (0_i64..).zip(segments) {
        statement.execute(params![
            content,
            position,
            segment.blob,
            segment.start,
            segment.length
        ])?;
    }
    Ok(())
}

pub(super) fn segments(connection: &Connection, content: i64) -> rusqlite::Result<Vec<Segment>> {
    connection
        .prepare_cached("SELECT blob, start, length FROM s3_segment WHERE content = ?1 ORDER BY position")?
        .query_map([content], |row| {
            Ok(Segment {
                blob: row.get(0)?,
                start: row.get(1)?,
                length: row.get(2)?,
            })
        })?
        .collect()
}

/// Bytes `range` of a content, as segments.
pub(super) fn slice(segments: &[Segment], range: &std::ops::Range<u64>) -> Vec<Segment> {
    let mut sliced = Vec::new();
    let mut offset = 0;
    for segment in segments {
        let from = range.start.saturating_sub(offset).min(segment.length);
        let to = range.end.saturating_sub(offset).min(segment.length);
        if from < to {
            let blob = segment.blob.clone();
            sliced.push(Segment {
                blob,
                start: segment.start + from,
                length: to - from,
            });
        }
        offset += segment.length;
    }
    sliced
}

/// Where the bytes of a blob are.
pub(super) enum Place {
    Inline(Vec<u8>),
    /// In a content file, with the CRC-64/NVME of all of it where that is known.
    File(Option<u64>),
}

pub(super) fn place(connection: &Connection, blob: &str) -> rusqlite::Result<Place> {
    connection
        .prepare_cached("SELECT inline, crc64 FROM s3_blob WHERE id = ?1")?
        .query_row([blob], |row| {
            Ok(match row.get(0)? {
                Some(bytes) => Place::Inline(bytes),
                None => Place::File(row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned)),
            })
        })
}

/// Forgets a content and every blob that only it used. Files among them are removed after the commit.
pub(super) fn drop_content(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    content: i64,
) -> rusqlite::Result<()> {
    let blobs: Vec<String> = transaction
        .prepare_cached("DELETE FROM s3_segment WHERE content = ?1 RETURNING blob")?
        .query_map([content], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for blob in blobs {
        let is_file: Option<bool> = transaction
            .prepare_cached(
                "DELETE FROM s3_blob WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM s3_segment WHERE blob = ?1)
                 RETURNING inline IS NULL",
            )?
            .query_row([&blob], |row| row.get(0))
            .optional()?;
        if is_file == Some(true) {
            after.dropped.push(blob);
        }
    }
    Ok(())
}

/// All content files that the index knows, and how many bytes of each it uses.
pub(super) fn files(connection: &Connection) -> rusqlite::Result<HashMap<String, u64>> {
    connection
        .prepare(
            "SELECT b.id, coalesce(max(s.start + s.length), 0) FROM s3_blob b LEFT JOIN s3_segment s ON s.blob = b.id
             WHERE b.inline IS NULL GROUP BY b.id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Whether the index knows nothing at all, not even a part of an upload.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM s3_blob)", [], |row| row.get(0))
}

/// The objects that use a content file, as bucket and key; none where only parts of uploads in progress do.
pub(super) fn objects_of(connection: &Connection, blob: &str) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT o.bucket, o.key FROM s3_segment s JOIN s3_object o ON o.content = s.content
             WHERE s.blob = ?1",
        )?
        .query_map([blob], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// A column of JSON that this program wrote.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// Our own structs of strings and numbers: writing them cannot fail.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Slicing segments is slicing the bytes that they name.
        #[test]
        fn a_slice_names_the_same_bytes(
            lengths in prop::collection::vec(1u64..20, 0..6),
            a in 0u64..120,
            b in 0u64..120,
        ) {
            let segments: Vec<_> = lengths
                .iter()
                .enumerate()
                .map(|(n, &length)| Segment { blob: n.to_string(), start: 100 * n as u64, length })
                .collect();
            let bytes = |segments: &[Segment]| -> Vec<(String, u64)> {
                segments
                    .iter()
                    .flat_map(|s| (s.start..s.start + s.length).map(|at| (s.blob.clone(), at)))
                    .collect()
            };
            let all = bytes(&segments);
            let range = a.min(b)..a.max(b);
            let clamp = |at: u64| usize::try_from(at).unwrap().min(all.len());
            prop_assert_eq!(bytes(&slice(&segments, &range)), &all[clamp(range.start)..clamp(range.end)]);
        }
    }

    #[test]
    fn numbers_rise_even_when_the_clock_goes_back() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        let transaction = connection.transaction().unwrap();
        let numbers: Vec<i64> = [5, 5, 1, 9, 2]
            .into_iter()
            .map(|now| next_number(&transaction, now).unwrap())
            .collect();
        assert_eq!(numbers, [5000, 5001, 5002, 9000, 9001]);
    }
}
