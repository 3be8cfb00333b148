//! Byte ranges of single pictures, for players that show them while a viewer seeks (RFC 8216, section 4.3.3.6).

use std::io::{self, Read};
use std::ops::Range;

use super::segments::Piece;
use crate::plan::Output;
use crate::playlist::Segment;
use crate::transport;

/// A picture: its bytes in the file of a segment, and its start in seconds after that of the segment.
pub(super) type Shown = (Range<u64>, f64);

/// The pictures of each segment that can be shown alone; none if the output has no playlist of them.
pub(super) fn of(
    output: &Output,
    pieces: &[Piece],
    read: impl Fn(&Piece) -> io::Result<Vec<Shown>>,
) -> io::Result<Vec<Vec<Shown>>> {
    if !output.i_frames {
        return Ok(Vec::new());
    }
    let shown: Vec<Vec<Shown>> = pieces.iter().map(read).collect::<io::Result<_>>()?;
    if shown.iter().all(Vec::is_empty) {
        return Err(io::Error::other(
            "the encoder wrote no picture that can be shown alone",
        ));
    }
    Ok(shown)
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a segment are far below 2^52")]
pub(super) fn in_transport_stream(stream: &mut impl Read) -> io::Result<Vec<Shown>> {
    let keys = transport::keyframes(stream)?;
    let shown = keys
        .into_iter()
        .map(|key| (key.start..key.end, key.ticks as f64 / 90_000.0));
    Ok(shown.collect())
}

/// The entries of a playlist. Each picture lasts until the next one.
pub(super) fn ranges(shown: &[Vec<Shown>], segments: &[Segment]) -> Vec<Segment> {
    let (mut entries, mut starts, mut start): (Vec<Segment>, Vec<f64>, f64) = (Vec::new(), Vec::new(), 0.0);
    for (segment, pictures) in segments.iter().zip(shown) {
        for (bytes, after) in pictures {
            starts.push(start + after);
            entries.push(Segment {
                name: segment.name.clone(),
                seconds: 0.0,
                bytes: bytes.end - bytes.start,
                offset: Some(segment.offset.unwrap_or_default() + bytes.start),
            });
        }
        start += segment.seconds;
    }
    let ends = starts.iter().copied().skip(1).chain([start]);
    for ((entry, start), end) in entries.iter_mut().zip(&starts).zip(ends) {
        entry.seconds = (end - start).max(0.0);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_lasts_until_the_next_one() {
        let segment = |offset| Segment {
            name: "video.ts".to_owned(),
            seconds: 4.0,
            bytes: 5000,
            offset,
        };
        let shown = [vec![(0..564, 0.0), (2000..2500, 1.5)], vec![(188..400, 0.0)]];
        let found = ranges(&shown, &[segment(None), segment(Some(5000))]);
        let entries: Vec<_> = found
            .iter()
            .map(|entry| (entry.offset, entry.bytes, entry.seconds))
            .collect();
        assert_eq!(
            entries,
            [
                (Some(0), 564, 1.5),
                (Some(2000), 500, 2.5),
                (Some(5188), 212, 4.0)
            ]
        );
        assert_eq!(ranges(&[], &[segment(None)]), []);
    }
}
