//! Plans a job from its settings and a probed source. Pure.
//!
//! A [`Plan`] is data: it can be written down as JSON and read back. It names the input, stretches of time (one
//! for now), encodes of video and audio as tasks of their own, and groups, which say what files are assembled from which
//! encodes. [`Plan::arguments`] is how one machine runs all of it, as one ffmpeg process.
//!
//! One decode feeds everything. Pictures are scaled in a cascade, each size from the next larger one
//! (`graph`); outputs that ask for the same encode share it, and the `tee` muxer writes it twice;
//! thumbnails are taken from the same decoded pictures.
//!
//! Files are written under short names of our own (`g0/o1_00001.ts`), because names that users choose would
//! have to be escaped for three parsers; [`crate::produced`] gives them their real names.

mod abr;
mod arguments;
mod audio;
mod av1;
mod captions;
mod clips;
mod color;
mod deinterlace;
mod files;
mod graph;
mod h264;
mod hevc;
mod images;
mod interlace;
mod joint;
mod loudness;
mod other;
mod outputs;
mod picture;
mod preprocess;
mod side;
mod streaming;
mod timecode;
mod treatment;
mod video;

use std::fmt;
use std::path::PathBuf;

use mediaconvert_job::model::JobSettings;
use mediaconvert_job::names::Destination;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::arguments::{START_SECONDS, pass_file};
pub(crate) use self::captions::closed_key;
pub use self::captions::{CaptionFiles, CaptionFormat, CaptionTrack, caption_files};
pub(crate) use self::loudness::Loudness;
pub use self::side::{SideFile, SideFiles, SideKind, side_files};
pub use self::streaming::{
    AdditionalManifest, Clock, ClosedCaption, ClosedCaptions, DashForm, DashStyle, Encryption, FragmentGroup,
    HlsGroup, Key, Role,
};
use crate::probe::{MediaInfo, Ratio};
use crate::support;
pub use crate::support::Refusal;

/// Something the owner should know about a job that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// From 900001: `MediaConvert` has no code for what only a local engine does.
    pub code: u32,
    pub message: String,
}

/// A picture with wide colors was tone-mapped for ordinary screens.
pub const WARN_TONE_MAPPED: u32 = 900_001;
/// `MULTI_PASS_HQ` is done in one, slower pass.
pub const WARN_ONE_PASS: u32 = 900_002;
/// HE-AAC is encoded as AAC-LC.
pub const WARN_HE_AAC: u32 = 900_003;
/// The log of loudness that a job asks for is not written.
pub const WARN_NO_LOUDNESS_LOG: u32 = 900_004;
/// A setting is approximated; the message has its path and says how.
pub const WARN_APPROXIMATED: u32 = 900_005;

/// The largest number of inputs of a job (user guide, "Feature limits").
pub const MAX_INPUTS: usize = 150;

/// All that a job makes, and what it is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub warnings: Vec<Warning>,
    /// Play time of the source in milliseconds.
    pub duration_ms: u64,
    /// Several inputs, which are joined to one first; absent if there is one.
    pub(crate) joint: Option<joint::Joint>,
    /// The picture that all video encodes and captures start from; absent if there are none.
    pub(crate) picture: Option<Decode>,
    /// The parts of the input that are taken, in its own frames; all of it if there are none.
    pub(crate) clips: Vec<clips::Clip>,
    /// Frames per second of the input, in which clips are counted.
    pub(crate) source_rate: Ratio,
    /// Parts of the play time that are encoded on their own; together they are the whole.
    pub stretches: Vec<Stretch>,
    pub(crate) videos: Vec<VideoEncode>,
    pub(crate) audio: Vec<AudioEncode>,
    pub(crate) captures: Vec<Capture>,
    pub(crate) captions: Vec<CaptionTrack>,
    /// Scripts of captions that are drawn into pictures.
    pub(crate) scripts: Vec<String>,
    /// Output groups, in the order of the job: the files, and the encodes that each is assembled from.
    pub groups: Vec<Group>,
}

/// A part of the play time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub start_ms: u64,
    pub duration_ms: u64,
}

