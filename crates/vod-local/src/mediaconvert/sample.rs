//! Probing without copying the whole object: of a large MP4 or MOV only its index and its beginning are
//! fetched, into a file that is hollow elsewhere.
//!
//! Submit calls Probe from a function with a time limit, so an upload of many gigabytes must not take longer
//! than a short one. What is not plainly an unfragmented MP4 or MOV is copied whole.

use std::ops::Range;
use std::path::Path;

use aws_sdk_s3::Client;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use transcode::exec::{Limits, ProbeError};
use transcode::probe::MediaInfo;
use vod_core::mp4::{self, BoxHeader};

use super::inspect::ObjectFacts;
use super::transfer::{self, Location, TransferError};

/// Objects up to this many bytes are copied whole: that is quick enough.
const WHOLE: u64 = 64 << 20;
/// So many bytes of the beginning are fetched: decoders want to see some pictures.
const HEAD: u64 = 8 << 20;
/// An index beyond this is copied with all the rest.
const MAX_INDEX: u64 = 256 << 20;
/// Top-level boxes looked at in search of the index.
const MAX_BOXES: usize = 32;

/// Why an object could not be probed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SampleError {
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

/// Probes the object at `from`; `path` is a file that may be overwritten.
pub(super) async fn probe(
    s3: &Client,
    from: &Location,
    path: &Path,
    limits: &Limits,
) -> Result<(MediaInfo, ObjectFacts), SampleError> {
    let facts = transfer::head(s3, from).await?;
    let size = facts
        .size
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or_default();
    if size > WHOLE
        && let Some(info) = probe_hollow(s3, from, path, limits, (&facts, size, HEAD)).await?
    {
        return Ok((info, facts));
    }
    let facts = transfer::fetch(s3, from, path).await?;
    Ok((transcode::probe::probe(path, limits).await?, facts))
}

/// Probes what [`hollow_copy`] makes; None where that is not enough to be sure.
async fn probe_hollow(
    s3: &Client,
    from: &Location,
    path: &Path,
    limits: &Limits,
    (facts, size, head): (&ObjectFacts, u64, u64),
) -> Result<Option<MediaInfo>, SampleError> {
    let copy = Hollow {
        s3,
        from,
        facts,
        path,
        size,
    };
    if !copy.make(head).await? {
        return Ok(None);
    }
    let info = transcode::probe::probe(path, limits).await;
    Ok(info
        .ok()
        .filter(|info| info.duration_ms > 0 && info.video.is_some()))
}

/// A copy of an object that lacks its pictures and sound.
struct Hollow<'a> {
    s3: &'a Client,
    from: &'a Location,
    facts: &'a ObjectFacts,
    path: &'a Path,
    /// Of the object, in bytes.
    size: u64,
}

impl Hollow<'_> {
    /// False where the object is no MP4 or MOV with one index.
    async fn make(&self, head: u64) -> Result<bool, TransferError> {
        let mut file = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(self.path)
            .await
            .map_err(|error| self.from.io("read", &error))?;
        file.set_len(self.size)
            .await
            .map_err(|error| self.from.io("read", &error))?;
        self.fetch(&mut file, 0..head.min(self.size)).await?;
        let Some(index) = self.find_index(&mut file, head).await? else {
            return Ok(false);
        };
        if index.end - index.start > MAX_INDEX {
            return Ok(false);
        }
        if index.end > head {
            self.fetch(&mut file, index).await?;
        }
        Ok(true)
    }

    /// Where the `moov` box lies, unless the file is fragmented: then what is behind it matters as well.
    async fn find_index(&self, file: &mut File, head: u64) -> Result<Option<Range<u64>>, TransferError> {
        let (mut at, mut index) = (0, None);
        for _ in 0..MAX_BOXES {
            if at + 16 > self.size {
                break;
            }
            if at + 16 > head {
                self.fetch(file, at..at + 16).await?;
            }
            let Some(BoxHeader { kind, size, .. }) = mp4::box_header(&self.read(file, at).await?) else {
                return Ok(None);
            };
            let end = size
                .map_or(self.size, |size| at.saturating_add(size))
                .min(self.size);
            match &kind {
                b"moov" => index = Some(at..end),
                b"ftyp" | b"mdat" | b"free" | b"skip" | b"wide" | b"uuid" | b"meta" | b"udta" | b"pnot" => {}
                // Fragments (`moof`, `sidx`, `styp`), or no such file at all.
                _ => return Ok(None),
            }
            at = end;
        }
        Ok(index)
    }

    async fn fetch(&self, file: &mut File, range: Range<u64>) -> Result<(), TransferError> {
        transfer::fetch_range(self.s3, self.from, self.facts, file, range).await
    }

    async fn read(&self, file: &mut File, at: u64) -> Result<[u8; 16], TransferError> {
        let mut bytes = [0; 16];
        let read = async {
            file.seek(SeekFrom::Start(at)).await?;
            file.read_exact(&mut bytes).await
        };
        read.await.map_err(|error| self.from.io("read", &error))?;
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
