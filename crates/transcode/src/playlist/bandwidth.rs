//! Bit rates of renditions (RFC 8216, section 4.3.4.2).

use crate::playlist::Segment;

/// Peak and average bits per second of a rendition.
///
/// The peak is that of any contiguous set of segments which lasts between half and one and a half of the target
/// duration (RFC 8216 section 4.1), so that a short last segment, little more than a keyframe, does not count alone.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are positive and far below 2^52"
)]
pub fn bandwidth(segments: &[Segment]) -> (u64, u64) {
    let target = segments.iter().map(|segment| segment.seconds).fold(0.0, f64::max);
    let average = rate(segments);
    // Of a playlist that is too short for such a set the whole is one.
    let peak = (0..segments.len())
        .flat_map(|start| sets_from(&segments[start..], target))
        .map(rate)
        .fold(average, f64::max);
    (peak.ceil() as u64, average.ceil() as u64)
}

/// The sets of segments that begin with the first and count for the peak.
fn sets_from(segments: &[Segment], target: f64) -> impl Iterator<Item = &[Segment]> {
    let ends = segments.iter().scan(0.0, |seconds, segment| {
        *seconds += segment.seconds;
        Some(*seconds)
    });
    ends.enumerate()
        .take_while(move |(_, seconds)| *seconds <= target * 1.5)
        .filter(move |(_, seconds)| *seconds >= target * 0.5)
        .map(|(last, _)| &segments[..=last])
}

/// Bits per second.
#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn rate(segments: &[Segment]) -> f64 {
    let bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let seconds: f64 = segments.iter().map(|segment| segment.seconds).sum();
    if seconds > 0.0 {
        bytes as f64 * 8.0 / seconds
    } else {
        0.0
    }
}
