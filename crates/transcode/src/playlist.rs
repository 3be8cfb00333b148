//! HLS playlists as `MediaConvert` writes them. Pure: ffmpeg's own playlist is read for the durations only.
//!
//! Sources: RFC 8216, and playlists that `MediaConvert` wrote.

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
    /// Its first byte in a file that has other segments too.
    pub offset: Option<u64>,
}

/// One rendition in the master playlist. Rates in bits per second.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// File name of its playlist.
    pub name: String,
    pub bandwidth: u64,
    pub average_bandwidth: u64,
    pub codecs: Vec<String>,
    /// Pixels and frame rate; absent for audio alone.
    pub picture: Option<((u32, u32), Ratio)>,
    /// The group of audio renditions that it is played with.
    pub audio_group: Option<String>,
}

/// Audio that is played beside a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioRendition {
    pub group: String,
    /// Shown to viewers.
    pub name: String,
    /// ISO 639-2.
    pub language: Option<String>,
    pub default: bool,
    pub auto_select: bool,
    pub describes_video: bool,
    pub channels: u32,
    /// File name of its playlist.
    pub file: String,
}

/// Captions that can be shown over every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubtitleRendition {
    /// Shown to viewers.
    pub name: String,
    /// ISO 639-2 or RFC 5646.
    pub language: Option<String>,
    pub default: bool,
    /// They say what can be heard.
    pub accessible: bool,
    /// File name of its playlist.
    pub file: String,
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

