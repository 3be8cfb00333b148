//! Properties of a source, as a probe reports them.

use serde::{Deserialize, Serialize};

/// Properties of a source, from its probe. All are absent if the probe failed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Media {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Pixels as coded, before rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels as coded, before rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frames per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// Degrees clockwise that a player turns the picture: 0, 90, 180 or 270.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u16>,
    /// Shape of a pixel; absent if pixels are square.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_aspect: Option<PixelAspect>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_tracks: Option<u32>,
    /// The cover picture of a file without video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<Cover>,
    /// All tracks, from the probe alone. Not on record: their consequences are in [`Record::left_out`](super::Record).
    #[serde(skip)]
    pub tracks: Vec<Track>,
}

impl Media {
    /// Whether the file has sound and no video, as far as a probe can say.
    pub fn is_audio_only(&self) -> bool {
        let pictured = self.width.is_some() || self.height.is_some() || self.frame_rate.is_some();
        let videos = self.tracks.iter().any(|track| track.kind == TrackKind::Video);
        self.audio_tracks.is_some_and(|tracks| tracks > 0) && !pictured && !videos
    }
}

/// The size of a cover picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    pub width: u32,
    pub height: u32,
}

/// Width and height of one pixel, `64:45` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PixelAspect {
    pub width: u32,
    pub height: u32,
}

impl PixelAspect {
    /// `None` if pixels are square or a side is 0.
    pub fn new(width: u32, height: u32) -> Option<Self> {
        (width != height && width > 0 && height > 0).then_some(Self { width, height })
    }
}

impl From<PixelAspect> for String {
    fn from(aspect: PixelAspect) -> Self {
        format!("{}:{}", aspect.width, aspect.height)
    }
}

impl TryFrom<String> for PixelAspect {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (width, height) = text.split_once(':').ok_or("no `:` in a pixel aspect ratio")?;
        let (Ok(width), Ok(height)) = (width.parse(), height.parse()) else {
            return Err("a pixel aspect ratio is two whole numbers");
        };
        Self::new(width, height).ok_or("a pixel aspect ratio of 1:1 is omitted, and 0 is invalid")
    }
}

/// One track of a source: the properties that decide whether outputs contain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    pub kind: TrackKind,
    /// ISO 639; absent if the file does not name it.
    pub language: Option<String>,
    /// Whether its codec is known.
    pub readable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    Video,
    Audio,
    Subtitles,
    /// CEA-608 or 708, in the pictures or in a track of their own.
    EmbeddedCaptions,
}
