//! Reads the boxes of fragmented MP4 (ISO/IEC 14496-12) that manifests are written from: codec, timing and sizes.
//!
//! The files are ffmpeg's own, but what is in them comes from uploads: nothing is trusted, and sizes are limited.

mod codec;
mod single;

pub use codec::hevc_in_stream;
pub use single::copy_fragments;
pub(crate) use single::{Entry, index};

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes of a box that is read whole: `moov` or `moof`. A fragment of ten thousand samples takes 160 KB.
const BOX_MAX: u64 = 16 << 20;

/// The track of an initialization segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Ticks per second.
    pub timescale: u32,
    /// Ticks that the edit list takes from the start: encoder delay, or the offset of the first picture.
    pub edit: u64,
    codec: codec::Codec,
    defaults: Defaults,
}

/// Sample duration in ticks, size in bytes, and flags where a fragment gives none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// A media segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// First instant that is shown or heard, in ticks from the start of the presentation.
    pub start: u64,
    /// Its end; the next segment starts here.
    pub end: u64,
    /// The keyframes that fragments begin with.
    pub keyframes: Vec<Keyframe>,
}

/// A keyframe with the index in front of it: bytes of the file, without which it cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyframe {
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// The instant at which it is shown, in ticks from the start of the presentation.
    pub at: u64,
}

/// A fragment in decoding time. The first of a segment begins with a keyframe, whose composition offset is that of all
/// keyframes.
#[derive(Debug, Clone, Copy)]
struct Fragment {
    start: u64,
    end: u64,
    offset: i64,
    /// Its first sample is a keyframe.
    is_key: bool,
    /// Bytes from the start of the file to the end of its first sample.
    first_end: u64,
}

impl Track {
    /// Reads the track of an initialization segment. `None`: it has none that can be described.
    pub fn parse(file: &[u8]) -> Option<Self> {
        let moov = child(file, *b"moov")?;
        let media = child(child(moov, *b"trak")?, *b"mdia")?;
        let header = child(media, *b"mdhd")?;
        // Version 1 has times of 64 bits before it.
        let timescale = number32(header, if header.first() == Some(&1) { 20 } else { 12 })?;
        let table = child(child(media, *b"minf")?, *b"stbl")?;
        let entry = children(child(table, *b"stsd")?.get(8..)?).next()?;
        let extends = child(moov, *b"mvex").and_then(|extends| child(extends, *b"trex"));
        let default = |at| {
            extends
                .and_then(|extends| number32(extends, at))
                .unwrap_or_default()
        };
        Some(Self {
            timescale: Some(timescale).filter(|timescale| *timescale > 0)?,
            edit: child(moov, *b"trak").and_then(edit).unwrap_or_default(),
            codec: codec::Codec::parse(entry.0, entry.1)?,
            defaults: Defaults {
                duration: default(12),
                size: default(16),
                flags: default(20),
            },
        })
    }

    /// The `CODECS` entry. Before RFC 6381, that of H.264 was written in decimals.
    pub fn codec(&self, rfc_6381: bool) -> String {
        self.codec.name(rfc_6381)
    }

    /// Reads a media segment. It is an error if it has no sample, or a box that is too large to be read.
    pub fn segment(&self, file: &mut (impl Read + Seek)) -> io::Result<Segment> {
        let mut fragments: Vec<(u64, Fragment)> = Vec::new();
        let mut at = file.seek(SeekFrom::Start(0))?;
        while let Some((kind, header, size)) = head(file)? {
            if kind == *b"moof" {
                let mut bytes = Vec::new();
                let length = size.saturating_sub(header);
                if length > BOX_MAX {
                    return Err(malformed("a fragment has too large an index"));
                }
                file.by_ref().take(length).read_to_end(&mut bytes)?;
                let next = self
                    .fragment(&bytes, at)
                    .ok_or_else(|| malformed("a fragment has no samples"))?;
                fragments.push((at, next));
            }
            at = at
                .checked_add(size)
                .ok_or_else(|| malformed("a box is too large"))?;
            file.seek(SeekFrom::Start(at))?;
        }
        let (Some((_, first)), Some((_, last))) = (fragments.first(), fragments.last()) else {
            return Err(malformed("a segment has no fragment"));
        };
        // What the edit list takes away is nothing that is shown.
        let shown = |ticks: u64| {
            let shown = ticks.saturating_add_signed(first.offset);
            shown.saturating_sub(self.edit)
        };
        let keys = fragments.iter().filter(|(_, fragment)| fragment.is_key);
        Ok(Segment {
            start: shown(first.start),
            end: shown(last.end),
            keyframes: keys
                .map(|(start, fragment)| Keyframe {
                    start: *start,
                    end: fragment.first_end,
                    at: shown(fragment.start),
                })
                .collect(),
        })
    }

    /// A fragment, from the content of its `moof`, which starts at byte `at` of the file.
    fn fragment(&self, moof: &[u8], at: u64) -> Option<Fragment> {
        let track = child(moof, *b"traf")?;
        let header = child(track, *b"tfhd")?;
        let defaults = self.fragment_defaults(header)?;
        let time = child(track, *b"tfdt")?;
        let start = match time.first()? {
            0 => u64::from(number32(time, 4)?),
            _ => u64::from_be_bytes(time.get(4..12)?.try_into().ok()?),
        };
        let mut total = Run::default();
        for (_, run) in children(track).filter(|(kind, _)| kind == b"trun") {
            total.add(Run::parse(run, defaults)?);
        }
        let data = u64::try_from(total.data_offset).ok()?;
        Some(Fragment {
            start,
            end: start.checked_add(total.duration)?,
            offset: total.first_offset?,
            // "Sample is not a sync sample", section 8.8.3.1.
            is_key: total.first_flags & 0x1_0000 == 0,
            first_end: at.checked_add(data)?.checked_add(total.first_size)?,
        })
    }

