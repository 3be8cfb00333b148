//! DASH manifests as `MediaConvert` writes them (ISO/IEC 23009-1). Pure.

mod representation;

use std::fmt::Write as _;
use std::ops::Range;

use self::representation::{representation, timeline};

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
    /// In one file: the initialization segment, an index at these bytes, and all segments.
    One { name: String, index: Range<u64> },
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

/// The contents of a manifest. Times in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Mpd {
    /// The nominal length of a segment.
    pub segment: f64,
    pub duration: f64,
    pub tracks: Vec<Representation>,
    pub captions: Vec<CaptionFile>,
}

/// The manifest of a group.
pub fn mpd(form: &DashForm, mpd: &Mpd) -> String {
    let Mpd {
        segment, duration, ..
    } = *mpd;
    let buffer = form.min_buffer_seconds.map_or(segment, f64::from);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <MPD xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
         xsi:schemaLocation=\"urn:mpeg:dash:schema:mpd:2011 http://standards.iso.org/ittf/PubliclyAvailableStandards/MPEG-DASH_schema_files/DASH-MPD.xsd\" \
         type=\"static\" minBufferTime=\"{}\" profiles=\"{}\" mediaPresentationDuration=\"{}\">\n",
        xsd_duration(buffer),
        profiles(form),
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
    for set in adaptation_sets(form.style, &mpd.tracks) {
        adaptation_set(&mut text, form, segment, &set);
    }
    for file in &mpd.captions {
        caption_file(&mut text, file);
    }
    text.push_str("  </Period>\n</MPD>\n");
    text
}

fn profiles(form: &DashForm) -> String {
    let mut profiles = vec![if form.on_demand {
        "urn:mpeg:dash:profile:isoff-on-demand:2011"
    } else {
        "urn:mpeg:dash:profile:isoff-main:2011"
    }];
    // ETSI TS 102 796, section E.2.1.
    profiles.extend(form.hbbtv.then_some("urn:hbbtv:dash:profile:isoff-live:2012"));
    profiles.join(",")
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
    let is_wanted = match form.style {
        DashStyle::Basic => false,
        DashStyle::Compact => matches!(first.track, Track::Video { .. }),
        DashStyle::Distinct | DashStyle::Full => true,
    };
    let common = form.timeline && is_wanted && set.iter().all(|other| alike(other) && each(other));
    if common {
        let _ = writeln!(
            text,
            "      <SegmentTemplate timescale=\"{timescale}\" startNumber=\"1\" presentationTimeOffset=\"0\">"
        );
        timeline(text, "      ", &first.segments);
        text.push_str("      </SegmentTemplate>\n");
    }
    for track in set {
        representation(text, form, track, (!form.timeline).then_some(segment), common);
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
mod tests;
