//! Checks properties of a container that ffprobe does not report: encryption, and missing media data.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::failure::ProbeError;

/// Largest index that is looked through, in bytes.
const LARGEST_INDEX: u64 = 64 << 20;
/// Boxes at the top of a file that are looked at; a fragmented film of three hours has some thousands.
const MOST_BOXES: usize = 100_000;

/// Refuses a source that would end in garbage, or in half a film. `format` is ffprobe's name of the container.
pub(super) async fn check(path: &Path, format: &str) -> Result<(), ProbeError> {
    let look: fn(PathBuf) -> io::Result<Option<ProbeError>> = match format.split(',').next() {
        Some("mov") => mp4,
        Some("mxf") => mxf,
        _ => return Ok(()),
    };
    let path = path.to_owned();
    let found = tokio::task::spawn_blocking(move || look(path)).await;
    match found.map_err(io::Error::other).and_then(|found| found) {
        Ok(Some(problem)) => Err(problem),
        Ok(None) => Ok(()),
        Err(error) => Err(ProbeError::Start(error)),
    }
}

/// ISO 14496-12: an encrypted track's sample entry is `encv` or `enca` (ISO 23001-7), and samples are in `mdat`.
fn mp4(path: PathBuf) -> io::Result<Option<ProbeError>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let (mut at, mut index, mut media) = (0, false, false);
    for _ in 0..MOST_BOXES {
        if at + 8 > length {
            break;
        }
        file.seek(SeekFrom::Start(at))?;
        let mut head = Vec::new();
        (&file).take(16).read_to_end(&mut head)?;
        let Some((kind, header, size)) = box_head(&head, length - at) else {
            break;
        };
        match &kind {
            b"mdat" | b"moof" => media |= at + header < length,
            b"moov" => {
                index = true;
                file.seek(SeekFrom::Start(at + header))?;
                let mut body = Vec::new();
                (&file)
                    .take((size - header).min(LARGEST_INDEX))
                    .read_to_end(&mut body)?;
                if is_encrypted(&body) {
                    return Ok(Some(ProbeError::Encrypted));
                }
            }
            _ => {}
        }
        at = at.saturating_add(size);
    }
    Ok((index && !media).then_some(ProbeError::NoMedia))
}

/// Kind, length of the head and length of a whole box; `left` is what the file has from its start on.
fn box_head(head: &[u8], left: u64) -> Option<([u8; 4], u64, u64)> {
    let size = u32::from_be_bytes(head.get(..4)?.try_into().ok()?);
    let kind = head.get(4..8)?.try_into().ok()?;
    let (header, size) = match size {
        0 => (8, left),
        1 => (16, u64::from_be_bytes(head.get(8..16)?.try_into().ok()?)),
        size => (8, u64::from(size)),
    };
    (size >= header).then_some((kind, header, size))
}

/// Whether a track below these boxes is encrypted.
fn is_encrypted(mut boxes: &[u8]) -> bool {
    while let Some((kind, header, size)) = box_head(boxes, boxes.len() as u64) {
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(boxes.len());
        let Some(body) = boxes.get(usize::from(header == 16) * 8 + 8..size) else {
            return false;
        };
        let encrypted = match &kind {
            b"encv" | b"enca" => true,
            b"trak" | b"mdia" | b"minf" | b"stbl" => is_encrypted(body),
            // Version, flags and a count come before its entries.
            b"stsd" => body.get(8..).is_some_and(is_encrypted),
            _ => false,
        };
        if encrypted {
            return true;
        }
        boxes = &boxes[size..];
    }
    false
}

/// SMPTE ST 377-1, 7.1: a header partition may say where the footer begins, which a file that was cut no longer has.
fn mxf(path: PathBuf) -> io::Result<Option<ProbeError>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut start = Vec::new();
    file.take(128).read_to_end(&mut start)?;
    let footer = mxf_footer(&start).unwrap_or(0);
    Ok((footer > 0 && footer.saturating_add(16) > length).then_some(ProbeError::Truncated { length }))
}

/// Offset of the footer partition, from a file's first bytes; 0 where the writer did not know it.
fn mxf_footer(start: &[u8]) -> Option<u64> {
    const PARTITION: [u8; 13] = [6, 0x0e, 0x2b, 0x34, 2, 5, 1, 1, 0x0d, 1, 2, 1, 1];
    if start.get(..13)? != PARTITION {
        return None;
    }
    // The length is BER: short, or a count of bytes that follow.
    let first = *start.get(16)?;
    let value = 17
        + if first < 0x80 {
            0
        } else {
            usize::from(first & 0x7f)
        };
    // Versions (2 and 2 bytes), grid (4), this partition (8), the one before (8).
    let at = value + 24;
    Some(u64::from_be_bytes(start.get(at..at + 8)?.try_into().ok()?))
}