    fn fragment_defaults(&self, header: &[u8]) -> Option<Defaults> {
        let flags = number32(header, 0)? & 0x00ff_ffff;
        let mut defaults = self.defaults;
        let mut at = 8;
        for (flag, length) in [(0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4), (0x20, 4)] {
            if flags & flag == 0 {
                continue;
            }
            match flag {
                0x8 => defaults.duration = number32(header, at)?,
                0x10 => defaults.size = number32(header, at)?,
                0x20 => defaults.flags = number32(header, at)?,
                _ => {}
            }
            at += length;
        }
        Some(defaults)
    }
}

/// The samples of one `trun`.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    duration: u64,
    /// Composition offset of the first sample in ticks.
    first_offset: Option<i64>,
    first_size: u64,
    first_flags: u32,
    /// Bytes from the start of the `moof` to the first sample.
    data_offset: i64,
}

impl Run {
    fn parse(run: &[u8], defaults: Defaults) -> Option<Self> {
        let flags = number32(run, 0)?;
        let has = |flag: u32| flags & flag != 0;
        let (count, mut at) = (number32(run, 4)?, 8);
        let mut parsed = Self::default();
        if has(0x1) {
            parsed.data_offset = i64::from(signed32(run, at)?);
            at += 4;
        }
        let first_flags = has(0x4).then(|| number32(run, at));
        at += if has(0x4) { 4 } else { 0 };
        // Samples without members of their own are alike: the bytes do not limit their number, and one is looked at.
        let are_alike = flags & 0xf00 == 0;
        if are_alike && u64::from(count) > BOX_MAX {
            return None;
        }
        let (looked_at, alike) = if are_alike {
            (count.min(1), count)
        } else {
            (count, 1)
        };
        for index in 0..looked_at {
            let mut member = |flag: u32, default: u32| -> Option<u32> {
                if !has(flag) {
                    return Some(default);
                }
                at += 4;
                number32(run, at - 4)
            };
            let duration = member(0x100, defaults.duration)?;
            let size = member(0x200, defaults.size)?;
            let flags = member(0x400, defaults.flags)?;
            let offset = member(0x800, 0)?;
            parsed.duration += u64::from(duration) * u64::from(alike);
            if index == 0 {
                parsed.first_size = u64::from(size);
                parsed.first_flags = first_flags.unwrap_or(Some(flags))?;
                // Version 0 is unsigned; offsets of half the range are no pictures' either way.
                parsed.first_offset = Some(i64::from(i32::from_be_bytes(offset.to_be_bytes())));
            }
        }
        Some(parsed)
    }

    fn add(&mut self, next: Self) {
        let duration = self.duration + next.duration;
        if self.first_offset.is_none() {
            *self = next;
        }
        self.duration = duration;
    }
}

/// Ticks that an edit list of one entry takes from the start.
fn edit(track: &[u8]) -> Option<u64> {
    let list = child(child(track, *b"edts")?, *b"elst")?;
    let (count, version) = (number32(list, 4)?, *list.first()?);
    if count != 1 {
        return None;
    }
    if version == 0 {
        u64::try_from(signed32(list, 12)?).ok()
    } else {
        let time = i64::from_be_bytes(list.get(16..24)?.try_into().ok()?);
        u64::try_from(time).ok()
    }
}

/// Kind, bytes of the header, and bytes of the whole of the box at the reader's position; `None` at the end of the file.
fn head(file: &mut impl Read) -> io::Result<Option<([u8; 4], u64, u64)>> {
    let mut bytes = Vec::with_capacity(16);
    file.by_ref().take(8).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let short = number32(&bytes, 0).ok_or_else(|| malformed("a box is cut off"))?;
    let kind = bytes.get(4..8).and_then(|kind| kind.try_into().ok());
    let kind = kind.ok_or_else(|| malformed("a box is cut off"))?;
    if short != 1 {
        let size = u64::from(short);
        return if size < 8 {
            Err(malformed("a box has no size"))
        } else {
            Ok(Some((kind, 8, size)))
        };
    }
    let mut long = [0; 8];
    file.read_exact(&mut long)?;
    let size = u64::from_be_bytes(long);
    if size < 16 {
        Err(malformed("a box has no size"))
    } else {
        Ok(Some((kind, 16, size)))
    }
}

/// The boxes in a range of bytes, by kind and content, up to the first that is cut off.
fn children(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = usize::try_from(number32(bytes, 0)?).ok()?;
        let kind = bytes.get(4..8)?.try_into().ok()?;
        let content = bytes.get(8..size)?;
        bytes = &bytes[size..];
        Some((kind, content))
    })
}

fn child(bytes: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    children(bytes)
        .find(|(found, _)| *found == kind)
        .map(|(_, content)| content)
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn signed32(bytes: &[u8], at: usize) -> Option<i32> {
    number32(bytes, at).map(|number| i32::from_be_bytes(number.to_be_bytes()))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the encoder's segments cannot be read: {what}"),
    )
}

#[cfg(test)]
mod tests;
