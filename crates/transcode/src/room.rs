//! Limits the disk space that an encode may use.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::failure::TranscodeError;
use crate::process::Limits;

/// Between two measurements of the work folder.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes that are free on the disk of a folder, for users without privileges.
#[cfg(target_os = "linux")]
pub fn free(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Not measured on this system: reports no limit.
#[cfg(not(target_os = "linux"))]
pub fn free(_: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

/// Returns once the files below a folder are larger than `limit` together.
pub(crate) async fn outgrown(folder: &Path, limit: u64) -> TranscodeError {
    loop {
        tokio::time::sleep(PAUSE).await;
        let folder = folder.to_owned();
        let used = tokio::task::spawn_blocking(move || used(&folder)).await;
        if used.is_ok_and(|used| used > limit) {
            return TranscodeError::DiskShare(limit);
        }
    }
}

/// Translates the signal that the kernel sends to an encoder whose file reaches the size limit.
pub(crate) fn or_one_file_outgrown(error: TranscodeError, limits: &Limits) -> TranscodeError {
    const SIGXFSZ: i32 = 25;
    match error {
        TranscodeError::Killed { signal: SIGXFSZ, .. } => TranscodeError::DiskShare(limits.disk),
        other => other,
    }
}

/// Bytes of the files below a folder. What vanishes meanwhile counts for nothing.
fn used(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => used(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_all_folders_count() {
        let folder = tempfile::tempdir().expect("is made");
        std::fs::create_dir(folder.path().join("g0")).expect("is made");
        for name in ["a", "g0/b"] {
            std::fs::write(folder.path().join(name), [0; 1000]).expect("is written");
        }
        assert_eq!(used(folder.path()), 2000);
        assert_eq!(used(&folder.path().join("none")), 0);
        assert!(free(folder.path()).expect("is known") > 0);
    }
}
