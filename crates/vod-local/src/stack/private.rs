//! The state folder is its owner's alone: it holds keys, uploads and logs.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Takes all rights but the owner's from the folder and from its entries: files get 0600, folders 0700. Deeper
/// entries cannot be reached then.
///
/// A folder that was there before may have been made with more rights. Where they cannot be changed (another owner, a
/// file system without rights) the log says so, once, and the stack goes on.
pub(super) fn tighten(state: &Path) {
    if let Err(error) = tighten_all(state) {
        tracing::warn!(
            %error,
            "the state folder {} may be open to other users of this machine: give it to the user of `vod up`, mode 0700",
            state.display()
        );
    }
}

fn tighten_all(state: &Path) -> io::Result<()> {
    restrict(state)?;
    for entry in fs::read_dir(state)? {
        restrict(&entry?.path())?;
    }
    Ok(())
}

fn restrict(path: &Path) -> io::Result<()> {
    // Of a link its target is meant: a folder of objects on another disk.
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
    if metadata.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_keeps_rights() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        fs::create_dir_all(state.join("objects/aa")).unwrap();
        fs::write(state.join("vod.db"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", state.join("dangling")).unwrap();
        let mode = |name: &str| fs::metadata(state.join(name)).unwrap().permissions().mode() & 0o777;
        for (name, open) in [("", 0o755), ("objects", 0o777), ("vod.db", 0o644)] {
            fs::set_permissions(state.join(name), Permissions::from_mode(open)).unwrap();
        }
        tighten(&state);
        assert_eq!((mode(""), mode("objects"), mode("vod.db")), (0o700, 0o700, 0o600));
    }
}
