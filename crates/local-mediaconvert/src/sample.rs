//! Probing without copying the whole object: of a large one only what ffprobe looks at is fetched, into a file that
//! is hollow elsewhere.
//!
//! Submit calls Probe from a function with a time limit, so an upload of many gigabytes must not take longer
//! than a short one. What ffprobe looks at is the beginning and the index of an MP4 or MOV, and the beginning and the
//! end of all else. A fragmented MP4 has its length spread over the file: one of moderate size is copied whole, of a
//! larger one the length stays unknown.

use std::ops::Range;
use std::path::Path;

use aws_sdk_s3::Client;
use mediaconvert_api::Location;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use transcode::exec::{Limits, ProbeError};
use transcode::probe::MediaInfo;
use vod_core::mp4::{self, BoxHeader};

use super::inspect::ObjectFacts;
use super::transfer::{self, TransferError};

/// Objects up to this many bytes are copied whole: that is quick enough.
const WHOLE: u64 = 64 << 20;
/// Larger ones are never copied whole: submit has a minute.
const COPIED: u64 = 1 << 30;
/// What is fetched of objects in between. ffprobe reads 5 MB of the beginning (`-probesize`), and looks for the last
/// time stamps of a transport stream in up to 16 MB of the end (`DURATION_MAX_READ_SIZE` in libavformat/demux.c).
const ENDS: Ends = Ends {
    head: 8 << 20,
    tail: 16 << 20,
};
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
    #[error("its beginning and end do not identify it, and {0} bytes are too many to copy")]
    TooLarge(u64),
}

/// Bytes of the beginning and of the end.
#[derive(Debug, Clone, Copy)]
struct Ends {
    head: u64,
    tail: u64,
}

/// What a hollow copy has in it.
#[derive(Debug, PartialEq)]
enum Layout {
    /// An MP4 or MOV, and where its `moov` box lies.
    Index(Range<u64>),
    /// An MP4 in fragments, or one that is damaged.
    Fragments,
    Other,
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
        && let Some(info) = probe_hollow(s3, from, path, limits, (&facts, size, ENDS)).await?
    {
        return Ok((info, facts));
    }
    if size > COPIED {
        return Err(SampleError::TooLarge(size));
    }
    let facts = transfer::fetch(s3, from, path).await?;
    Ok((transcode::probe::probe(path, limits).await?, facts))
}

/// Probes a hollow copy; None where that is not enough to be sure.
async fn probe_hollow(
    s3: &Client,
    from: &Location,
    path: &Path,
    limits: &Limits,
    (facts, size, ends): (&ObjectFacts, u64, Ends),
) -> Result<Option<MediaInfo>, SampleError> {
    let copy = Hollow {
        s3,
        from,
        facts,
        path,
        size,
    };
    let layout = copy.make(ends).await?;
    let fragments = layout == Layout::Fragments;
    if (fragments && size <= COPIED) || matches!(&layout, Layout::Index(at) if at.end - at.start > MAX_INDEX)
    {
        return Ok(None);
    }
    let info = match &layout {
        Layout::Index(_) => transcode::probe::probe(path, limits).await.ok(),
        Layout::Fragments | Layout::Other => transcode::probe::probe_ends(path, limits, ends.head).await.ok(),
    };
    Ok(info.and_then(|info| match layout {
        Layout::Index(_) => Some(info).filter(|info| info.duration_ms > 0 && info.video.is_some()),
        // That of the fragments that are there.
        Layout::Fragments => Some(MediaInfo {
            duration_ms: 0,
            ..info
        }),
        Layout::Other => Some(info).filter(|info| info.video.is_some() || !info.audio.is_empty()),
    }))
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
    async fn make(&self, ends: Ends) -> Result<Layout, TransferError> {
        let mut file = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(self.path)
            .await
            .map_err(|error| TransferError::io(self.from, "read", &error))?;
        file.set_len(self.size)
            .await
            .map_err(|error| TransferError::io(self.from, "read", &error))?;
        self.fetch(&mut file, 0..ends.head.min(self.size)).await?;
        let layout = self.layout(&mut file, ends.head).await?;
        let wanted = match &layout {
            Layout::Index(index) if index.end - index.start > MAX_INDEX => return Ok(layout),
            Layout::Index(index) => index.clone(),
            Layout::Fragments | Layout::Other => self.size.saturating_sub(ends.tail)..self.size,
        };
        if wanted.end > ends.head {
            self.fetch(&mut file, wanted).await?;
        }
        Ok(layout)
    }

    /// Follows the boxes of an MP4 or MOV.
    async fn layout(&self, file: &mut File, head: u64) -> Result<Layout, TransferError> {
        let (mut at, mut index) = (0, None);
        for _ in 0..MAX_BOXES {
            if at + 16 > self.size {
                break;
            }
            if at + 16 > head {
                self.fetch(file, at..at + 16).await?;
            }
            let strange = if at == 0 { Layout::Other } else { Layout::Fragments };
            let Some(BoxHeader { kind, size, .. }) = mp4::box_header(&self.read(file, at).await?) else {
                return Ok(strange);
            };
            let end = size
                .map_or(self.size, |size| at.saturating_add(size))
                .min(self.size);
            match &kind {
                b"moov" => index = Some(at..end),
                b"ftyp" | b"mdat" | b"free" | b"skip" | b"wide" | b"uuid" | b"meta" | b"udta" | b"pnot" => {}
                // Fragments (`moof`, `sidx`, `styp`), or no such file at all.
                _ => return Ok(strange),
            }
            at = end;
        }
        Ok(index.map_or(Layout::Fragments, Layout::Index))
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
        read.await
            .map_err(|error| TransferError::io(self.from, "read", &error))?;
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
