//! Room for making room: on a full disk SQLite cannot even delete, because its log has to grow first.
//!
//! `<state>/reserve` is a file of noise that is given up when a delete meets a full disk, and made again when there is
//! room.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::fill;

/// Bytes of the file: a delete of 1,000 keys needs less.
const SIZE: usize = 4 << 20;

/// The file.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(super) fn new(state: &Path) -> Self {
        Self {
            path: state.join("reserve"),
        }
    }

    /// Gives up the room. False when that has been done already.
    pub(super) fn give_up(&self) -> bool {
        let given = fs::remove_file(&self.path).is_ok();
        if given {
            tracing::warn!("the disk is full: the reserve is given up for a delete");
        }
        given
    }

    /// Makes the file where it is missing. False when the disk has no room for it.
    pub(super) fn restore(&self) -> io::Result<bool> {
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == SIZE as u64) {
            return Ok(true);
        }
        // Noise takes up its room on a file system that compresses, too.
        let mut noise = vec![0; SIZE];
        fill(&mut noise).map_err(io::Error::other)?;
        match self.write(&noise) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                // A part of it would only be in the way.
                fs::remove_file(&self.path)?;
                Ok(false)
            }
            written => written.map(|()| true),
        }
    }

    fn write(&self, noise: &[u8]) -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&self.path)?.write_all(noise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_up_once_and_made_again_whole() {
        let state = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(state.path());
        assert!(!reserve.give_up());
        assert!(reserve.restore().unwrap());
        assert!(reserve.give_up());
        assert!(!reserve.give_up());

        fs::write(state.path().join("reserve"), "cut").unwrap();
        assert!(reserve.restore().unwrap());
        assert_eq!(fs::metadata(state.path().join("reserve")).unwrap().len(), 4 << 20);
    }
}
