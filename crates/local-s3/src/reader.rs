//! Streams content to a client, and through a hasher where S3 needs the MD5 of bytes that are stored already.
//!
//! A content file that is missing or cut is an error before the first byte. One whose bytes have changed is found where
//! all of it is read (an object, a segment of a film), and breaks the answer off before its last piece: no client ever
//! has a whole body that is wrong. Ranges of a file are not checked, since that would mean to read all of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use futures::{Stream, StreamExt as _, stream};
use rusqlite::Connection;
use s3s::dto::StreamingBlob;

use super::blobs::Pinned;
use super::checksum::{Algorithm, Hasher, Stored};
use super::error::OperationError;
use super::index::{self, Place, Segment};
use super::store::Store;

/// So many bytes are read at a time: one trip to the blocking pool each, so small reads cost 20 times the CPU.
const READ: u64 = 512 << 10;

/// Content that stays readable, whatever happens to the object.
pub(super) struct Content {
    open: Option<OpenFile>,
    rest: VecDeque<Piece>,
}

enum Piece {
    Inline(Bytes),
    File(FileRange),
}

/// A range of a content file.
struct FileRange {
    pinned: Pinned,
    start: u64,
    length: u64,
    /// Of the whole file.
    crc64: Option<u64>,
}

impl Content {
    /// Pins `segments`. Runs where the index is read, so that no file goes in between.
    pub(super) fn pin(
        store: &Store,
        connection: &Connection,
        segments: &[Segment],
    ) -> Result<Self, OperationError> {
        let mut rest = VecDeque::with_capacity(segments.len());
        for segment in segments {
            rest.push_back(match index::place(connection, &segment.blob)? {
                Place::Inline(bytes) => Piece::Inline(part(bytes, segment)),
                Place::File(crc64) => Piece::File(FileRange {
                    pinned: store.blobs.pin(&segment.blob),
                    start: segment.start,
                    length: segment.length,
                    crc64,
                }),
            });
        }
        Ok(Self { open: None, rest })
    }

    /// Opens every file once, so that one that is lost or cut is an error and not a body cut short.
    pub(super) async fn checked(self) -> Result<Self, OperationError> {
        let checked = tokio::task::spawn_blocking(move || {
            for piece in &self.rest {
                if let Piece::File(range) = piece {
                    range.check_length()?;
                }
            }
            Ok::<_, io::Error>(self)
        });
        Ok(checked.await??)
    }

    pub(super) fn into_blob(self) -> StreamingBlob {
        StreamingBlob::wrap(self.into_stream())
    }

    fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync {
        stream::try_unfold(self, |content| async move {
            if content.open.is_none() && content.rest.is_empty() {
                return Ok(None);
            }
            tokio::task::spawn_blocking(move || content.next())
                .await
                .map_err(io::Error::other)?
        })
    }

    /// The MD5 of all bytes, and their checksum where one is asked for.
    pub(super) async fn digest(
        self,
        algorithm: Option<Algorithm>,
    ) -> Result<([u8; 16], Option<Stored>), OperationError> {
        let mut hasher = Hasher::new(algorithm);
        let mut bytes = Box::pin(self.into_stream());
        while let Some(chunk) = bytes.next().await {
            hasher.update(&chunk?);
        }
        Ok(hasher.finish())
    }

    fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        loop {
            if let Some(file) = self.open.as_mut().filter(|file| file.left > 0) {
                return Ok(Some((file.next()?, self)));
            }
            self.open = match self.rest.pop_front() {
                None => return Ok(None),
                Some(Piece::Inline(bytes)) => return Ok(Some((bytes, self))),
                Some(Piece::File(range)) => Some(range.open()?),
            };
        }
    }
}

fn part(bytes: Vec<u8>, segment: &Segment) -> Bytes {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let range = at(segment.start)..at(segment.start + segment.length);
    Bytes::from(bytes).slice(range)
}

/// A file that is being read.
struct OpenFile {
    file: File,
    left: u64,
    /// What has been read, and what all of it should come to; only where the whole file is read.
    check: Option<(Box<Digest>, u64)>,
    pinned: Pinned,
}

impl FileRange {
    fn check_length(&self) -> io::Result<()> {
        if self.pinned.open()?.metadata()?.len() < self.start + self.length {
            tracing::error!(file = self.pinned.id(), "content file is cut");
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn open(self) -> io::Result<OpenFile> {
        let mut file = self.pinned.open()?;
        file.seek(SeekFrom::Start(self.start))?;
        let whole = self.start == 0 && file.metadata()?.len() == self.length;
        let check = self.crc64.filter(|_| whole);
        Ok(OpenFile {
            file,
            left: self.length,
            check: check.map(|crc64| (Box::new(Digest::new(CrcAlgorithm::Crc64Nvme)), crc64)),
            pinned: self.pinned,
        })
    }
}

impl OpenFile {
    /// The next bytes. The last ones come only if the whole file is what was written.
    fn next(&mut self) -> io::Result<Bytes> {
        let bytes = read(&mut self.file, self.left.min(READ))?;
        self.left -= bytes.len() as u64;
        if let Some((digest, expected)) = &mut self.check {
            digest.update(&bytes);
            if self.left == 0 && digest.finalize() != *expected {
                tracing::error!(
                    file = self.pinned.id(),
                    "content file is damaged: its checksum has changed"
                );
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(bytes)
    }
}

fn read(file: &mut File, length: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    Ok(bytes.into())
}
