//! HLS playlists as `MediaConvert` writes them. Pure: ffmpeg's own playlist is read for the durations only.
//!
//! Sources: RFC 8216, and playlists that `MediaConvert` wrote.

mod bandwidth;
mod master;

use std::fmt::Write as _;

pub use self::bandwidth::bandwidth;
pub use self::master::{AudioRendition, Master, SubtitleRendition, Variant, master};
use crate::plan::{Encryption, HlsGroup};

/// One media segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its file name.
    pub name: String,
    pub seconds: f64,
    pub bytes: u64,
    /// Its first byte in a file that has other segments too.
    pub offset: Option<u64>,
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

/// An initialization segment, of fragmented MP4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialization {
    /// Its file name.
    pub name: String,
    /// Its bytes at the start of a file that has segments too.
    pub bytes: Option<u64>,
}

/// The contents of a media playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    Segments,
    /// Byte ranges of single pictures in segments.
    IFrames,
    /// Segments that are never encrypted.
    Captions,
}

/// Playlist of one rendition.
pub fn media(
    group: &HlsGroup,
    contents: Contents,
    initialization: Option<&Initialization>,
    segments: &[Segment],
) -> String {
    let ranges = segments.iter().any(|segment| segment.offset.is_some());
    let version = match (initialization, ranges) {
        (Some(_), _) => 6,
        (None, true) => 4,
        (None, false) => 3,
    };
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n");
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "#EXT-X-TARGETDURATION:{}", target_duration(group, segments));
    text.push_str("#EXT-X-MEDIA-SEQUENCE:1\n");
    if !group.client_cache {
        text.push_str("#EXT-X-ALLOW-CACHE:NO\n");
    }
    text.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    if contents == Contents::IFrames {
        text.push_str("#EXT-X-I-FRAMES-ONLY\n");
    }
    let base = with_slash(&group.base_url);
    if let Some(Initialization { name, bytes }) = initialization {
        let _ = write!(text, "#EXT-X-MAP:URI=\"{}{}\"", quoted(&base), uri(name));
        if let Some(bytes) = bytes {
            let _ = write!(text, ",BYTERANGE=\"{bytes}@0\"");
        }
        text.push('\n');
    }
    let encryption = group
        .encryption
        .as_ref()
        .filter(|_| contents != Contents::Captions);
    let mut dates = Dates::default();
    for (number, segment) in (1..).zip(segments) {
        let seconds = segment.seconds;
        text.push_str(&encryption.map_or(String::new(), |encryption| key(encryption, number)));
        text.push_str(&dates.before(group, seconds));
        let _ = if group.integer_durations && contents != Contents::IFrames {
            writeln!(text, "#EXTINF:{},", seconds.round().max(1.0))
        } else {
            writeln!(text, "#EXTINF:{seconds:.5},")
        };
        if let Some(offset) = segment.offset {
            let _ = writeln!(text, "#EXT-X-BYTERANGE:{}@{offset}", segment.bytes);
        }
        let _ = writeln!(text, "{base}{}", uri(&segment.name));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

/// The tag in front of a segment that says how it and the following ones are encrypted.
fn key(encryption: &Encryption, number: u128) -> String {
    // One vector, or the number of each segment, which players know, holds for all.
    let each = encryption.vector_listed && encryption.vector.is_none();
    if number > 1 && !each {
        return String::new();
    }
    let mut text = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{}\"", quoted(&encryption.url));
    if encryption.vector_listed {
        let vector = u128::from_be_bytes(encryption.vector_of(number));
        let _ = write!(text, ",IV=0x{vector:032x}");
    }
    let attributes = [
        ("KEYFORMAT", &encryption.format),
        ("KEYFORMATVERSIONS", &encryption.format_versions),
    ];
    for (name, value) in attributes {
        if let Some(value) = value {
            let _ = write!(text, ",{name}=\"{}\"", quoted(value));
        }
    }
    text.push('\n');
    text
}

/// Dates in a playlist: before its first segment, and before the first one after each period.
#[derive(Default)]
struct Dates {
    /// Seconds of the segments before.
    played: f64,
    /// Seconds at which the next date is due.
    due: f64,
}

impl Dates {
    fn before(&mut self, group: &HlsGroup, seconds: f64) -> String {
        let at = self.played;
        self.played += seconds;
        let Some(clock) = group.clock.filter(|_| at >= self.due) else {
            return String::new();
        };
        self.due += f64::from(clock.period);
        let date = clock.at(at);
        date.map_or(String::new(), |date| format!("#EXT-X-PROGRAM-DATE-TIME:{date}\n"))
    }
}

/// A quoted string has no way to write a quotation mark or the end of a line (RFC 8216, section 4.2).
fn quoted(text: &str) -> String {
    text.replace('"', "'").replace(char::is_control, " ")
}

/// A base URL in front of a file name.
pub(crate) fn with_slash(base: &str) -> String {
    let base = base.trim();
    if base.is_empty() || base.ends_with('/') {
        base.to_owned()
    } else {
        format!("{base}/")
    }
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
pub(crate) fn uri(name: &str) -> String {
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
mod tests;
