//! What a media file is, from ffprobe's JSON. Parsing is pure; [`probe`] runs the program.

mod ffprobe;

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::failure::ProbeError;
use crate::process::Limits;

/// Facts about a source. Times in milliseconds, sizes in pixels.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MediaInfo {
    /// ffprobe's name of the container, for example `mov,mp4,m4a,3gp,3g2,mj2`.
    pub container: String,
    pub duration_ms: u64,
    /// The first real video track; cover pictures do not count.
    pub video: Option<VideoTrack>,
    /// All sound tracks, in the order of the file.
    pub audio: Vec<AudioTrack>,
}

/// A fraction in lowest terms as ffprobe gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ratio {
    pub num: u32,
    pub den: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoTrack {
    /// Stream index in the file.
    pub index: u32,
    /// ffmpeg's codec name, for example `h264`.
    pub codec: String,
    /// Size as coded, before rotation.
    pub width: u32,
    pub height: u32,
    /// Degrees clockwise by which a player turns the picture: 0, 90, 180 or 270.
    pub rotation: u32,
    /// The constant rate at which this source is played, or brought to where it varies.
    pub frame_rate: Ratio,
    /// Whether frames are unevenly spaced.
    pub variable_frame_rate: bool,
    pub bit_depth: u32,
    pub pixel_format: String,
    /// Colour description in ffmpeg's words; `None` where the file says nothing.
    pub color_primaries: Option<String>,
    pub color_transfer: Option<String>,
    pub color_matrix: Option<String>,
    /// Samples use 0 to 255.
    pub full_range: bool,
    /// Pixel shape, 1:1 unless anamorphic.
    pub sample_aspect: Ratio,
    pub interlaced: bool,
    /// Dolby Vision profile, where there is one.
    pub dolby_vision_profile: Option<u32>,
    /// Bits per second, where known.
    pub bit_rate: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AudioTrack {
    pub index: u32,
    pub codec: String,
    pub channels: u32,
    /// Hertz.
    pub sample_rate: u32,
    /// ISO 639-2, lower case, where the file says so.
    pub language: Option<String>,
    pub bit_rate: Option<u64>,
}

impl VideoTrack {
    /// Whether the transfer function is that of HDR10 or HLG.
    pub fn is_hdr(&self) -> bool {
        matches!(self.color_transfer.as_deref(), Some("smpte2084" | "arib-std-b67"))
    }

    /// Width and height as a viewer sees them: rotated, with square pixels, rounded to whole pixels.
    pub fn display_size(&self) -> (u32, u32) {
        let Ratio { num, den } = self.sample_aspect;
        let width = (u64::from(self.width) * u64::from(num) + u64::from(den) / 2) / u64::from(den);
        let width = u32::try_from(width).unwrap_or(self.width);
        if self.rotation % 180 == 90 {
            (self.height, width)
        } else {
            (width, self.height)
        }
    }
}

impl Ratio {
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// Reads `30000/1001` or `1:1`; `None` for anything that is no positive fraction.
    fn parse(text: &str, separator: char) -> Option<Self> {
        let (num, den) = text.split_once(separator)?;
        let ratio = Self {
            num: num.parse().ok()?,
            den: den.parse().ok()?,
        };
        (ratio.num > 0 && ratio.den > 0).then_some(ratio)
    }
}

/// Runs ffprobe on a file.
pub async fn probe(path: &Path, limits: &Limits) -> Result<MediaInfo, ProbeError> {
    let json = ffprobe::run(path, limits).await?;
    let document: Value = serde_json::from_slice(&json).map_err(|_| ProbeError::NoAnswer)?;
    Ok(parse(&document))
}

/// Reads the answer to `ffprobe -show_format -show_streams -of json`.
pub fn parse(document: &Value) -> MediaInfo {
    let streams: &[Value] = document["streams"].as_array().map_or(&[], Vec::as_slice);
    let of_type = |kind: &'static str| streams.iter().filter(move |stream| stream["codec_type"] == kind);
    let is_picture = |stream: &&Value| stream["disposition"]["attached_pic"] == 1;
    let duration = seconds(&document["format"]["duration"]).or_else(|| {
        streams
            .iter()
            .filter_map(|stream| seconds(&stream["duration"]))
            .reduce(f64::max)
    });
    MediaInfo {
        container: text(&document["format"]["format_name"]).unwrap_or_default(),
        duration_ms: duration.map_or(0, to_ms),
        video: of_type("video")
            .find(|stream| !is_picture(stream))
            .and_then(video_track),
        audio: of_type("audio").filter_map(audio_track).collect(),
    }
}

fn video_track(stream: &Value) -> Option<VideoTrack> {
    let (width, height) = (number(&stream["width"])?, number(&stream["height"])?);
    if width == 0 || height == 0 {
        return None;
    }
    let pixel_format = text(&stream["pix_fmt"]).unwrap_or_default();
    let (frame_rate, variable_frame_rate) = frame_rate(stream);
    Some(VideoTrack {
        index: number(&stream["index"])?,
        codec: text(&stream["codec_name"]).unwrap_or_default(),
        width,
        height,
        rotation: rotation(stream),
        frame_rate,
        variable_frame_rate,
        bit_depth: bit_depth(stream, &pixel_format),
        full_range: stream["color_range"] == "pc" || pixel_format.starts_with("yuvj"),
        pixel_format,
        color_primaries: color(&stream["color_primaries"]),
        color_transfer: color(&stream["color_transfer"]),
        color_matrix: color(&stream["color_space"]),
        sample_aspect: text(&stream["sample_aspect_ratio"])
            .and_then(|sar| Ratio::parse(&sar, ':'))
            .unwrap_or(Ratio { num: 1, den: 1 }),
        interlaced: matches!(stream["field_order"].as_str(), Some("tt" | "bb" | "tb" | "bt")),
        dolby_vision_profile: side_data(stream).find_map(|data| number(&data["dv_profile"])),
        bit_rate: text(&stream["bit_rate"]).and_then(|rate| rate.parse().ok()),
    })
}

fn audio_track(stream: &Value) -> Option<AudioTrack> {
    let channels = number(&stream["channels"]).filter(|channels| *channels > 0)?;
    Some(AudioTrack {
        index: number(&stream["index"])?,
        codec: text(&stream["codec_name"]).unwrap_or_default(),
        channels,
        sample_rate: number(&stream["sample_rate"]).unwrap_or(0),
        language: word(&stream["tags"]["language"]).filter(|language| language != "und"),
        bit_rate: text(&stream["bit_rate"]).and_then(|rate| rate.parse().ok()),
    })
}

/// Rates that cameras and studios work with; a source of varying rate is brought to the nearest.
const STANDARD_RATES: [Ratio; 11] = [
    Ratio { num: 10, den: 1 },
    Ratio { num: 15, den: 1 },
    Ratio {
        num: 24_000,
        den: 1001,
    },
    Ratio { num: 24, den: 1 },
    Ratio { num: 25, den: 1 },
    Ratio {
        num: 30_000,
        den: 1001,
    },
    Ratio { num: 30, den: 1 },
    Ratio { num: 50, den: 1 },
    Ratio {
        num: 60_000,
        den: 1001,
    },
    Ratio { num: 60, den: 1 },
    Ratio { num: 120, den: 1 },
];

/// Above this ffprobe's guess is a clock (90 kHz) and no rate of pictures.
const HIGHEST_RATE: f64 = 240.0;

/// The rate to play at, and whether the source varies around it.
///
/// `r_frame_rate` is the lowest rate that can express all timestamps, `avg_frame_rate` frames over duration.
/// They are equal for a constant rate, save for rounding at the ends of short clips.
fn frame_rate(stream: &Value) -> (Ratio, bool) {
    let of = |name: &str| text(&stream[name]).and_then(|rate| Ratio::parse(&rate, '/'));
    let possible = of("r_frame_rate").filter(|rate| rate.as_f64() <= HIGHEST_RATE);
    match (possible, of("avg_frame_rate")) {
        (Some(possible), Some(average)) => {
            let off = (possible.as_f64() / average.as_f64() - 1.0).abs();
            if off < 0.005 {
                (possible, false)
            } else {
                (nearest_standard(average), true)
            }
        }
        (Some(only), None) => (only, false),
        (None, Some(average)) => (nearest_standard(average), true),
        // Browsers' recordings say nothing; they are made at 30.
        (None, None) => (Ratio { num: 30, den: 1 }, true),
    }
}

fn nearest_standard(rate: Ratio) -> Ratio {
    let distance = |standard: &Ratio| (standard.as_f64() / rate.as_f64()).ln().abs();
    let nearest = STANDARD_RATES
        .into_iter()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.unwrap_or(rate)
}

/// `MediaConvert` turns by quarters only, and takes a rotation within one degree of one.
fn rotation(stream: &Value) -> u32 {
    // ffprobe counts anticlockwise; old files have a clockwise tag instead.
    let anticlockwise = side_data(stream).find_map(|data| data["rotation"].as_f64());
    let tag = || text(&stream["tags"]["rotate"]).and_then(|rotate| rotate.parse::<f64>().ok());
    let clockwise = anticlockwise
        .map(|degrees| -degrees)
        .or_else(tag)
        .unwrap_or(0.0)
        .rem_euclid(360.0);
    let turned = |quarter: f64| (clockwise - quarter).abs() <= 1.0;
    match () {
        () if turned(90.0) => 90,
        () if turned(180.0) => 180,
        () if turned(270.0) => 270,
        () => 0,
    }
}

fn bit_depth(stream: &Value, pixel_format: &str) -> u32 {
    let raw = text(&stream["bits_per_raw_sample"])
        .and_then(|bits| bits.parse().ok())
        .filter(|bits| *bits > 0);
    let named = || {
        [("16", 16), ("14", 14), ("12", 12), ("10", 10)]
            .into_iter()
            .find(|(mark, _)| {
                pixel_format.contains(&format!("p{mark}")) || pixel_format.contains(&format!("p0{mark}"))
            })
    };
    raw.or_else(|| named().map(|(_, bits)| bits)).unwrap_or(8)
}

fn side_data(stream: &Value) -> impl Iterator<Item = &Value> {
    stream["side_data_list"].as_array().into_iter().flatten()
}

/// The name of a colour property.
fn color(value: &Value) -> Option<String> {
    word(value).filter(|name| !matches!(name.as_str(), "unknown" | "reserved"))
}

/// A name that becomes a part of the command line, so it must be plain; else it is none.
fn word(value: &Value) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text(value).filter(|name| !name.is_empty() && name.bytes().all(plain))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// ffprobe writes most numbers as numbers and some as text.
fn number(value: &Value) -> Option<u32> {
    value
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
        .or_else(|| value.as_str()?.parse().ok())
}

fn seconds(value: &Value) -> Option<f64> {
    value
        .as_str()?
        .parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and rounded"
)]
fn to_ms(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn video(members: &Value) -> VideoTrack {
        let mut stream = json!({"index": 0, "codec_type": "video", "codec_name": "h264", "width": 1920, "height": 1080,
            "pix_fmt": "yuv420p", "r_frame_rate": "30/1", "avg_frame_rate": "30/1"});
        for (name, value) in members.as_object().expect("is an object") {
            stream[name] = value.clone();
        }
        parse(&json!({"streams": [stream], "format": {}}))
            .video
            .expect("has video")
    }

    #[test]
    fn rates() {
        for (real, average, expected, varies) in [
            ("30/1", "30/1", (30, 1), false),
            ("30000/1001", "30000/1001", (30_000, 1001), false),
            ("30/1", "5400/181", (30_000, 1001), true),
            ("120/1", "2963/100", (30_000, 1001), true),
            ("90000/1", "24/1", (24, 1), true),
            ("30/1", "0/0", (30, 1), false),
            ("0/0", "0/0", (30, 1), true),
            ("1000/1", "0/0", (30, 1), true),
            ("60/1", "59/1", (60_000, 1001), true),
        ] {
            let track = video(&json!({"r_frame_rate": real, "avg_frame_rate": average}));
            let expected = Ratio {
                num: expected.0,
                den: expected.1,
            };
            assert_eq!(
                (track.frame_rate, track.variable_frame_rate),
                (expected, varies),
                "{real} {average}"
            );
        }
    }

    #[test]
    fn rotations() {
        for (members, rotation) in [
            (json!({}), 0),
            (json!({"side_data_list": [{"rotation": -90}]}), 90),
            (json!({"side_data_list": [{"other": 1}, {"rotation": 90}]}), 270),
            (json!({"side_data_list": [{"rotation": -179.5}]}), 180),
            (json!({"side_data_list": [{"rotation": 45}]}), 0),
            (json!({"tags": {"rotate": "90"}}), 90),
        ] {
            assert_eq!(video(&members).rotation, rotation, "{members}");
        }
    }

    #[test]
    fn what_a_viewer_sees() {
        assert_eq!(
            video(&json!({"side_data_list": [{"rotation": -90}]})).display_size(),
            (1080, 1920)
        );
        let anamorphic = json!({"width": 720, "height": 576, "sample_aspect_ratio": "64:45"});
        assert_eq!(video(&anamorphic).display_size(), (1024, 576));
    }

    #[test]
    fn colours_and_depth() {
        let hdr = video(
            &json!({"pix_fmt": "yuv420p10le", "color_transfer": "arib-std-b67", "color_primaries": "bt2020",
            "color_space": "bt2020nc", "side_data_list": [{"dv_profile": 8}]}),
        );
        assert!(hdr.is_hdr());
        assert_eq!((hdr.bit_depth, hdr.dolby_vision_profile), (10, Some(8)));
        assert!(video(&json!({"pix_fmt": "yuvj420p"})).full_range);
        assert_eq!(video(&json!({"pix_fmt": "p010le"})).bit_depth, 10);
        // The last two would have reached the filter graph, as fuzzing found.
        for name in ["unknown", "", "a,b", "bt709\0"] {
            assert_eq!(video(&json!({"color_space": name})).color_matrix, None, "{name}");
        }
    }

    #[test]
    fn a_cover_picture_is_no_video() {
        let info = parse(
            &json!({"format": {"duration": "12.5", "format_name": "mp3"}, "streams": [
                {"index": 0, "codec_type": "audio", "codec_name": "mp3", "channels": 2, "sample_rate": "44100", "tags": {"language": "und"}},
                {"index": 1, "codec_type": "video", "codec_name": "mjpeg", "width": 600, "height": 600, "disposition": {"attached_pic": 1}}
            ]}),
        );
        assert_eq!(info.video, None);
        assert_eq!((info.duration_ms, info.audio.len()), (12_500, 1));
        assert_eq!(
            (info.audio[0].sample_rate, &info.audio[0].language),
            (44_100, &None)
        );
    }

    #[test]
    fn an_empty_answer_is_no_media() {
        assert_eq!(parse(&json!({})), MediaInfo::default());
    }
}
