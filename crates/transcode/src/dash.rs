//! DASH manifests as `MediaConvert` writes them (ISO/IEC 23009-1). Pure.

use std::fmt::Write as _;

use crate::plan::{DashForm, DashStyle};
use crate::playlist::{uri, with_slash};
use crate::probe::Ratio;

/// Ticks per second of video in manifests.
pub const VIDEO_TIMESCALE: u32 = 90_000;

/// One track in segments.
#[derive(Debug, Clone, PartialEq)]
pub struct Representation {
    /// Number of its output, from 1.
    pub id: usize,
    pub files: Files,
    pub codecs: String,
    /// Bits per second.
    pub bandwidth: u64,
    /// Starts and ends of the segments in ticks of [`Track::timescale`].
    pub segments: Vec<(u64, u64)>,
    pub track: Track,
}

/// The places of the segments of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// In files of their own, under a name with `$Number%09d$`, and the initialization segment beside them.
    Each { media: String, initialization: String },
    /// In one file: the first byte of each segment, of which the first is behind the initialization segment, and the last
    /// byte of the file.
    One {
        name: String,
        starts: Vec<u64>,
        last: u64,
    },
}

/// The properties of a track that put it into an adaptation set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Track {
    Video {
        size: (u32, u32),
        rate: Ratio,
    },
    Audio {
        language: Option<String>,
        /// Hertz.
        sample_rate: u32,
        channels: u32,
    },
}

impl Track {
    /// Ticks per second.
    pub fn timescale(&self) -> u32 {
        match self {
            Self::Video { .. } => VIDEO_TIMESCALE,
            Self::Audio { sample_rate, .. } => *sample_rate,
        }
    }

    /// Whether both belong in one adaptation set, among whose tracks a player switches at any segment.
    fn is_alike(&self, other: &Self, style: DashStyle) -> bool {
        match (self, other) {
            (Self::Video { rate, .. }, Self::Video { rate: other, .. }) => {
                style != DashStyle::Distinct || rate == other
            }
            (Self::Audio { language, .. }, Self::Audio { language: other, .. }) => language == other,
            _ => false,
        }
    }
}

/// Captions as one WebVTT file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionFile {
    /// Number in the manifest, after those of the tracks.
    pub id: usize,
    pub file: String,
    /// ISO 639-2 or RFC 5646.
    pub language: Option<String>,
    /// Bits per second.
    pub bandwidth: u64,
    /// They say what can be heard.
    pub accessible: bool,
}

/// The manifest of a group. Times in seconds.
pub fn mpd(
    form: &DashForm,
    segment: f64,
    duration: f64,
    tracks: &[Representation],
    captions: &[CaptionFile],
) -> String {
    let buffer = form.min_buffer_seconds.map_or(segment, f64::from);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <MPD xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
         xsi:schemaLocation=\"urn:mpeg:dash:schema:mpd:2011 http://standards.iso.org/ittf/PubliclyAvailableStandards/MPEG-DASH_schema_files/DASH-MPD.xsd\" \
         type=\"static\" minBufferTime=\"{}\" profiles=\"urn:mpeg:dash:profile:isoff-main:2011\" \
         mediaPresentationDuration=\"{}\">\n",
        xsd_duration(buffer),
        xsd_duration(duration)
    );
    // Writing to a String cannot fail, here and below.
    if !form.base_url.trim().is_empty() {
        let _ = writeln!(
            text,
            "  <BaseURL>{}</BaseURL>",
            escaped(&with_slash(&form.base_url))
        );
    }
    let _ = writeln!(
        text,
        "  <Period start=\"PT0S\" duration=\"{}\" id=\"1\">",
        xsd_duration(duration)
    );
    for set in adaptation_sets(form.style, tracks) {
        adaptation_set(&mut text, form, segment, &set);
    }
    for file in captions {
        caption_file(&mut text, file);
    }
    text.push_str("  </Period>\n</MPD>\n");
    text
}

fn adaptation_sets(style: DashStyle, tracks: &[Representation]) -> Vec<Vec<&Representation>> {
    let mut sets: Vec<Vec<&Representation>> = Vec::new();
    for track in tracks {
        match sets
            .iter_mut()
            .find(|set| set[0].track.is_alike(&track.track, style))
        {
            Some(set) => set.push(track),
            None => sets.push(vec![track]),
        }
    }
    sets
}

