//! Compares the content files with the index at start. Nothing that the index does not know is deleted at once: it
//! goes to `objects/orphans/<date>/`, comes back when a later index knows it, and is removed after [`KEPT`].

use std::collections::HashMap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

/// The folder of files that the index does not know, below `objects/`.
const ORPHANS: &str = "orphans";

/// Days for which such a file is kept.
pub(super) const KEPT: i32 = 7;

/// How the content files differ from the index.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    /// Files that the index does not know: set aside now.
    pub(super) aside: usize,
    /// Files that were set aside earlier and that the index knows.
    pub(super) back: usize,
    /// Ids of files that the index knows and that are gone, or shorter than it says.
    pub(super) broken: Vec<String>,
}

/// Counts the content files.
pub(super) fn count(objects: &Path) -> io::Result<usize> {
    Ok(content_files(objects)?.len())
}

/// Sets aside each file that `known` does not have, brings back what it has, and finds what is broken. `known` gives
/// the least size of each file, in bytes.
pub(super) fn sweep(objects: &Path, known: &HashMap<String, u64>, now: Timestamp) -> io::Result<Swept> {
    let mut swept = Swept::default();
    let aside = objects.join(ORPHANS).join(date(now).to_string());
    for entry in content_files(objects)? {
        if !name(&entry).is_some_and(|id| known.contains_key(&id)) {
            fs::create_dir_all(&aside)?;
            fs::rename(entry.path(), aside.join(entry.file_name()))?;
            swept.aside += 1;
        }
    }
    for entry in orphans(objects)? {
        let target = name(&entry).filter(|id| known.contains_key(id));
        let Some(target) = target.map(|id| path(objects, &id)) else {
            continue;
        };
        if !target.exists() {
            target.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::rename(entry.path(), target)?;
            swept.back += 1;
        }
    }
    for (id, &least) in known {
        match fs::metadata(path(objects, id)) {
            Ok(metadata) if metadata.len() >= least => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => swept.broken.push(id.clone()),
        }
    }
    Ok(swept)
}

/// Removes what was set aside more than [`KEPT`] days ago. Returns the number of files.
pub(super) fn forget(objects: &Path, now: Timestamp) -> io::Result<usize> {
    let mut removed = 0;
    for folder in folders(&objects.join(ORPHANS))? {
        // A folder of another name was not made by this program.
        let set_aside = folder
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<Date>().ok());
        let end = set_aside.and_then(|day| day.checked_add(KEPT.days()).ok());
        if end.is_some_and(|end| end < date(now)) {
            removed += fs::read_dir(folder.path())?.count();
            fs::remove_dir_all(folder.path())?;
        }
    }
    Ok(removed)
}

/// The path of the content file `id`.
pub(super) fn path(objects: &Path, id: &str) -> PathBuf {
    objects.join(&id[..2]).join(id)
}

fn date(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

fn name(entry: &DirEntry) -> Option<String> {
    entry.file_name().to_str().map(str::to_owned)
}

/// All content files that are in use, or look so. Their folders have names of two characters.
fn content_files(objects: &Path) -> io::Result<Vec<DirEntry>> {
    let folders = folders(objects)?.into_iter();
    files_in(folders.filter(|folder| folder.file_name().len() == 2))
}

fn orphans(objects: &Path) -> io::Result<Vec<DirEntry>> {
    files_in(folders(&objects.join(ORPHANS))?)
}

fn files_in(folders: impl IntoIterator<Item = DirEntry>) -> io::Result<Vec<DirEntry>> {
    let mut files = Vec::new();
    for folder in folders {
        files.extend(fs::read_dir(folder.path())?.collect::<io::Result<Vec<_>>>()?);
    }
    Ok(files)
}

/// The folders in a folder; none where there is no such folder.
fn folders(parent: &Path) -> io::Result<Vec<DirEntry>> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(objects: &Path, id: &str, text: &str) {
        let path = path(objects, id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn known(files: &[(&str, u64)]) -> HashMap<String, u64> {
        files
            .iter()
            .map(|(id, least)| ((*id).to_owned(), *least))
            .collect()
    }

    #[test]
    fn an_orphan_is_kept_for_days_and_comes_back_to_an_index_that_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let objects = folder.path();
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        write(objects, "aaknown", "known");
        write(objects, "bborphan", "orphan");
        write(objects, "ccold", "old");
        fs::create_dir_all(objects.join("tmp")).unwrap();
        fs::write(objects.join("generation"), "x 1").unwrap();

        let mut swept = sweep(objects, &known(&[("aaknown", 5), ("ddgone", 1)]), now).unwrap();
        assert_eq!((swept.aside, swept.back), (2, 0));
        assert_eq!(swept.broken, ["ddgone"]);
        assert_eq!(count(objects).unwrap(), 1);
        assert_eq!(forget(objects, now + 24.hours() * 7).unwrap(), 0);

        swept = sweep(objects, &known(&[("aaknown", 6), ("bborphan", 6)]), now).unwrap();
        assert_eq!((swept.aside, swept.back), (0, 1));
        assert_eq!(swept.broken, ["aaknown"], "it is shorter than the index says");
        assert_eq!(fs::read_to_string(path(objects, "bborphan")).unwrap(), "orphan");

        assert_eq!(forget(objects, now + 24.hours() * 8).unwrap(), 1);
        assert!(!objects.join("orphans/2026-11-28").exists());
        assert_eq!(count(objects).unwrap(), 2);
    }
}
