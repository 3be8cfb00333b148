//! Streams content to a client, and through a hasher where S3 needs the MD5 of bytes that are stored already.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use md5::{Digest as _, Md5};
use rusqlite::Connection;
use s3s::dto::StreamingBlob;

use super::blobs::Pinned;
use super::checksum::{Algorithm, Stored};
use super::fault::Fault;
use super::index::{self, Segment};
use super::store::Store;

/// So many bytes are read at a time: one trip to the blocking pool each, so small reads cost 20 times the CPU.
const READ: u64 = 512 << 10;

/// Content that stays readable, whatever happens to the object.
pub(super) struct Content(VecDeque<Piece>);

enum Piece {
    Inline(Bytes),
    File { pinned: Pinned, start: u64, length: u64 },
}

impl Content {
    /// Pins `segments`. Runs where the index is read, so that no file goes in between.
    pub(super) fn pin(store: &Store, connection: &Connection, segments: &[Segment]) -> Result<Self, Fault> {
        let mut pieces = VecDeque::with_capacity(segments.len());
        for segment in segments {
            pieces.push_back(match index::inline(connection, &segment.blob)? {
                Some(bytes) => Piece::Inline(part(bytes, segment)),
                None => Piece::File {
                    pinned: store.blobs.pin(&segment.blob),
                    start: segment.start,
                    length: segment.length,
                },
            });
        }
        Ok(Self(pieces))
    }

    /// Opens the first file, so that a lost file is an error and not a body cut short.
    pub(super) async fn open(mut self) -> Result<Reader, Fault> {
        let current = match self.0.pop_front() {
            Some(piece) => Some(tokio::task::spawn_blocking(move || open(piece)).await??),
            None => None,
        };
        Ok(Reader {
            current,
            rest: self.0,
        })
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
    File { file: File, left: u64, pinned: Pinned },
}

fn open(piece: Piece) -> io::Result<Open> {
    Ok(match piece {
        Piece::Inline(bytes) => Open::Inline(bytes),
        Piece::File {
            pinned,
            start,
            length,
        } => {
            let mut file = pinned.open()?;
            file.seek(SeekFrom::Start(start))?;
            Open::File {
                file,
                left: length,
                pinned,
            }
        }
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
    ) -> Result<([u8; 16], Option<Stored>), Fault> {
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
                Some(Open::File {
                    mut file,
                    left,
                    pinned,
                }) if left > 0 => {
                    let bytes = read(&mut file, left.min(READ))?;
                    self.current = Some(Open::File {
                        file,
                        left: left - bytes.len() as u64,
                        pinned,
                    });
                    return Ok(Some((bytes, self)));
                }
                Some(Open::File { .. }) => {}
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
