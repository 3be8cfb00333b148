//! Folders that do not outlive what they are for.

use std::io;
use std::path::{Path, PathBuf};

use vod_ids as ids;

/// A folder that is removed, with all that is in it, when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a new folder below `parent`; its name starts with `label`.
    pub(super) async fn new(parent: &Path, label: &str) -> io::Result<Self> {
        let path = parent.join(format!("{label}-{}", ids::letters(8)));
        tokio::fs::create_dir_all(&path).await?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Thousands of segments take milliseconds to unlink; not worth a task that nobody waits for.
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "failed to remove work folder");
        }
    }
}

/// Removes what a process that was killed has left behind.
pub(super) async fn wipe(parent: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(parent).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    tokio::fs::create_dir_all(parent).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn folders_vanish() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path(), "probe").await.unwrap();
        std::fs::write(scratch.path().join("input"), "x").unwrap();
        let path = scratch.path().to_owned();
        drop(scratch);
        assert!(!path.exists());

        std::fs::create_dir(parent.path().join("left-over")).unwrap();
        wipe(parent.path()).await.unwrap();
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