fn adaptation_set(text: &mut String, form: &DashForm, segment: f64, set: &[&Representation]) {
    let Some(first) = set.first() else { return };
    match &first.track {
        Track::Video { .. } => text.push_str(
            "    <AdaptationSet mimeType=\"video/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\" \
             subsegmentAlignment=\"true\" subsegmentStartsWithSAP=\"1\" bitstreamSwitching=\"false\">\n",
        ),
        Track::Audio { language, .. } => {
            text.push_str("    <AdaptationSet mimeType=\"audio/mp4\"");
            if let Some(language) = language {
                let _ = write!(text, " lang=\"{}\"", escaped(language));
            }
            text.push_str(" segmentAlignment=\"0\">\n");
        }
    }
    let timescale = first.track.timescale();
    let alike =
        |other: &&Representation| other.segments == first.segments && other.track.timescale() == timescale;
    let each = |other: &&Representation| matches!(other.files, Files::Each { .. });
    let common = form.timeline
        && form.style == DashStyle::Compact
        && set.iter().all(|other| alike(other) && each(other));
    if common {
        let _ = writeln!(
            text,
            "      <SegmentTemplate timescale=\"{timescale}\" startNumber=\"1\" presentationTimeOffset=\"0\">"
        );
        timeline(text, "      ", &first.segments);
        text.push_str("      </SegmentTemplate>\n");
    }
    for track in set {
        representation(text, track, (!form.timeline).then_some(segment), common);
    }
    text.push_str("    </AdaptationSet>\n");
}

fn caption_file(text: &mut String, captions: &CaptionFile) {
    text.push_str("    <AdaptationSet contentType=\"text\" mimeType=\"text/vtt\"");
    if let Some(language) = &captions.language {
        let _ = write!(text, " lang=\"{}\"", escaped(language));
    }
    let role = if captions.accessible {
        "caption"
    } else {
        "subtitle"
    };
    let _ = writeln!(
        text,
        ">\n      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"{role}\"/>\n      \
         <Representation id=\"{}\" bandwidth=\"{}\">\n        <BaseURL>{}</BaseURL>\n      \
         </Representation>\n    </AdaptationSet>",
        captions.id,
        captions.bandwidth,
        escaped(&uri(&captions.file))
    );
}

/// `nominal` is the length of all segments in seconds, instead of a timeline; `common`: the adaptation set has the timeline.
fn representation(text: &mut String, track: &Representation, nominal: Option<f64>, common: bool) {
    let Representation {
        id,
        codecs,
        bandwidth,
        ..
    } = track;
    let _ = write!(
        text,
        "      <Representation id=\"{id}\" bandwidth=\"{bandwidth}\" codecs=\"{}\"",
        escaped(codecs)
    );
    match &track.track {
        Track::Video {
            size: (width, height),
            rate,
        } => {
            let _ = writeln!(
                text,
                " width=\"{width}\" height=\"{height}\" frameRate=\"{rate}\">"
            );
        }
        Track::Audio {
            sample_rate,
            channels,
            ..
        } => {
            let _ = writeln!(
                text,
                " audioSamplingRate=\"{sample_rate}\">\n        <AudioChannelConfiguration \
                 schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"{channels}\"/>"
            );
        }
    }
    let (element, attributes) = match &track.files {
        Files::Each {
            media,
            initialization,
        } => {
            // The identifier of the number keeps its percent sign.
            let media = uri(media).replace("$Number%2509d$", "$Number%09d$");
            let names = format!(
                " media=\"{}\" initialization=\"{}\" startNumber=\"1\"",
                escaped(&media),
                escaped(&uri(initialization))
            );
            ("SegmentTemplate", names)
        }
        Files::One { name, .. } => {
            let _ = writeln!(text, "        <BaseURL>{}</BaseURL>", escaped(&uri(name)));
            ("SegmentList", String::new())
        }
    };
    let _ = write!(text, "        <{element}{attributes}");
    let timescale = track.track.timescale();
    if !common {
        let _ = match nominal {
            Some(seconds) => {
                let ticks = (seconds * f64::from(timescale)).round();
                write!(text, " timescale=\"{timescale}\" duration=\"{ticks}\"")
            }
            None => write!(text, " timescale=\"{timescale}\" presentationTimeOffset=\"0\""),
        };
    }
    let mut content = String::new();
    if let Files::One { starts, .. } = &track.files {
        let first = starts.first().copied().unwrap_or_default();
        let _ = writeln!(
            content,
            "          <Initialization range=\"0-{}\"/>",
            first.saturating_sub(1)
        );
    }
    if nominal.is_none() && !common {
        timeline(&mut content, "        ", &track.segments);
    }
    if let Files::One { starts, last, .. } = &track.files {
        let ends = starts
            .iter()
            .skip(1)
            .map(|start| start.saturating_sub(1))
            .chain([*last]);
        for (start, end) in starts.iter().zip(ends) {
            let _ = writeln!(content, "          <SegmentURL mediaRange=\"{start}-{end}\"/>");
        }
    }
    if content.is_empty() {
        text.push_str("/>\n");
    } else {
        let _ = write!(text, ">\n{content}        </{element}>\n");
    }
    text.push_str("      </Representation>\n");
}

