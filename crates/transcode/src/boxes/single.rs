//! One file of all segments, with an index in front (ISO/IEC 14496-12, section 8.16.3).

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{head, malformed};

/// A segment in such a file: ticks and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) bytes: u64,
}

/// Copies the fragments of a segment, without the brands and the index of the segment itself. Returns how many bytes they are.
/// A box without a size, or one whose header is cut off, is an error.
pub fn copy_fragments(from: &mut (impl Read + Seek), to: &mut impl Write) -> io::Result<u64> {
    let (mut at, mut copied) = (from.seek(SeekFrom::Start(0))?, 0);
    while let Some((kind, _, size)) = head(from)? {
        from.seek(SeekFrom::Start(at))?;
        if !matches!(&kind, b"styp" | b"sidx") {
            copied += io::copy(&mut from.by_ref().take(size), to)?;
        }
        at = at
            .checked_add(size)
            .ok_or_else(|| malformed("a box is too large"))?;
        from.seek(SeekFrom::Start(at))?;
    }
    Ok(copied)
}

/// The index of segments that follow it without a gap and begin with keyframes each.
pub(crate) fn index(timescale: u32, segments: &[Entry]) -> io::Result<Vec<u8>> {
    let count = u16::try_from(segments.len()).map_err(|_| malformed("there are too many segments"))?;
    let start = segments.first().map_or(0, |segment| segment.start);
    let mut content = b"sidx".to_vec();
    // Version 1, for times of 64 bits. The only track has the number 1.
    content.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 1]);
    content.extend_from_slice(&timescale.to_be_bytes());
    content.extend_from_slice(&start.to_be_bytes());
    // The first segment follows at once.
    content.extend_from_slice(&0_u64.to_be_bytes());
    content.extend_from_slice(&[0, 0]);
    content.extend_from_slice(&count.to_be_bytes());
    for Entry { start, end, bytes } in segments {
        // The highest bit would say that it is another index.
        let bytes = u32::try_from(*bytes).ok().filter(|bytes| *bytes < 1 << 31);
        let bytes = bytes.ok_or_else(|| malformed("a segment is larger than 2 GiB"))?;
        let ticks = u32::try_from(end.saturating_sub(*start));
        let ticks = ticks.map_err(|_| malformed("a segment is too long"))?;
        content.extend_from_slice(&bytes.to_be_bytes());
        content.extend_from_slice(&ticks.to_be_bytes());
        // It starts with an access point of type 1, at its first instant.
        content.extend_from_slice(&0x9000_0000_u32.to_be_bytes());
    }
    let size = u32::try_from(content.len() + 4).map_err(|_| malformed("there are too many segments"))?;
    Ok([&size.to_be_bytes(), content.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn brands_and_indices_of_segments_are_left_out() {
        let part = |kind: &[u8], content: &[u8]| {
            let size = u32::try_from(content.len() + 8).expect("is short");
            [&size.to_be_bytes(), kind, content].concat()
        };
        let fragment = [part(b"moof", b"abc"), part(b"mdat", b"defg")].concat();
        let segment = [part(b"styp", b"x"), part(b"sidx", b"yy"), fragment.clone()].concat();
        let mut copy = Vec::new();
        let copied = copy_fragments(&mut Cursor::new(segment), &mut copy).expect("is copied");
        assert_eq!((copied, copy), (23, fragment));
    }

    #[test]
    fn an_index_lists_sizes_and_lengths() {
        let entry = |start, end, bytes| Entry { start, end, bytes };
        let box_ = index(48_000, &[entry(0, 96_000, 500), entry(96_000, 144_000, 7)]).expect("is written");
        assert_eq!(box_.len(), 40 + 24);
        assert_eq!(box_[..4], 64_u32.to_be_bytes());
        assert_eq!(box_[38..40], [0, 2]);
        assert_eq!(
            box_[40..48],
            [500_u32.to_be_bytes(), 96_000_u32.to_be_bytes()].concat()
        );
        assert!(index(48_000, &[entry(0, 1, 1 << 31)]).is_err());
        assert!(index(48_000, &[entry(0, 1 << 32, 1)]).is_err());
    }
}
