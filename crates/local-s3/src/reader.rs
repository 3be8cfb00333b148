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
use md5::{Digest as _, Md5};
use rusqlite::Connection;
use s3s::dto::StreamingBlob;

use super::blobs::Pinned;
use super::checksum::{Algorithm, Stored};
use super::error::OperationError;
use super::index::{self, Place, Segment};
use super::store::Store;

/// So many bytes are read at a time: one trip to the blocking pool each, so small reads cost 20 times the CPU.
const READ: u64 = 512 << 10;

/// Content that stays readable, whatever happens to the object.
pub(super) struct Content(VecDeque<Piece>);

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
        let mut pieces = VecDeque::with_capacity(segments.len());
        for segment in segments {
            pieces.push_back(match index::place(connection, &segment.blob)? {
                Place::Inline(bytes) => Piece::Inline(part(bytes, segment)),
                Place::File(crc64) => Piece::File(FileRange {
                    pinned: store.blobs.pin(&segment.blob),
                    start: segment.start,
                    length: segment.length,
                    crc64,
                }),
            });
        }
        Ok(Self(pieces))
    }

    /// Looks at every file and opens the first, so that a file that is lost or cut is an error and not a body cut short.
    pub(super) async fn open(mut self) -> Result<Reader, OperationError> {
        let opened = tokio::task::spawn_blocking(move || {
            for piece in &self.0 {
                if let Piece::File(range) = piece {
                    range.check_length()?;
                }
            }
            let current = self.0.pop_front().map(open).transpose()?;
            let rest = self.0;
            Ok::<_, io::Error>(Reader { current, rest })
        });
        Ok(opened.await??)
    }
}

fn part(bytes: Vec<u8>, segment: &Segment) -> Bytes {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let range = at(segment.start)..at(segment.start + segment.length);
    Bytes::from(bytes).slice(range)
}

/// Content being read.
pub(super) struct Reader {
    current: Option<Open>,
    rest: VecDeque<Piece>,
}

enum Open {
    Inline(Bytes),
    File(OpenFile),
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

fn open(piece: Piece) -> io::Result<Open> {
    Ok(match piece {
        Piece::Inline(bytes) => Open::Inline(bytes),
        Piece::File(range) => Open::File(range.open()?),
    })
}

impl Reader {
    pub(super) fn into_blob(self) -> StreamingBlob {
        StreamingBlob::wrap(self.into_stream())
    }

    fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync {
        stream::try_unfold(self, |reader| async move {
            if reader.is_finished() {
                return Ok(None);
            }
            tokio::task::spawn_blocking(move || reader.next())
                .await
                .map_err(io::Error::other)?
        })
    }

    /// The MD5 of all bytes, and their checksum where one is asked for.
    pub(super) async fn digest(
        self,
        algorithm: Option<Algorithm>,
    ) -> Result<([u8; 16], Option<Stored>), OperationError> {
        let mut md5 = Md5::new();
        let mut hasher = algorithm.map(Algorithm::hasher).unwrap_or_default();
        let mut bytes = Box::pin(self.into_stream());
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk?;
            md5.update(&chunk);
            hasher.update(&chunk);
        }
        let sums = hasher.finalize();
        let checksum =
            algorithm.and_then(|algorithm| Some(Stored::of_bytes(algorithm, algorithm.pick(sums)?)));
        Ok((md5.finalize().into(), checksum))
    }

    fn is_finished(&self) -> bool {
        self.current.is_none() && self.rest.is_empty()
    }

    fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        loop {
            match self.current.take() {
                None => match self.rest.pop_front() {
                    Some(piece) => self.current = Some(open(piece)?),
                    None => return Ok(None),
                },
                Some(Open::Inline(bytes)) => return Ok(Some((bytes, self))),
                Some(Open::File(mut file)) if file.left > 0 => {
                    let bytes = file.next()?;
                    self.current = Some(Open::File(file));
                    return Ok(Some((bytes, self)));
                }
                Some(Open::File(_)) => {}
            }
        }
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