/// Equal durations one after the other are written once, with the number of repetitions.
fn timeline(text: &mut String, indent: &str, segments: &[(u64, u64)]) {
    let _ = writeln!(text, "{indent}  <SegmentTimeline>");
    let mut rest = segments;
    while let Some(&(start, end)) = rest.first() {
        let duration = end.saturating_sub(start);
        let follows =
            |pair: &&[(u64, u64)]| pair[0].1 == pair[1].0 && pair[1].1.saturating_sub(pair[1].0) == duration;
        let repeats = rest.windows(2).take_while(follows).count();
        let _ = write!(text, "{indent}    <S t=\"{start}\" d=\"{duration}\"");
        let _ = match repeats {
            0 => writeln!(text, "/>"),
            _ => writeln!(text, " r=\"{repeats}\"/>"),
        };
        rest = &rest[repeats + 1..];
    }
    let _ = writeln!(text, "{indent}  </SegmentTimeline>");
}

/// Hours, minutes and seconds in milliseconds: `PT1H28M11.733S`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "durations are not negative"
)]
fn xsd_duration(seconds: f64) -> String {
    let milliseconds = (seconds * 1000.0).round() as u64;
    let (whole, part) = (milliseconds / 1000, milliseconds % 1000);
    let mut text = "PT".to_owned();
    for (count, unit) in [(whole / 3600, 'H'), (whole / 60 % 60, 'M')] {
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    let _ = match part {
        0 => write!(text, "{}S", whole % 60),
        _ => write!(text, "{}.{part:03}S", whole % 60),
    };
    text
}

/// Text in an attribute or an element. What XML 1.0 has no place for becomes a space.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(timeline: bool, style: DashStyle) -> DashForm {
        DashForm {
            timeline,
            style,
            measured_bandwidth: false,
            min_buffer_seconds: None,
            base_url: String::new(),
        }
    }

    fn video(id: usize, height: u32, rate: u32) -> Representation {
        let modifier = format!("video & {height}");
        Representation {
            id,
            files: Files::Each {
                media: format!("{modifier}_$Number%09d$.cmfv"),
                initialization: format!("{modifier}init.cmfv"),
            },
            codecs: "avc1.4d401f".to_owned(),
            bandwidth: 3_000_000,
            segments: vec![(0, 540_540), (540_540, 1_081_080), (1_081_080, 1_255_254)],
            track: Track::Video {
                size: (height * 16 / 9, height),
                rate: Ratio { num: rate, den: 1001 },
            },
        }
    }

    fn audio(id: usize, language: Option<&str>) -> Representation {
        Representation {
            id,
            files: Files::Each {
                media: "video_a_$Number%09d$.cmfa".to_owned(),
                initialization: "video_ainit.cmfa".to_owned(),
            },
            codecs: "mp4a.40.2".to_owned(),
            bandwidth: 96_000,
            segments: vec![(0, 287_744), (287_744, 576_512)],
            track: Track::Audio {
                language: language.map(str::to_owned),
                sample_rate: 48_000,
                channels: 2,
            },
        }
    }

    #[test]
    fn manifests() {
        let tracks = [
            video(1, 360, 30_000),
            video(2, 720, 30_000),
            audio(3, Some("eng")),
            audio(4, None),
        ];
        let of = |timeline, style| mpd(&form(timeline, style), 6.006, 13.947, &tracks, &[]);
        insta::assert_snapshot!("basic", of(true, DashStyle::Basic));
        insta::assert_snapshot!("compact", of(true, DashStyle::Compact));
        insta::assert_snapshot!("nominal", of(false, DashStyle::Basic));
        let one = Representation {
            files: Files::One {
                name: "video a.cmfa".to_owned(),
                starts: vec![737, 50_000],
                last: 90_000,
            },
            ..audio(1, None)
        };
        insta::assert_snapshot!(
            "one_file",
            mpd(&form(true, DashStyle::Basic), 6.0, 12.0, &[one], &[])
        );
    }

    #[test]
    fn sets_by_frame_rate_and_a_base_url() {
        let elsewhere = DashForm {
            base_url: "https://cdn.example.com/a?b&c".to_owned(),
            min_buffer_seconds: Some(12),
            ..form(true, DashStyle::Distinct)
        };
        let tracks = [video(1, 360, 30_000), video(2, 720, 60_000)];
        let text = mpd(&elsewhere, 6.0, 13.947, &tracks, &[]);
        assert_eq!(text.matches("<AdaptationSet").count(), 2, "{text}");
        assert!(
            text.contains("<BaseURL>https://cdn.example.com/a?b&amp;c/</BaseURL>"),
            "{text}"
        );
        assert!(text.contains("minBufferTime=\"PT12S\""), "{text}");
        let one = mpd(&form(true, DashStyle::Basic), 6.0, 13.947, &tracks, &[]);
        assert_eq!(one.matches("<AdaptationSet").count(), 1, "{one}");
    }

    #[test]
    fn durations() {
        for (seconds, text) in [
            (6.0, "PT6S"),
            (0.25, "PT0.250S"),
            (5291.733, "PT1H28M11.733S"),
            (3600.0, "PT1H0S"),
            (59.9996, "PT1M0S"),
        ] {
            assert_eq!(xsd_duration(seconds), text);
        }
    }
}
