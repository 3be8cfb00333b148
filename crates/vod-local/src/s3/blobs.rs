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

use super::sweep;
use crate::ids;

/// Ids have this many characters of `[a-z0-9]`; the first two name the folder.
const ID_LENGTH: usize = 32;

/// The folder of content files.
pub(super) struct Blobs {
    root: PathBuf,
    pins: Mutex<HashMap<String, Pins>>,
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
            pins: Mutex::default(),
        }))
    }

    /// Starts a new file.
    pub(super) fn create(self: &Arc<Self>) -> io::Result<Draft> {
        let id = ids::letters(ID_LENGTH);
        let path = self.root.join("tmp").join(&id);
        let file = File::create_new(&path)?;
        Ok(Draft {
            blobs: Arc::clone(self),
            id,
            file,
            path: Doomed(Some(path)),
        })
    }

    /// Keeps the file `id` readable until the guard is dropped. Call it while holding the index.
    pub(super) fn pin(self: &Arc<Self>, id: &str) -> Pinned {
        self.pins().entry(id.to_owned()).or_default().readers += 1;
        Pinned {
            blobs: Arc::clone(self),
            id: id.to_owned(),
        }
    }

    /// Removes the file `id`, now or when its last reader is done. The index no longer mentions it.
    pub(super) fn remove(&self, id: &str) {
        if let Some(pins) = self.pins().get_mut(id) {
            pins.doomed = true;
            return;
        }
        remove_file(&self.path(id));
    }

    /// The folder of content files, `<state>/objects`.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, id: &str) -> PathBuf {
        sweep::path(&self.root, id)
    }

    fn pins(&self) -> MutexGuard<'_, HashMap<String, Pins>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file being written. Dropped, it is gone.
pub(super) struct Draft {
    blobs: Arc<Blobs>,
    id: String,
    pub(super) file: File,
    path: Doomed,
}

impl Draft {
    /// Flushes the file to the disk and gives it its final place.
    pub(super) fn publish(mut self) -> io::Result<Published> {
        self.file.sync_all()?;
        let target = self.blobs.path(&self.id);
        let folder = target.parent().unwrap_or(&self.blobs.root).to_owned();
        if !folder.exists() {
            fs::create_dir_all(&folder)?;
            sync_folder(&self.blobs.root)?;
        }
        fs::rename(self.blobs.root.join("tmp").join(&self.id), &target)?;
        self.path.0 = Some(target);
        sync_folder(&folder)?;
        Ok(Published {
            id: self.id,
            path: self.path,
        })
    }
}

/// A complete file that no row mentions yet. Dropped, it is gone; [`Published::keep`] it after the commit.
pub(super) struct Published {
    pub(super) id: String,
    path: Doomed,
}

impl Published {
    pub(super) fn keep(mut self) {
        self.path.0 = None;
    }
}

/// Removes its path when dropped.
struct Doomed(Option<PathBuf>);

impl Drop for Doomed {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            remove_file(path);
        }
    }
}

/// The right to read one content file, whatever happens to the object.
pub(super) struct Pinned {
    blobs: Arc<Blobs>,
    id: String,
}

impl Pinned {
    pub(super) fn open(&self) -> io::Result<File> {
        File::open(self.blobs.path(&self.id))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut all = self.blobs.pins();
        let Some(pins) = all.get_mut(&self.id) else { return };
        pins.readers -= 1;
        if pins.readers == 0 {
            let doomed = pins.doomed;
            all.remove(&self.id);
            drop(all);
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
        draft.file.write_all(text.as_bytes()).unwrap();
        draft.publish().unwrap()
    }

    #[test]
    fn what_nobody_keeps_disappears() {
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
