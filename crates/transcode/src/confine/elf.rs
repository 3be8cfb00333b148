//! The dynamic loader that a program names in its ELF header (System V ABI, "Program Header", `PT_INTERP`).

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const PT_INTERP: u32 = 3;
/// A longer path is none that the kernel takes.
const PATH_MAX: u64 = 4096;

/// The loader of a 64-bit little-endian program; None where it needs none, or is another kind of file.
pub(super) fn interpreter(program: &Path) -> io::Result<Option<PathBuf>> {
    let file = File::open(program)?;
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0)?;
    // Magic number, 64 bits, little-endian.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let (table, size, count) = (long(&header, 32), short(&header, 54), short(&header, 56));
    for index in 0..u64::from(count) {
        let mut entry = [0; 56];
        file.read_exact_at(&mut entry, table.saturating_add(index * u64::from(size)))?;
        let (offset, length) = (long(&entry, 8), long(&entry, 32));
        if word(&entry, 0) == PT_INTERP && length <= PATH_MAX {
            let mut path = vec![0; usize::try_from(length).unwrap_or_default()];
            file.read_exact_at(&mut path, offset)?;
            let path = path.strip_suffix(b"\0").unwrap_or(&path);
            return Ok(Some(OsStr::from_bytes(path).into()));
        }
    }
    Ok(None)
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(short(bytes, at)) | u32::from(short(bytes, at + 2)) << 16
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_has_a_loader_and_text_has_none() {
        let own = interpreter(&std::env::current_exe().expect("is known")).expect("is read");
        if cfg!(target_env = "gnu") {
            assert!(own.expect("is linked dynamically").is_file());
        }
        let folder = tempfile::tempdir().expect("is made");
        let script = folder.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n".repeat(10)).expect("is written");
        assert_eq!(interpreter(&script).expect("is read"), None);
        std::fs::write(&script, "short").expect("is written");
        assert!(interpreter(&script).is_err());
    }
}
