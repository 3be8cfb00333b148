//! Master playlists.

use std::fmt::Write as _;

use super::{quoted, uri};
use crate::plan::{ClosedCaption, ClosedCaptions, HlsGroup};
use crate::probe::Ratio;

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

/// The entries of a master playlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Master {
    /// The version of the protocol that knows all that is in it.
    pub version: u32,
    pub variants: Vec<Variant>,
    /// Playlists of I-frames.
    pub i_frames: Vec<Variant>,
    pub audio: Vec<AudioRendition>,
    pub subtitles: Vec<SubtitleRendition>,
}

/// The playlist of playlists.
pub fn master(group: &HlsGroup, lists: &Master) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:{}\n#EXT-X-INDEPENDENT-SEGMENTS\n",
        lists.version
    );
    for variant in &lists.variants {
        let _ = write!(text, "#EXT-X-STREAM-INF:{}", rates(group, variant));
        if let Some((_, rate)) = variant.picture {
            let _ = write!(text, ",FRAME-RATE={:.3}", rate.as_f64());
        }
        if let Some(group) = &variant.audio_group {
            let _ = write!(text, ",AUDIO=\"{}\"", quoted(group));
        }
        if variant.picture.is_some() {
            if !lists.subtitles.is_empty() {
                text.push_str(",SUBTITLES=\"subs\"");
            }
            text.push_str(match group.closed_captions {
                ClosedCaptions::Unsaid => "",
                ClosedCaptions::None => ",CLOSED-CAPTIONS=NONE",
                ClosedCaptions::Listed(_) => ",CLOSED-CAPTIONS=\"cc\"",
            });
        }
        let _ = writeln!(text, "\n{}", uri(&variant.name));
    }
    for variant in &lists.i_frames {
        let _ = writeln!(
            text,
            "#EXT-X-I-FRAME-STREAM-INF:{},URI=\"{}\"",
            rates(group, variant),
            uri(&variant.name)
        );
    }
    // After the variants, as MediaConvert has them.
    for rendition in &lists.audio {
        text.push_str(&audio_rendition(rendition));
    }
    for rendition in &lists.subtitles {
        text.push_str(&subtitle_rendition(rendition));
    }
    if let ClosedCaptions::Listed(channels) = &group.closed_captions {
        for channel in channels {
            text.push_str(&closed_captions(channel));
        }
    }
    text
}

/// The attributes of all kinds of variants.
fn rates(group: &HlsGroup, variant: &Variant) -> String {
    let mut text = format!(
        "BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"",
        variant.bandwidth,
        variant.average_bandwidth,
        variant.codecs.join(",")
    );
    if let Some((size, _)) = variant.picture.filter(|_| group.resolution) {
        let _ = write!(text, ",RESOLUTION={}x{}", size.0, size.1);
    }
    text
}

/// Captions in the video stream itself.
fn closed_captions(captions: &ClosedCaption) -> String {
    let mut text = format!(
        "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"{}\"",
        quoted(&captions.name)
    );
    if let Some(language) = &captions.language {
        let _ = write!(text, ",LANGUAGE=\"{}\"", quoted(language));
    }
    let _ = writeln!(
        text,
        ",DEFAULT={},AUTOSELECT=YES,INSTREAM-ID=\"CC{}\"",
        if captions.default { "YES" } else { "NO" },
        captions.channel
    );
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
