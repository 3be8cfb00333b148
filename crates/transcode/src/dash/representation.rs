//! The elements of one representation.

use std::fmt::Write as _;

use super::{Files, Representation, Track, escaped};
use crate::plan::DashForm;
use crate::playlist::uri;

/// The channels of a track by the scheme that the manifest uses.
fn channels(text: &mut String, form: &DashForm, codecs: &str, channels: u32) {
    const MPEG: &str = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
    /// ETSI TS 102 366, table I.1.1: one bit for each loudspeaker, the left one's first.
    const DOLBY: &str = "tag:dolby.com,2014:dash:audio_channel_configuration:2011";
    let dolby = match channels {
        1 => Some("4000"),
        2 => Some("A000"),
        6 => Some("F801"),
        _ => None,
    };
    let dolby = dolby.filter(|_| form.dolby_channels && matches!(codecs, "ac-3" | "ec-3"));
    let (scheme, value) = dolby.map_or((MPEG, channels.to_string()), |value| (DOLBY, value.to_owned()));
    let _ = writeln!(
        text,
        "        <AudioChannelConfiguration schemeIdUri=\"{scheme}\" value=\"{value}\"/>"
    );
}

/// `nominal` is the length of all segments in seconds, instead of a timeline; `common`: the adaptation set has the timeline.
pub(super) fn representation(
    text: &mut String,
    form: &DashForm,
    track: &Representation,
    nominal: Option<f64>,
    common: bool,
) {
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
            channels: count,
            ..
        } => {
            let _ = writeln!(text, " audioSamplingRate=\"{sample_rate}\">");
            channels(text, form, codecs, *count);
        }
    }
    match &track.files {
        Files::Each {
            media,
            initialization,
        } => template(text, track, (media, initialization), nominal, common),
        Files::One { name, index } => {
            let _ = writeln!(
                text,
                "        <BaseURL>{}</BaseURL>\n        \
                 <SegmentBase timescale=\"{}\" indexRange=\"{}-{}\">\n          \
                 <Initialization range=\"0-{}\"/>\n        </SegmentBase>",
                escaped(&uri(name)),
                track.track.timescale(),
                index.start,
                index.end.saturating_sub(1),
                index.start.saturating_sub(1)
            );
        }
    }
    text.push_str("      </Representation>\n");
}

/// The names of segments in files of their own, and their times unless all representations have them in common.
fn template(
    text: &mut String,
    track: &Representation,
    (media, initialization): (&str, &str),
    nominal: Option<f64>,
    common: bool,
) {
    // The identifier of the number keeps its percent sign.
    let media = uri(media).replace("$Number%2509d$", "$Number%09d$");
    let _ = write!(
        text,
        "        <SegmentTemplate media=\"{}\" initialization=\"{}\" startNumber=\"1\"",
        escaped(&media),
        escaped(&uri(initialization))
    );
    let timescale = track.track.timescale();
    match nominal {
        _ if common => text.push_str("/>\n"),
        Some(seconds) => {
            let ticks = (seconds * f64::from(timescale)).round();
            let _ = writeln!(text, " timescale=\"{timescale}\" duration=\"{ticks}\"/>");
        }
        None => {
            let _ = writeln!(text, " timescale=\"{timescale}\" presentationTimeOffset=\"0\">");
            timeline(text, "        ", &track.segments);
            text.push_str("        </SegmentTemplate>\n");
        }
    }
}

/// Equal durations one after the other are written once, with the number of repetitions.
pub(super) fn timeline(text: &mut String, indent: &str, segments: &[(u64, u64)]) {
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
