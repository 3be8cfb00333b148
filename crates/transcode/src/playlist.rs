//! HLS playlists as `MediaConvert` writes them. Pure: ffmpeg's own playlist is read for the durations only.

use std::fmt::Write as _;

use crate::plan::HlsGroup;
use crate::probe::Ratio;

/// One media segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its file name.
    pub name: String,
    pub seconds: f64,
    pub bytes: u64,
}

/// One rendition in the master playlist. Rates in bits per second.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// File name of its playlist.
    pub name: String,
    pub bandwidth: u64,
    pub average_bandwidth: u64,
    pub codecs: Vec<String>,
    pub size: (u32, u32),
    pub rate: Ratio,
}

/// Durations of the segments in a media playlist, in seconds.
pub fn durations(playlist: &str) -> Vec<f64> {
    let of = |line: &str| {
        line.strip_prefix("#EXTINF:")?
            .split(',')
            .next()?
            .trim()
            .parse()
            .ok()
    };
    playlist.lines().filter_map(of).collect()
}

/// Playlist of one rendition.
pub fn media(group: &HlsGroup, segments: &[Segment]) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:3\n");
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "#EXT-X-TARGETDURATION:{}", target_duration(group, segments));
    text.push_str("#EXT-X-MEDIA-SEQUENCE:1\n");
    if !group.client_cache {
        text.push_str("#EXT-X-ALLOW-CACHE:NO\n");
    }
    text.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    for segment in segments {
        let seconds = segment.seconds;
        let _ = if group.integer_durations {
            writeln!(text, "#EXTINF:{},", seconds.round().max(1.0))
        } else {
            writeln!(text, "#EXTINF:{seconds:.5},")
        };
        let _ = writeln!(text, "{}", uri(&segment.name));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

/// The playlist of playlists.
pub fn master(group: &HlsGroup, variants: &[Variant]) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for variant in variants {
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"",
            variant.bandwidth,
            variant.average_bandwidth,
            variant.codecs.join(",")
        );
        if group.resolution {
            let _ = write!(text, ",RESOLUTION={}x{}", variant.size.0, variant.size.1);
        }
        let _ = writeln!(
            text,
            ",FRAME-RATE={:.3}\n{}",
            variant.rate.as_f64(),
            uri(&variant.name)
        );
    }
    text
}

/// Whole seconds. `LEGACY` rounds up past the longest segment (6 s become 7), `SPEC_COMPLIANT` to the nearest.
fn target_duration(group: &HlsGroup, segments: &[Segment]) -> f64 {
    let longest = segments.iter().map(|segment| segment.seconds).fold(0.0, f64::max);
    if group.legacy_target {
        longest.floor() + 1.0
    } else {
        longest.round().max(1.0)
    }
}

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

/// The `CODECS` entry of an H.264 stream, from the start of a transport stream segment.
///
/// The sequence parameter set begins with profile, constraints and level; it is in the first packet, so
/// that the transport stream's packet headers do not cut it.
pub fn avc_codec(segment: &[u8], rfc_6381: bool) -> Option<String> {
    const SEQUENCE_PARAMETER_SET: u8 = 7;
    let is_start = |window: &&[u8]| window[..3] == [0, 0, 1] && window[3] & 0x1f == SEQUENCE_PARAMETER_SET;
    let found = segment.windows(7).find(is_start)?;
    let (profile, constraints, level) = (found[4], found[5], found[6]);
    Some(if rfc_6381 {
        format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
    } else {
        format!("avc1.{profile}.{level}")
    })
}