/// The decoded picture, before it is scaled for the first time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decode {
    /// Index of the stream in the source.
    pub(crate) stream: u32,
    pub(crate) frame: picture::Frame,
    /// Filters on each source picture: turning, deinterlacing, even spacing.
    pub(crate) prepare: Vec<String>,
    /// Images over it.
    pub(crate) images: Vec<images::Image>,
    /// Filters after those: clips, and the rate of all outputs.
    pub(crate) select: Vec<String>,
    /// Pictures keep their fields.
    pub(crate) interlaced: bool,
    /// Filters after the first scaling.
    pub(crate) color: Vec<String>,
    /// Rate after `select`.
    pub(crate) rate: Ratio,
}

/// An output group and the folder in the work directory in which its files arise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub kind: GroupKind,
    /// `g0`, `g1`, …
    pub folder: String,
    pub destination: Destination,
    pub outputs: Vec<Output>,
    /// Seconds at which segments are cut; 0 in file groups.
    pub segment_seconds: f64,
    /// The segments of an output are in one file.
    pub single_file: bool,
    /// Seconds that a last segment lasts at least; a shorter one is joined to the one before.
    pub shortest_end: f64,
    pub additional: Vec<AdditionalManifest>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum GroupKind {
    File,
    /// Transport stream segments, and packed audio beside them.
    Hls(HlsGroup),
    /// Segments of fragmented MP4, one track each: CMAF and DASH.
    Fragments(FragmentGroup),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// `o0`, `o1`, …: name of its files in the work directory.
    pub stem: String,
    pub name_modifier: String,
    pub segment_modifier: String,
    /// Without the dot.
    pub extension: String,
    pub media: Media,
    /// Its place in manifests.
    pub role: Role,
    /// Bits per second that the job allows for it.
    pub bitrate: Option<u64>,
    /// It has a playlist of its I-frames.
    pub i_frames: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Media {
    /// Indices of encodes, and the muxer's name with its options.
    Streams {
        video: Option<usize>,
        audio: Vec<usize>,
        muxer: String,
        options: String,
    },
    /// Index of a frame capture.
    Capture(usize),
    /// Index of captions.
    Captions(usize),
}

/// An encoder's options without the stream number: names and values.
pub(crate) type Options = Vec<(String, String)>;

pub(crate) fn owned(options: Vec<(&str, String)>) -> Options {
    let options = options.into_iter();
    options.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One video encode. Outputs for which these are equal share it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoEncode {
    pub(crate) picture: picture::Picture,
    pub(crate) treatment: treatment::Treatment,
    /// Index of the script that is drawn into it.
    pub(crate) script: Option<usize>,
    pub(crate) options: Options,
    /// Ten bits a sample, in the source's own colors.
    pub(crate) deep: bool,
    /// Output frame rate.
    pub rate: Ratio,
}

/// One audio encode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioEncode {
    /// The file in the work folder that it comes from; absent: the source.
    pub(crate) file: Option<String>,
    /// Indices of the streams, whose channels are put together.
    pub(crate) streams: Vec<u32>,
    /// Filters that bring it to its start.
    pub(crate) filters: String,
    /// Filters, after clips have been cut, that bring it to rate and channels.
    pub(crate) format: String,
    pub(crate) options: Options,
    /// ISO 639-2, lower case.
    pub(crate) language: Option<String>,
    pub(crate) channels: u32,
    /// Hertz.
    pub(crate) sample_rate: u32,
    /// `CODECS` in playlists over transport streams.
    pub(crate) codec: Option<String>,
    pub(crate) loudness: Option<Loudness>,
}

/// Pictures taken at even intervals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capture {
    pub(crate) picture: picture::Picture,
    pub(crate) treatment: treatment::Treatment,
    /// Pictures per second.
    pub(crate) rate: Ratio,
    pub(crate) max_captures: u32,
    /// The JPEG encoder's scale, 2 (best) to 31.
    pub(crate) quantizer: u32,
    /// Path relative to the work directory, with ffmpeg's counter.
    pub(crate) pattern: String,
}

