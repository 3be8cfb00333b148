//! Checks that the index (`vod.db`) and the content files (`objects/`) belong together.
//!
//! Both carry a stamp: an id that is drawn once, and the number of starts. A lost or foreign index is an error at
//! start, because going on would leave every content file without an owner. An index that was restored from an
//! older copy is only reported: the files that it does not know are set aside, see `sweep`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use vod_ids as ids;
use vod_state::endpoints::write_private;

pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS s3_generation (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    id     TEXT NOT NULL,
    starts INTEGER NOT NULL
) STRICT;
";

/// The name of the stamp below `objects/`.
pub(super) const FILE: &str = "generation";

/// Why index and content files cannot be used together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Mismatch {
    #[error(
        "the index `{0}/vod.db` is missing or empty, but `{0}/objects` holds {1} content files; nothing was deleted. \
         Put vod.db back from a backup, without a vod.db-wal or vod.db-shm of another one beside it. \
         To start empty instead, move `{0}/objects` away first"
    )]
    NoIndex(String, usize),
    #[error(
        "the index `{0}/vod.db` belongs to other content files than the {1} in `{0}/objects`; nothing was deleted. \
         Put vod.db and objects back from the same backup. \
         To start without these files, move `{0}/objects` away first"
    )]
    Foreign(String, usize),
}

/// How index and files relate, where they can be used together.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Relation {
    Same,
    /// An older copy of the index was restored.
    OlderIndex,
    /// An older copy of the files was restored.
    OlderFiles,
}

/// Names one pair of index and files, and counts its starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    id: String,
    starts: i64,
}

impl Stamp {
    /// Reads the stamp of the index.
    pub(super) fn of_index(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT id, starts FROM s3_generation";
        connection.query_row(sql, [], Self::of_row).optional()
    }

    /// Reads the stamp of the content files in `objects`.
    pub(super) fn of_files(objects: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(path(objects)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let damaged = || io::Error::other(format!("{} is damaged: remove it", path(objects).display()));
        let (id, starts) = text.trim().split_once(' ').ok_or_else(damaged)?;
        Ok(Some(Self {
            id: id.to_owned(),
            starts: starts.parse().map_err(|_| damaged())?,
        }))
    }

    /// Counts a start in the index: the files follow with [`Stamp::write`] after the commit.
    pub(super) fn advance(transaction: &Transaction<'_>) -> rusqlite::Result<Self> {
        let sql = "INSERT INTO s3_generation VALUES (1, ?1, 1)
                   ON CONFLICT (one) DO UPDATE SET starts = starts + 1 RETURNING id, starts";
        transaction.query_row(sql, [ids::letters(16)], Self::of_row)
    }

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (id, starts) = <(String, i64)>::try_from(row)?;
        Ok(Self { id, starts })
    }

    /// Writes the stamp of the content files in `objects`.
    pub(super) fn write(&self, objects: &Path) -> io::Result<()> {
        let text = format!("{} {}\n", self.id, self.starts);
        write_private(&path(objects), text.as_bytes()).map_err(io::Error::other)
    }
}

fn path(objects: &Path) -> PathBuf {
    objects.join(FILE)
}

/// Compares the two stamps. `empty` says that the index knows no object, `files` how many content files there are.
pub(super) fn relate(
    state: &Path,
    index: Option<&Stamp>,
    folder: Option<&Stamp>,
    empty: bool,
    files: usize,
) -> Result<Relation, Mismatch> {
    if files == 0 {
        return Ok(Relation::Same);
    }
    let name = || state.display().to_string();
    match (index, folder) {
        (None, _) if empty => Err(Mismatch::NoIndex(name(), files)),
        (None, Some(_)) => Ok(Relation::OlderIndex),
        (Some(index), Some(folder)) if index.id != folder.id => Err(Mismatch::Foreign(name(), files)),
        (Some(index), Some(folder)) if index.starts < folder.starts => Ok(Relation::OlderIndex),
        // The index is stamped first, so one start more is a start that was killed in between.
        (Some(index), Some(folder)) if index.starts > folder.starts + 1 => Ok(Relation::OlderFiles),
        // Where the folder has no stamp it is of a version without, or its first start was killed between the two.
        _ => Ok(Relation::Same),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(id: &str, starts: i64) -> Stamp {
        let id = id.to_owned();
        Stamp { id, starts }
    }

    #[test]
    fn every_pair_of_stamps() {
        let state = Path::new("s");
        let lost = || Err(Mismatch::NoIndex("s".to_owned(), 3));
        let foreign = || Err(Mismatch::Foreign("s".to_owned(), 3));
        let table = [
            (None, None, true, lost()),
            (None, Some(stamp("a", 4)), true, lost()),
            (None, None, false, Ok(Relation::Same)),
            (None, Some(stamp("a", 4)), false, Ok(Relation::OlderIndex)),
            (Some(stamp("a", 4)), None, false, Ok(Relation::Same)),
            (Some(stamp("a", 4)), Some(stamp("b", 4)), false, foreign()),
            (
                Some(stamp("a", 3)),
                Some(stamp("a", 4)),
                false,
                Ok(Relation::OlderIndex),
            ),
            (Some(stamp("a", 4)), Some(stamp("a", 4)), true, Ok(Relation::Same)),
            (
                Some(stamp("a", 5)),
                Some(stamp("a", 4)),
                false,
                Ok(Relation::Same),
            ),
            (
                Some(stamp("a", 6)),
                Some(stamp("a", 4)),
                false,
                Ok(Relation::OlderFiles),
            ),
        ];
        for (index, folder, empty, expected) in table {
            let related = relate(state, index.as_ref(), folder.as_ref(), empty, 3);
            assert_eq!(related, expected, "{index:?} {folder:?} {empty}");
            let without_files = relate(state, index.as_ref(), folder.as_ref(), empty, 0);
            assert_eq!(without_files, Ok(Relation::Same));
        }
    }

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Stamp::of_files(folder.path()).unwrap(), None);
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        assert_eq!(Stamp::of_index(&connection).unwrap(), None);
        for starts in 1..3 {
            let transaction = connection.transaction().unwrap();
            let stamp = Stamp::advance(&transaction).unwrap();
            transaction.commit().unwrap();
            assert_eq!(stamp.starts, starts);
            stamp.write(folder.path()).unwrap();
            assert_eq!(Stamp::of_files(folder.path()).unwrap().as_ref(), Some(&stamp));
            assert_eq!(Stamp::of_index(&connection).unwrap(), Some(stamp));
        }
        fs::write(folder.path().join(FILE), "noise").unwrap();
        assert!(Stamp::of_files(folder.path()).is_err());
    }
}
