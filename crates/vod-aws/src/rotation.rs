//! How a player turns the picture: MediaConvert's Probe does not say, and for a phone video in portrait it
//! decides the frame. An mp4 or mov says it in its track header, which a few small ranged reads find.

use vod_core::mp4::{self, BoxHeader};

use crate::source::{SourceError, Sources};

/// Bytes per read: enough for `ftyp` and a short `moov` in one go.
const CHUNK: u64 = 64 << 10;
/// Boxes looked at before giving up; real files have a handful per level.
const BOXES_MAX: usize = 64;

/// A window onto an object.
struct Window<'a> {
    sources: &'a Sources,
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
    start: u64,
    bytes: Vec<u8>,
    boxes: usize,
}

impl Sources {
    /// Degrees clockwise (0, 90, 180, 270) of the first video track; `None` where the file is no mp4 or mov,
    /// or does not say.
    pub async fn rotation(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        size: u64,
    ) -> Result<Option<u16>, SourceError> {
        let mut window = Window {
            sources: self,
            bucket,
            key,
            version,
            start: 0,
            bytes: Vec::new(),
            boxes: 0,
        };
        let Some((moov, end)) = window.find(0, size, *b"moov").await? else {
            return Ok(None);
        };
        let mut at = moov;
        while let Some((trak, trak_end)) = window.find(at, end, *b"trak").await? {
            if let Some((tkhd, tkhd_end)) = window.find(trak, trak_end, *b"tkhd").await? {
                let body = window.read(tkhd, (tkhd_end - tkhd).min(128)).await?;
                if let Some(rotation) = mp4::track_rotation(body) {
                    return Ok(Some(rotation));
                }
            }
            at = trak_end;
        }
        Ok(None)
    }
}

impl Window<'_> {
    /// Start and end of the body of the first box of `kind` among those that begin in `at..end`.
    async fn find(
        &mut self,
        mut at: u64,
        end: u64,
        kind: [u8; 4],
    ) -> Result<Option<(u64, u64)>, SourceError> {
        while at + 8 <= end && self.boxes < BOXES_MAX {
            self.boxes += 1;
            let length = (end - at).min(16);
            let Some(BoxHeader {
                kind: found,
                header,
                size,
            }) = mp4::box_header(self.read(at, length).await?)
            else {
                return Ok(None);
            };
            let box_end = size.map_or(end, |size| at.saturating_add(size)).min(end);
            if found == kind {
                return Ok(Some((at + header, box_end)));
            }
            at = box_end;
        }
        Ok(None)
    }

    /// `length` bytes from `at`, or fewer where the object ends.
    async fn read(&mut self, at: u64, length: u64) -> Result<&[u8], SourceError> {
        let end = self.start + self.bytes.len() as u64;
        if at < self.start || at + length > end {
            self.fetch(at).await?;
        }
        let from = usize::try_from(at - self.start)
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        let to = from
            .saturating_add(usize::try_from(length).unwrap_or(0))
            .min(self.bytes.len());
        Ok(&self.bytes[from..to])
    }

    async fn fetch(&mut self, at: u64) -> Result<(), SourceError> {
        let failed = |source| SourceError {
            action: "read a part",
            key: self.key.to_owned(),
            source,
        };
        let answer = self
            .sources
            .s3
            .get_object()
            .bucket(self.bucket)
            .key(self.key)
            .set_version_id(self.version.map(str::to_owned))
            .range(format!("bytes={at}-{}", at + CHUNK - 1))
            .send()
            .await
            .map_err(|error| failed(error.into()))?;
        let body = answer
            .body
            .collect()
            .await
            .map_err(|error| failed(error.into()))?;
        self.start = at;
        self.bytes = body.to_vec();
        Ok(())
    }
}
