//! Plans one ffmpeg process from job settings and a probed source. Pure.
//!
//! One decode feeds everything. Pictures are scaled in a cascade, each size from the next larger one
//! (`graph`); outputs that ask for the same encode share it, and the `tee` muxer writes it twice;
//! thumbnails are taken from the same decoded pictures.
//!
//! Files are written under short names of our own (`g0/o1_00001.ts`), because names that users choose would
//! have to be escaped for three parsers; [`crate::produced`] gives them their real names.

mod arguments;
mod audio;
mod color;
mod files;
mod graph;
mod h264;
mod outputs;
mod picture;

use std::fmt;
use std::path::PathBuf;

use mediaconvert_job::model::JobSettings;
use mediaconvert_job::names::Destination;
use serde_json::Value;

pub(crate) use self::picture::SQUARE;
use crate::probe::{MediaInfo, Ratio};
use crate::support;
pub use crate::support::Refusal;

/// Something the owner should know about a job that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// From 900001: `MediaConvert` has no code for what only a local engine does.
    pub code: u32,
    pub message: String,
}

/// A picture with wide colors was tone-mapped for ordinary screens.
pub const WARN_TONE_MAPPED: u32 = 900_001;
/// `MULTI_PASS_HQ` is done in one, slower pass.
pub const WARN_ONE_PASS: u32 = 900_002;

/// One ffmpeg process that makes all outputs of a job.
#[derive(Debug, Clone)]
pub struct Plan {
    pub warnings: Vec<Warning>,
    /// Output groups, in the order of the job.
    pub groups: Vec<Group>,
    /// Play time of the source in milliseconds.
    pub duration_ms: u64,
    pub(crate) videos: Vec<VideoEncode>,
    pub(crate) audio: Vec<AudioEncode>,
    pub(crate) captures: Vec<Capture>,
    /// ffmpeg's `-filter_complex`.
    pub(crate) filters: String,
}

/// An output group and the folder in the work directory in which its files arise.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub kind: GroupKind,
    /// `g0`, `g1`, …
    pub folder: String,
    pub destination: Destination,
    pub outputs: Vec<Output>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum GroupKind {
    File,
    Hls(HlsGroup),
}

/// The form of playlists.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own in the job"
)]
#[derive(Debug, Clone, PartialEq)]
pub struct HlsGroup {
    /// Seconds at which the muxer cuts.
    pub segment_seconds: f64,
    /// Durations as whole seconds.
    pub integer_durations: bool,
    /// `EXT-X-TARGETDURATION` is always above the longest segment.
    pub legacy_target: bool,
    /// `CODECS` as RFC 6381 has them, else the older decimal form.
    pub rfc_6381: bool,
    /// `RESOLUTION` in the master playlist.
    pub resolution: bool,
    /// Without it playlists say `EXT-X-ALLOW-CACHE:NO`.
    pub client_cache: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// `o0`, `o1`, …: name of its files in the work directory.
    pub stem: String,
    pub name_modifier: String,
    pub segment_modifier: String,
    /// Without the dot.
    pub extension: String,
    pub media: Media,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Media {
    /// Indices of encodes, and the muxer's name with its options.
    Streams {
        video: Option<usize>,
        audio: Vec<usize>,
        muxer: &'static str,
        options: &'static str,
    },
    /// Index of a frame capture.
    Capture(usize),
}

/// One video encode. Outputs for which these are equal share it.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoEncode {
    pub(crate) picture: picture::Picture,
    /// Encoder options without the stream number.
    pub(crate) options: Vec<(&'static str, String)>,
    /// Output frame rate.
    pub rate: Ratio,
}

/// One audio encode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioEncode {
    /// Index of the stream in the source.
    pub(crate) stream: u32,
    /// Filters that bring it to rate, channels and start.
    pub(crate) filters: String,
    pub(crate) options: Vec<(&'static str, String)>,
    /// ISO 639-2, lower case.
    pub(crate) language: Option<String>,
}

/// Pictures taken at even intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    pub(crate) picture: picture::Picture,
    /// Pictures per second.
    pub(crate) rate: Ratio,
    pub(crate) max_captures: u32,
    /// The JPEG encoder's scale, 2 (best) to 31.
    pub(crate) quantizer: u32,
    /// Path relative to the work directory, with ffmpeg's counter.
    pub(crate) pattern: String,
}

impl Plan {
    /// Frame rates of the video encodes.
    pub fn rates(&self) -> impl Iterator<Item = Ratio> + '_ {
        self.videos.iter().map(|video| video.rate)
    }
}

impl Output {
    /// The file that ffmpeg writes, relative to the work directory; for HLS the playlist. Captured frames are
    /// many.
    pub(crate) fn file(&self, folder: &str) -> Option<PathBuf> {
        let Media::Streams { muxer, .. } = &self.media else {
            return None;
        };
        let suffix = if *muxer == "hls" { "m3u8" } else { muxer };
        Some(PathBuf::from(format!("{folder}/{}.{suffix}", self.stem)))
    }
}

impl Capture {
    pub fn size(&self) -> (u32, u32) {
        self.picture.size()
    }
}

impl VideoEncode {
    pub fn size(&self) -> (u32, u32) {
        self.picture.size()
    }
}

/// Plans a job.
///
/// `settings` are in the wire's spelling, with the input and the destinations filled in. `started` is the
/// job's start in UTC as `YYYYMMDDTHHMMSS`, for names that contain it.
pub fn plan(settings: &Value, source: &MediaInfo, started: &str) -> Result<Plan, Refusal> {
    support::check(settings)?;
    // The table has seen all of it, so what remains is a value of the wrong type.
    let job: JobSettings = serde::Deserialize::deserialize(settings)
        .map_err(|error| Refusal::setting("/", error.to_string()))?;
    outputs::plan(&job, source, started)
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == 1 {
            write!(f, "{}", self.num)
        } else {
            write!(f, "{}/{}", self.num, self.den)
        }
    }
}

#[cfg(test)]
mod tests;
