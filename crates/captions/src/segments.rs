//! Cues in the segments of a stream.

use crate::Cue;

/// The cues of each segment, by the lengths of the segments in ms.
///
/// A cue that is shown across a boundary is in both segments, with the same times: a player that begins at the
/// second one shows it too, and one that plays on shows it once (RFC 8216, section 3.5). Cues after the last segment
/// are left out.
pub fn split(cues: &[Cue], lengths: &[u64]) -> Vec<Vec<Cue>> {
    let mut start = 0;
    lengths
        .iter()
        .map(|length| {
            let (from, to) = (start, start + length);
            start = to;
            cues.iter()
                .filter(|cue| cue.start < to && cue.end > from)
                .cloned()
                .collect()
        })
        .collect()
}
