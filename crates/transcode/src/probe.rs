//! Reads the properties of a media file from ffprobe's JSON. Parsing is pure; [`probe`] runs the program.

mod container;
mod ffprobe;
mod mastering;
mod rate;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::mastering::Mastering;
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
    /// The first cover picture (of a song or a podcast), of which nothing but captured frames can be made.
    pub cover: Option<VideoTrack>,
    /// All audio tracks, in the order of the file.
    pub audio: Vec<AudioTrack>,
    /// Tracks that nothing is made of: further video tracks, and subtitles.
    pub other: Vec<OtherTrack>,
    /// The timecode of the first frame, where the file has one.
    pub timecode: Option<String>,
}

/// A track that is reported and not decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherTrack {
    pub index: u32,
    pub kind: OtherKind,
    /// ffmpeg's codec name; empty where it knows none.
    pub codec: String,
    /// ISO 639-2, lower case, where the file says so.
    pub language: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherKind {
    Video,
    Subtitles,
}

/// A fraction in lowest terms as ffprobe gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    pub num: u32,
    pub den: u32,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoTrack {
    /// Stream index in the file.
    pub index: u32,
    /// ffmpeg's codec name, for example `h264`; empty where it knows none, so that nothing can be decoded.
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
    /// Color description in ffmpeg's terms; `None` if the file has none.
    pub color_primaries: Option<String>,
    pub color_transfer: Option<String>,
    pub color_matrix: Option<String>,
    /// Samples use 0 to 255.
    pub full_range: bool,
    /// Pixel shape, 1:1 unless anamorphic.
    pub sample_aspect: Ratio,
    pub interlaced: bool,
    /// The order of fields, of an interlaced track.
    pub top_field_first: Option<bool>,
    /// Whether the pictures carry closed captions (CEA-608 or 708).
    pub embedded_captions: bool,
    /// Dolby Vision profile, where there is one.
    pub dolby_vision_profile: Option<u32>,
    /// HDR10 metadata, where there is some.
    pub mastering: Option<Mastering>,
    /// Bits per second, where known.
    pub bit_rate: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AudioTrack {
    pub index: u32,
    /// Empty where ffmpeg knows none, so that nothing can be decoded.
    pub codec: String,
    pub channels: u32,
    /// Hertz.
    pub sample_rate: u32,
    /// ISO 639-2, lower case, where the file says so.
    pub language: Option<String>,
    pub bit_rate: Option<u64>,
    /// Identifier in the container: of a transport stream the PID.
    pub id: Option<u32>,
}

impl VideoTrack {
    /// Whether the transfer function is that of HDR10 or HLG.
    pub fn is_hdr(&self) -> bool {
        matches!(self.color_transfer.as_deref(), Some("smpte2084" | "arib-std-b67"))
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

impl AudioTrack {
    pub fn is_readable(&self) -> bool {
        !self.codec.is_empty()
    }
}

/// Parses ffprobe's report of the container and its streams.
const STREAMS: &[&str] = &["-show_format", "-show_streams"];
/// Pictures in which closed captions are looked for.
const CAPTION_PACKETS: &str = "%+#16";

/// Probes a source. Beyond what ffprobe says at once, it finds files that cannot be encoded, measures the frame
/// rate where the container does not know it, and looks for closed captions.
pub async fn probe(path: &Path, limits: &Limits) -> Result<MediaInfo, ProbeError> {
    // Boxed, because it waits for three processes, one after the other, and its future is as large.
    Box::pin(examine(path, limits, None)).await
}

/// As `probe`, of a file that has its first `head` bytes and its end, and a hole in between. The file is cut after its
/// `head`: rates and captions are measured there, and ffprobe would read on through the hole.
pub async fn probe_ends(path: &Path, limits: &Limits, head: u64) -> Result<MediaInfo, ProbeError> {
    Box::pin(examine(path, limits, Some(head))).await
}

async fn examine(path: &Path, limits: &Limits, head: Option<u64>) -> Result<MediaInfo, ProbeError> {
    let document = ffprobe::run(path, STREAMS, limits).await?;
    let mut info = parse(&document);
    container::check(path, &info.container).await?;
    let Some(video) = &mut info.video else {
        return Ok(info);
    };
    if head.is_some_and(|head| cut(path, head).is_err()) {
        return Ok(info);
    }
    let index = video.index.to_string();
    // The index of MP4 and QuickTime lists each frame; elsewhere the average is a guess from headers.
    if !info.container.starts_with("mov") {
        let packets = match ffprobe::run(path, &rate::arguments(&index), limits).await {
            // Of a part of a file a rate is not worth a failure.
            Err(_) if head.is_some() => Value::Null,
            packets => packets?,
        };
        if let Some(measured) = rate::measured(&packets) {
            let stream = stream_of(&document, video.index);
            (video.frame_rate, video.variable_frame_rate) = rate::of(stream, Some(measured));
        }
    }
    if matches!(video.codec.as_str(), "h264" | "hevc" | "mpeg2video") {
        let shown = ["-select_streams", &index, "-read_intervals", CAPTION_PACKETS];
        let shown = [
            &shown[..],
            &["-show_frames", "-show_entries", "frame=side_data_list"],
        ]
        .concat();
        // Pictures that cannot be decoded are the encoder's to report.
        let frames = ffprobe::run(path, &shown, limits).await.unwrap_or_default();
        video.embedded_captions = has_captions(&frames);
        video.mastering = mastering::of(frames_side_data(&frames)).or(video.mastering);
    }
    Ok(info)
}

fn cut(path: &Path, length: u64) -> std::io::Result<()> {
    std::fs::File::options().write(true).open(path)?.set_len(length)
}

/// Play time of a file in milliseconds, from its packets where the container does not say it.
pub(crate) async fn duration_ms(path: &Path, limits: &Limits) -> Result<u64, ProbeError> {
    Ok(parse(&ffprobe::run(path, STREAMS, limits).await?).duration_ms)
}

/// Seconds from the first picture of a transport stream segment to the end of its last picture or audio sample.
pub(crate) async fn seconds_from_first_picture(
    path: &Path,
    limits: &Limits,
) -> Result<Option<f64>, ProbeError> {
    let document = ffprobe::run(path, STREAMS, limits).await?;
    let streams = || document["streams"].as_array().into_iter().flatten();
    let start = streams()
        .find(|stream| stream["codec_type"] == "video")
        .and_then(|stream| seconds(&stream["start_time"]));
    let end = streams()
        .filter_map(|stream| Some(seconds(&stream["start_time"])? + seconds(&stream["duration"])?))
        .reduce(f64::max);
    Ok(start.zip(end).map(|(start, end)| end - start))
}

fn frames_side_data(frames: &Value) -> impl Iterator<Item = &Value> {
    let frames = frames["frames"].as_array().into_iter().flatten();
    frames.flat_map(side_data)
}

fn has_captions(frames: &Value) -> bool {
    frames_side_data(frames).any(|data| data["side_data_type"] == "ATSC A53 Part 4 Closed Captions")
}

fn stream_of(document: &Value, index: u32) -> &Value {
    let mut streams = document["streams"].as_array().into_iter().flatten();
    streams
        .find(|stream| number(&stream["index"]) == Some(index))
        .unwrap_or(&Value::Null)
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
        cover: of_type("video").find(is_picture).and_then(video_track),
        audio: of_type("audio").filter_map(audio_track).collect(),
        other: of_type("video")
            .filter(|stream| !is_picture(stream))
            .skip(1)
            .filter_map(|stream| other_track(stream, OtherKind::Video))
            .chain(of_type("subtitle").filter_map(|stream| other_track(stream, OtherKind::Subtitles)))
            .collect(),
        timecode: streams
            .iter()
            .find_map(|stream| text(&stream["tags"]["timecode"]))
            .or_else(|| text(&document["format"]["tags"]["timecode"])),
    }
}

fn other_track(stream: &Value, kind: OtherKind) -> Option<OtherTrack> {
    Some(OtherTrack {
        index: number(&stream["index"])?,
        kind,
        codec: codec(stream),
        language: language(stream),
    })
}

/// The codec's name, empty where ffmpeg has none for it.
fn codec(stream: &Value) -> String {
    let name = word(&stream["codec_name"]).filter(|name| !matches!(name.as_str(), "unknown" | "none"));
    name.unwrap_or_default()
}

fn language(stream: &Value) -> Option<String> {
    word(&stream["tags"]["language"]).filter(|language| language != "und")
}

fn video_track(stream: &Value) -> Option<VideoTrack> {
    let (width, height) = (number(&stream["width"])?, number(&stream["height"])?);
    if width == 0 || height == 0 {
        return None;
    }
    let pixel_format = text(&stream["pix_fmt"]).unwrap_or_default();
    let (frame_rate, variable_frame_rate) = rate::of(stream, None);
    Some(VideoTrack {
        index: number(&stream["index"])?,
        codec: codec(stream),
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
        top_field_first: match stream["field_order"].as_str() {
            Some("tt" | "bt") => Some(true),
            Some("bb" | "tb") => Some(false),
            _ => None,
        },
        // Known only from decoded pictures.
        embedded_captions: false,
        dolby_vision_profile: side_data(stream).find_map(|data| number(&data["dv_profile"])),
        mastering: mastering::of(side_data(stream)),
        bit_rate: text(&stream["bit_rate"]).and_then(|rate| rate.parse().ok()),
    })
}

fn audio_track(stream: &Value) -> Option<AudioTrack> {
    let channels = number(&stream["channels"]).filter(|channels| *channels > 0)?;
    Some(AudioTrack {
        index: number(&stream["index"])?,
        codec: codec(stream),
        channels,
        sample_rate: number(&stream["sample_rate"]).unwrap_or(0),
        language: language(stream),
        bit_rate: text(&stream["bit_rate"]).and_then(|rate| rate.parse().ok()),
        id: text(&stream["id"]).and_then(|id| u32::from_str_radix(id.trim_start_matches("0x"), 16).ok()),
    })
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

/// The name of a color property.
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
    fn colors_and_depth() {
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
        assert_eq!(info.cover.map(|cover| (cover.index, cover.width)), Some((1, 600)));
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