impl Plan {
    /// Files with audio beside the source, in the order of ffmpeg's inputs: they follow the source.
    pub(crate) fn sounds(&self) -> Vec<&str> {
        let mut files: Vec<&str> = self
            .audio
            .iter()
            .filter_map(|track| track.file.as_deref())
            .collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// Images over pictures, in the order of ffmpeg's inputs: they follow the files with audio.
    pub(crate) fn images(&self) -> impl Iterator<Item = &images::Image> {
        let of_source = self.picture.iter().flat_map(|decode| &decode.images);
        let of_videos = self.videos.iter().flat_map(|video| &video.treatment.images);
        let of_captures = self.captures.iter().flat_map(|capture| &capture.treatment.images);
        of_source.chain(of_videos).chain(of_captures)
    }

    /// Number of the input files.
    pub fn inputs(&self) -> usize {
        self.joint.as_ref().map_or(1, |joint| joint.parts.len())
    }

    /// Frame rates of the video encodes.
    pub fn rates(&self) -> impl Iterator<Item = Ratio> + '_ {
        self.videos.iter().map(|video| video.rate)
    }
}

impl Group {
    /// Whether audio or captions have files of their own beside video. Timestamps of all of them then have to agree.
    pub(crate) fn has_separate_tracks(&self) -> bool {
        let separate = |output: &Output| match &output.media {
            Media::Streams { muxer, .. } => muxer == "adts",
            Media::Captions(_) => true,
            Media::Capture(_) => false,
        };
        matches!(self.kind, GroupKind::Hls(_)) && self.outputs.iter().any(separate)
    }
}

/// The file in the work directory of a script that is drawn into pictures.
pub(crate) fn script_file(index: usize) -> String {
    format!("captions{index}.ass")
}

impl Output {
    /// The file that ffmpeg writes, relative to the work directory; of segments the muxer's own playlist. Captured
    /// frames are many.
    pub(crate) fn file(&self, folder: &str) -> Option<PathBuf> {
        let Media::Streams { muxer, .. } = &self.media else {
            return None;
        };
        Some(PathBuf::from(match muxer.as_str() {
            "hls" => format!("{folder}/{}.m3u8", self.stem),
            // In a folder of its own, because the muxer writes files whose names cannot be chosen.
            "dash" => format!("{folder}/{}/muxer.mpd", self.stem),
            suffix => format!("{folder}/{}.{suffix}", self.stem),
        }))
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

    /// Whether a first pass looks at all pictures before they are encoded: VP8 and VP9, for which `MediaConvert` has no other way.
    pub(crate) fn has_two_passes(&self) -> bool {
        let encoder = self.options.iter().find(|(name, _)| name == "c");
        encoder.is_some_and(|(_, encoder)| encoder.starts_with("libvpx"))
    }
}

/// Plans a job.
///
/// `settings` are in the wire's spelling, with the input and the destinations filled in. `started` is the
/// job's start in UTC as `YYYYMMDDTHHMMSS`, for names that contain it.
///
/// Files beside the input are unknown, and all inputs are alike: this is for jobs with one input and no other file, and for jobs
/// that are only checked.
pub fn plan(settings: &Value, source: &MediaInfo, started: &str) -> Result<Plan, Refusal> {
    let inputs = settings["inputs"].as_array().map_or(1, Vec::len).max(1);
    planned(
        settings,
        &vec![source.clone(); inputs.min(MAX_INPUTS)],
        None,
        started,
    )
}

/// Plans a job with a source for each input, and the files that [`caption_files`] and [`side_files`] name.
pub fn with_files(
    settings: &Value,
    sources: &[MediaInfo],
    files: &SideFiles,
    started: &str,
) -> Result<Plan, Refusal> {
    planned(settings, sources, Some(files), started)
}

fn planned(
    settings: &Value,
    sources: &[MediaInfo],
    files: Option<&SideFiles>,
    started: &str,
) -> Result<Plan, Refusal> {
    let first = sources.first();
    let automated = first.and_then(|source| abr::expand(settings, source));
    let given = settings;
    let settings = automated.as_ref().map_or(given, |(settings, _)| settings);
    support::check(settings)?;
    // The table has seen all of it, so what remains is a value of the wrong type.
    let job: JobSettings = serde::Deserialize::deserialize(settings)
        .map_err(|error| Refusal::setting("/", error.to_string()))?;
    side::check(&job)?;
    let mut plan = outputs::plan(&job, sources, files, started)?;
    let mut approximations = support::approximations(given);
    approximations.extend(automated.map(|(_, count)| {
        format!("automated ABR is approximated: {count} renditions of a fixed ladder, without an analysis of the input")
    }));
    let approximations = approximations.into_iter();
    plan.warnings.extend(approximations.map(|message| Warning {
        code: WARN_APPROXIMATED,
        message,
    }));
    Ok(plan)
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