/// Playlist of one rendition. Fragmented MP4 has an initialization segment.
pub fn media(group: &HlsGroup, initialization: Option<&str>, segments: &[Segment]) -> String {
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
    let base = with_slash(&group.base_url);
    if let Some(name) = initialization {
        let _ = write!(text, "#EXT-X-MAP:URI=\"{}{}\"", quoted(&base), uri(name));
        // In front of the first segment.
        if let Some(bytes) = segments.first().and_then(|first| first.offset) {
            let _ = write!(text, ",BYTERANGE=\"{bytes}@0\"");
        }
        text.push('\n');
    }
    for segment in segments {
        let seconds = segment.seconds;
        let _ = if group.integer_durations {
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

/// The playlist of playlists, with a version of the protocol that knows all that is in it.
pub fn master(
    group: &HlsGroup,
    version: u32,
    variants: &[Variant],
    audio: &[AudioRendition],
    subtitles: &[SubtitleRendition],
) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for variant in variants {
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"",
            variant.bandwidth,
            variant.average_bandwidth,
            variant.codecs.join(",")
        );
        if let Some((size, rate)) = variant.picture {
            if group.resolution {
                let _ = write!(text, ",RESOLUTION={}x{}", size.0, size.1);
            }
            let _ = write!(text, ",FRAME-RATE={:.3}", rate.as_f64());
        }
        if let Some(group) = &variant.audio_group {
            let _ = write!(text, ",AUDIO=\"{}\"", quoted(group));
        }
        if !subtitles.is_empty() && variant.picture.is_some() {
            text.push_str(",SUBTITLES=\"subs\"");
        }
        let _ = writeln!(text, "\n{}", uri(&variant.name));
    }
    // After the variants, as MediaConvert has them.
    for rendition in audio {
        text.push_str(&audio_rendition(rendition));
    }
    for rendition in subtitles {
        text.push_str(&subtitle_rendition(rendition));
    }
    text
}

fn subtitle_rendition(rendition: &SubtitleRendition) -> String {
    let default = if rendition.default { "YES" } else { "NO" };
    let mut text = format!(
        "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"{}\",DEFAULT={default},AUTOSELECT=YES,FORCED=NO",
        quoted(&rendition.name)
    );
    if let Some(language) = &rendition.language {
        let _ = write!(text, ",LANGUAGE=\"{}\"", quoted(language));
    }
    if rendition.accessible {
        text.push_str(
            ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,\
             public.accessibility.describes-music-and-sound\"",
        );
    }
    let _ = writeln!(text, ",URI=\"{}\"", uri(&rendition.file));
    text
}

fn audio_rendition(rendition: &AudioRendition) -> String {
    let yes = |is: bool| if is { "YES" } else { "NO" };
    let mut text = format!(
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}\"",
        quoted(&rendition.group)
    );
    if let Some(language) = &rendition.language {
        let _ = write!(text, ",LANGUAGE=\"{}\"", quoted(language));
    }
    let _ = write!(
        text,
        ",NAME=\"{}\",AUTOSELECT={},DEFAULT={},CHANNELS=\"{}\"",
        quoted(&rendition.name),
        yes(rendition.auto_select),
        yes(rendition.default),
        rendition.channels
    );
    if rendition.describes_video {
        text.push_str(",CHARACTERISTICS=\"public.accessibility.describes-video\"");
    }
    let _ = writeln!(text, ",URI=\"{}\"", uri(&rendition.file));
    text
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
mod tests {
    use super::*;

    fn group() -> HlsGroup {
        HlsGroup {
            integer_durations: false,
            legacy_target: false,
            rfc_6381: true,
            resolution: true,
            client_cache: true,
            base_url: String::new(),
            captions_match_video: false,
        }
    }

    fn segment(name: &str, seconds: f64, bytes: u64) -> Segment {
        Segment {
            name: name.to_owned(),
            seconds,
            bytes,
            offset: None,
        }
    }

    #[test]
    fn a_media_playlist() {
        let segments = [
            segment("video_360_00001.ts", 6.0, 1),
            segment("video 360#_00002.ts", 1.5, 1),
        ];
        insta::assert_snapshot!("media_playlist", media(&group(), None, &segments));
        let old = HlsGroup {
            integer_durations: true,
            legacy_target: true,
            client_cache: false,
            ..group()
        };
        insta::assert_snapshot!("media_playlist_for_old_players", media(&old, None, &segments));
    }

    #[test]
    fn a_master_playlist() {
        let variants = [
            variant("video_360.m3u8", (640, 360), &["avc1.4d401e", "mp4a.40.2"]),
            variant("video_540.m3u8", (960, 540), &["avc1.64001f"]),
        ];
        insta::assert_snapshot!("master_playlist", master(&group(), 3, &variants, &[], &[]));
        let plain = HlsGroup {
            resolution: false,
            ..group()
        };
        let plain = master(&plain, 3, &variants, &[], &[]);
        assert!(!plain.contains("RESOLUTION"), "{plain}");
    }

    fn variant(name: &str, size: (u32, u32), codecs: &[&str]) -> Variant {
        let rate = Ratio {
            num: 30_000,
            den: 1001,
        };
        Variant {
            name: name.to_owned(),
            bandwidth: 1_352_000,
            average_bandwidth: 1_108_000,
            codecs: codecs.iter().map(|&codec| codec.to_owned()).collect(),
            picture: Some((size, rate)),
            audio_group: None,
        }
    }

    #[test]
    fn playlists_of_fragments_and_audio_renditions() {
        let variants = [
            Variant {
                audio_group: Some("program_audio_0".to_owned()),
                ..variant("video_360.m3u8", (640, 360), &["avc1.4d401e", "mp4a.40.2"])
            },
            Variant {
                picture: None,
                ..variant("video_radio.m3u8", (0, 0), &["mp4a.40.2"])
            },
        ];
        let described = AudioRendition {
            group: "program_audio_0".to_owned(),
            name: "Director's \"cut\"".to_owned(),
            language: Some("eng".to_owned()),
            default: true,
            auto_select: true,
            describes_video: true,
            channels: 2,
            file: "video audio.m3u8".to_owned(),
        };
        let plain = AudioRendition {
            name: "Alternate Audio".to_owned(),
            language: None,
            default: false,
            describes_video: false,
            ..described.clone()
        };
        let master = master(&group(), 6, &variants, &[described, plain], &[]);
        insta::assert_snapshot!("master_playlist_with_audio_renditions", master);
        let elsewhere = HlsGroup {
            base_url: "https://cdn.example.com/a".to_owned(),
            ..group()
        };
        let segments = [segment("video_360_000000001.cmfv", 6.0, 1)];
        let playlist = media(&elsewhere, Some("video_360init.cmfv"), &segments);
        let mut ranges = [
            segment("video_360.cmfv", 6.0, 70),
            segment("video_360.cmfv", 2.0, 30),
        ];
        (ranges[0].offset, ranges[1].offset) = (Some(800), Some(870));
        let single = media(&group(), Some("video_360.cmfv"), &ranges);
        insta::assert_snapshot!("media_playlist_of_one_file", single);
        insta::assert_snapshot!("media_playlist_of_fragments", playlist);
    }

    #[test]
    fn durations_are_read_back() {
        let segments = [segment("a_00001.ts", 6.006, 1), segment("a_00002.ts", 0.5, 1)];
        assert_eq!(durations(&media(&group(), None, &segments)), [6.006, 0.5]);
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
