//! Content files: immutable, named by a random id, never by anything a client sent.
//!
//! `<state>/objects/tmp/<id>` while being written, `<state>/objects/<xx>/<id>` when complete and flushed. A file
//! exists before a row mentions it and goes after the row has gone; what a crash leaves behind is set aside at the
//! next start, see [`sweep`]. A reader pins its files, so that replacing or deleting an object never cuts a download short.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, TempPath};
use vod_ids as ids;

use super::sweep;

/// Ids have this many characters of `[a-z0-9]`; the first two name the folder.
const ID_LENGTH: usize = 32;

/// The folder of content files.
pub(super) struct Blobs {
    root: PathBuf,
    in_use: Mutex<InUse>,
}

/// What must not be removed yet.
#[derive(Default)]
struct InUse {
    pins: HashMap<String, Pins>,
    /// Readers of the index that may pin what they find there, see [`Blobs::look`].
    looking: usize,
    /// Removed from the index since one of them began: removed when none is left.
    waiting: Vec<String>,
}

#[derive(Default)]
struct Pins {
    readers: usize,
    /// Removed from the index while being read: the last reader removes the file.
    doomed: bool,
}

impl Blobs {
    /// Opens `<state>/objects`, creating it, and throws away what was being written when the last process ended.
    pub(super) fn open(state_dir: &Path) -> io::Result<Arc<Self>> {
        let root = state_dir.join("objects");
        let temporary = root.join("tmp");
        fs::create_dir_all(&temporary)?;
        for entry in fs::read_dir(&temporary)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Arc::new(Self {
            root,
            in_use: Mutex::default(),
        }))
    }

    /// Starts a new file, which is removed unless it is published.
    pub(super) fn create(&self) -> io::Result<NamedTempFile> {
        let path = self.root.join("tmp").join(ids::letters(ID_LENGTH));
        let file = File::create_new(&path)?;
        Ok(NamedTempFile::from_parts(file, TempPath::try_from_path(path)?))
    }

    /// Flushes a file to the disk and gives it its final place. `crc64` is the CRC-64/NVME of its bytes.
    pub(super) fn publish(&self, draft: NamedTempFile, crc64: u64) -> io::Result<Published> {
        draft.as_file().sync_all()?;
        let id = draft.path().file_name().unwrap_or_default();
        let id = id.to_string_lossy().into_owned();
        let target = self.path(&id);
        let folder = target.parent().unwrap_or(&self.root);
        if !folder.exists() {
            fs::create_dir_all(folder)?;
            sync_folder(&self.root)?;
        }
        draft.persist(&target)?;
        let path = TempPath::try_from_path(&target)?;
        sync_folder(folder)?;
        Ok(Published { id, crc64, path })
    }

    /// Keeps every file that the index has now, until the guard is dropped. Take it before reading the index, pin what
    /// was found there, and let go of it.
    pub(super) fn look(self: &Arc<Self>) -> Looking {
        self.in_use().looking += 1;
        Looking(Arc::clone(self))
    }

    /// Keeps the file `id` readable until the guard is dropped. Call it under [`Blobs::look`].
    pub(super) fn pin(self: &Arc<Self>, id: &str) -> Pinned {
        self.in_use().pins.entry(id.to_owned()).or_default().readers += 1;
        Pinned {
            blobs: Arc::clone(self),
            id: id.to_owned(),
        }
    }

    /// Removes the file `id`, now or when its last reader is done. The index no longer mentions it.
    pub(super) fn remove(&self, id: &str) {
        let mut in_use = self.in_use();
        if in_use.looking > 0 {
            in_use.waiting.push(id.to_owned());
        } else if let Some(pins) = in_use.pins.get_mut(id) {
            pins.doomed = true;
        } else {
            drop(in_use);
            remove_file(&self.path(id));
        }
    }

    fn stop_looking(&self) {
        let mut in_use = self.in_use();
        in_use.looking -= 1;
        if in_use.looking > 0 {
            return;
        }
        let waiting = std::mem::take(&mut in_use.waiting);
        drop(in_use);
        for id in waiting {
            self.remove(&id);
        }
    }

    /// The folder of content files, `<state>/objects`.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, id: &str) -> PathBuf {
        sweep::path(&self.root, id)
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A complete file that no row mentions yet. It is removed unless it is kept after the commit.
pub(super) struct Published {
    pub(super) id: String,
    pub(super) crc64: u64,
    path: TempPath,
}