/// A file name as a relative URI: what has a meaning in a URI or no place in one is percent-encoded.
fn uri(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'('
            | b')'
            | b'!'
            | b'$'
            | b'\''
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'='
            | b'@'
            | b'&' => text.push(char::from(byte)),
            other => {
                let _ = write!(text, "%{other:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> HlsGroup {
        HlsGroup {
            segment_seconds: 6.0,
            integer_durations: false,
            legacy_target: false,
            rfc_6381: true,
            resolution: true,
            client_cache: true,
        }
    }

    fn segment(name: &str, seconds: f64, bytes: u64) -> Segment {
        Segment {
            name: name.to_owned(),
            seconds,
            bytes,
        }
    }

    #[test]
    fn a_media_playlist() {
        let segments = [
            segment("video_360_00001.ts", 6.0, 1),
            segment("video 360#_00002.ts", 1.5, 1),
        ];
        insta::assert_snapshot!("media_playlist", media(&group(), &segments));
        let old = HlsGroup {
            integer_durations: true,
            legacy_target: true,
            client_cache: false,
            ..group()
        };
        insta::assert_snapshot!("media_playlist_for_old_players", media(&old, &segments));
    }

    #[test]
    fn a_master_playlist() {
        let variant = |name: &str, size, codecs: &[&str]| Variant {
            name: name.to_owned(),
            bandwidth: 1_352_000,
            average_bandwidth: 1_108_000,
            codecs: codecs.iter().map(|&codec| codec.to_owned()).collect(),
            size,
            rate: Ratio {
                num: 30_000,
                den: 1001,
            },
        };
        let variants = [
            variant("video_360.m3u8", (640, 360), &["avc1.4d401e", "mp4a.40.2"]),
            variant("video_540.m3u8", (960, 540), &["avc1.64001f"]),
        ];
        insta::assert_snapshot!("master_playlist", master(&group(), &variants));
        let plain = master(
            &HlsGroup {
                resolution: false,
                ..group()
            },
            &variants,
        );
        assert!(!plain.contains("RESOLUTION"), "{plain}");
    }

    #[test]
    fn durations_are_read_back() {
        let segments = [segment("a_00001.ts", 6.006, 1), segment("a_00002.ts", 0.5, 1)];
        assert_eq!(durations(&media(&group(), &segments)), [6.006, 0.5]);
    }

    #[test]
    fn target_durations() {
        for (seconds, legacy, spec) in [(6.0, 7.0, 6.0), (6.4, 7.0, 6.0), (6.5, 7.0, 7.0), (0.2, 1.0, 1.0)] {
            let segments = [segment("a", seconds, 1)];
            let of = |legacy_target| {
                target_duration(
                    &HlsGroup {
                        legacy_target,
                        ..group()
                    },
                    &segments,
                )
            };
            assert_eq!(
                (of(true).to_bits(), of(false).to_bits()),
                (f64::to_bits(legacy), f64::to_bits(spec)),
                "{seconds}"
            );
        }
    }

    #[test]
    fn rates() {
        let segments = [
            segment("a", 6.0, 600_000),
            segment("b", 6.0, 300_000),
            segment("c", 0.1, 50_000),
        ];
        assert_eq!(bandwidth(&segments), (800_000, 628_100));
        assert_eq!(bandwidth(&[]), (0, 0));
        assert_eq!(bandwidth(&[segment("a", 0.0, 1)]), (0, 0));
        // A short and busy end counts together with the segment before it: the peak is never below the average.
        let busy_end = [segment("a", 6.0, 60_000), segment("b", 1.0, 80_000)];
        assert_eq!(bandwidth(&busy_end), (160_000, 160_000));
        // Two short ones on both sides of a long one are too long for a set with it.
        let (busy, quiet) = (segment("a", 4.0, 1_000), segment("b", 9.0, 90));
        let mut far_apart = vec![busy.clone(), quiet.clone(), busy];
        far_apart.extend(vec![quiet; 5]);
        assert_eq!(bandwidth(&far_apart), (671, 328));
    }

    #[test]
    fn codecs() {
        let start = [
            0x47, 0x40, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x64, 0x00, 0x1f, 0xac,
        ];
        assert_eq!(avc_codec(&start, true).as_deref(), Some("avc1.64001f"));
        assert_eq!(avc_codec(&start, false).as_deref(), Some("avc1.100.31"));
        assert_eq!(avc_codec(&[0; 100], true), None);
    }
}