impl Published {
    pub(super) fn keep(mut self) {
        self.path.disable_cleanup(true);
    }
}

/// A read of the index that has not ended.
pub(super) struct Looking(Arc<Blobs>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.stop_looking();
    }
}

/// The right to read one content file, whatever happens to the object.
pub(super) struct Pinned {
    blobs: Arc<Blobs>,
    id: String,
}

impl Pinned {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn open(&self) -> io::Result<File> {
        File::open(self.blobs.path(&self.id))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut in_use = self.blobs.in_use();
        let Some(pins) = in_use.pins.get_mut(&self.id) else {
            return;
        };
        pins.readers -= 1;
        if pins.readers == 0 {
            let doomed = pins.doomed;
            in_use.pins.remove(&self.id);
            drop(in_use);
            if doomed {
                remove_file(&self.blobs.path(&self.id));
            }
        }
    }
}

/// A file that cannot be removed costs room until a start sets it aside; no caller waits for it.
fn remove_file(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "content file not removed");
    }
}

/// Makes a rename or a new file in `folder` survive a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn files(root: &Path) -> usize {
        let mut count = 0;
        for folder in fs::read_dir(root.join("objects")).unwrap() {
            count += fs::read_dir(folder.unwrap().path()).unwrap().count();
        }
        count
    }

    fn write(blobs: &Arc<Blobs>, text: &str) -> Published {
        let mut draft = blobs.create().unwrap();
        draft.write_all(text.as_bytes()).unwrap();
        blobs.publish(draft, 0).unwrap()
    }

    #[test]
    fn unreferenced_blobs_are_deleted() {
        let state = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(state.path()).unwrap();
        drop(blobs.create().unwrap());
        drop(write(&blobs, "x"));
        assert_eq!(files(state.path()), 0);
        write(&blobs, "x").keep();
        assert_eq!(files(state.path()), 1);
    }

    #[test]
    fn a_removed_file_stays_until_its_last_reader_is_done() {
        let state = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(state.path()).unwrap();
        let published = write(&blobs, "hello");
        let id = published.id.clone();
        published.keep();
        let (one, two) = (blobs.pin(&id), blobs.pin(&id));
        blobs.remove(&id);
        drop(one);
        let mut text = String::new();
        two.open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        drop(two);
        assert_eq!(files(state.path()), 0);
    }

    /// A reader may have found a row that is gone by now, and pin its file only then.
    #[test]
    fn no_file_goes_while_the_index_is_read() {
        let state = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(state.path()).unwrap();
        let (kept, gone) = (write(&blobs, "pinned"), write(&blobs, "gone"));
        let ids = [kept.id.clone(), gone.id.clone()];
        kept.keep();
        gone.keep();
        let (one, two) = (blobs.look(), blobs.look());
        for id in &ids {
            blobs.remove(id);
        }
        let pinned = blobs.pin(&ids[0]);
        drop(one);
        assert_eq!(files(state.path()), 2);
        drop(two);
        assert_eq!(files(state.path()), 1);
        assert!(pinned.open().is_ok());
        drop(pinned);
        assert_eq!(files(state.path()), 0);
    }

    #[test]
    fn a_start_removes_drafts_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(state.path()).unwrap();
        write(&blobs, "published").keep();
        std::mem::forget(blobs.create().unwrap());
        assert_eq!(files(state.path()), 2);

        Blobs::open(state.path()).unwrap();
        assert_eq!(files(state.path()), 1);
    }
}
