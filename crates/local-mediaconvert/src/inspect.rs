//! What ffprobe found, in the two forms in which MediaConvert tells it: the answer of Probe and the
//! `inputDetails` of the `INPUT_INFORMATION` event.

use serde_json::{Map, Value, json};
use transcode::probe::{AudioTrack, MediaInfo, OtherKind, Ratio, VideoTrack};

/// What S3 knows of an object that is probed.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectFacts {
    /// With its quotes, as S3 gives it.
    pub(super) etag: Option<String>,
    /// Bytes.
    pub(super) size: Option<i64>,
    /// Seconds since the epoch.
    pub(super) last_modified: Option<i64>,
    pub(super) content_type: Option<String>,
}

/// `ProbeResult`. Members that ffprobe does not tell are left out.
pub(super) fn probe_result(url: &str, info: &MediaInfo, object: &ObjectFacts) -> Value {
    // Of a large file in fragments it is not known.
    let seconds = (info.duration_ms > 0).then(|| seconds(info.duration_ms));
    let mut tracks: Vec<Value> = Vec::new();
    let (mut videos, mut sounds) = (Vec::new(), Vec::new());
    if let Some(video) = &info.video {
        videos.push(video.index);
        tracks.push(present([
            ("index", video.index.into()),
            ("trackType", "video".into()),
            ("codec", json!(codec(&video.codec))),
            ("duration", json!(seconds)),
            ("videoProperties", video_properties(video)),
        ]));
    }
    if let Some(cover) = info.cover.as_ref().filter(|_| info.video.is_none()) {
        // A picture without a frame rate. The API documents no form for it.
        tracks.push(present([
            ("index", cover.index.into()),
            ("trackType", "video".into()),
            ("codec", json!(codec(&cover.codec))),
            (
                "videoProperties",
                json!({ "width": cover.width, "height": cover.height }),
            ),
        ]));
    }
    for audio in &info.audio {
        sounds.push(audio.index);
        tracks.push(present([
            ("index", audio.index.into()),
            ("trackType", "audio".into()),
            ("codec", json!(codec(&audio.codec))),
            ("duration", json!(seconds)),
            ("audioProperties", audio_properties(audio)),
        ]));
    }
    let mut data = Vec::new();
    for other in &info.other {
        let kind = match other.kind {
            OtherKind::Video => "video",
            OtherKind::Subtitles => "data",
        };
        let mut track = present([
            ("index", other.index.into()),
            ("trackType", kind.into()),
            ("codec", json!(codec(&other.codec))),
        ]);
        if other.kind == OtherKind::Subtitles {
            // ISO 639-3 has a code for what is not known, which tells a subtitle from a timecode.
            let language = other.language.as_deref().unwrap_or("und");
            track["dataProperties"] = json!({ "languageCode": language });
            data.push(other.index);
        }
        tracks.push(track);
    }
    if let Some(video) = info.video.as_ref().filter(|video| video.embedded_captions) {
        // They have no track of their own.
        tracks.push(json!({ "index": video.index, "trackType": "data", "codec": "C608" }));
    }
    let mut container = present([("duration", json!(seconds)), ("tracks", json!(tracks))]);
    if let Some(format) = format(&info.container, url) {
        container["format"] = format.into();
    }
    json!({
        "container": container,
        "metadata": metadata(object),
        "trackMappings": [{
            "videoTrackIndexes": videos,
            "audioTrackIndexes": sounds,
            "dataTrackIndexes": data,
        }],
    })
}

fn metadata(object: &ObjectFacts) -> Value {
    present([
        ("eTag", json!(object.etag)),
        ("fileSize", json!(object.size)),
        ("lastModified", json!(object.last_modified)),
        ("mimeType", json!(object.content_type)),
    ])
}

fn video_properties(video: &VideoTrack) -> Value {
    let colors = [
        (
            "colorPrimaries",
            json!(video.color_primaries.as_deref().map(primaries)),
        ),
        (
            "transferCharacteristics",
            json!(video.color_transfer.as_deref().map(transfer)),
        ),
        (
            "matrixCoefficients",
            json!(video.color_matrix.as_deref().map(matrix)),
        ),
    ];
    let codec_metadata = present(
        [
            ("width", video.width.into()),
            ("height", video.height.into()),
            ("bitDepth", video.bit_depth.into()),
            ("codedFrameRate", ratio(video.frame_rate)),
            ("chromaSubsampling", chroma(&video.pixel_format).into()),
            (
                "scanType",
                if video.interlaced {
                    "INTERLACED"
                } else {
                    "PROGRESSIVE"
                }
                .into(),
            ),
        ]
        .into_iter()
        .chain(colors.clone()),
    );
    present(
        [
            ("width", video.width.into()),
            ("height", video.height.into()),
            ("bitDepth", video.bit_depth.into()),
            ("bitRate", json!(video.bit_rate)),
            ("frameRate", ratio(video.frame_rate)),
            ("sampleAspectRatio", ratio(video.sample_aspect)),
            // The API leaves it out where the picture stands upright.
            (
                "rotation",
                if video.rotation == 0 {
                    Value::Null
                } else {
                    video.rotation.into()
                },
            ),
            ("codecMetadata", codec_metadata),
        ]
        .into_iter()
        .chain(colors),
    )
}

fn audio_properties(audio: &AudioTrack) -> Value {
    present([
        ("channels", audio.channels.into()),
        ("sampleRate", audio.sample_rate.into()),
        ("bitRate", json!(audio.bit_rate)),
        ("languageCode", json!(audio.language)),
    ])
}

/// `inputDetails` of the event: each input with its number.
pub(super) fn input_details<'a>(inputs: impl Iterator<Item = (&'a str, &'a MediaInfo)>) -> Value {
    let inputs = (1..).zip(inputs);
    inputs
        .map(|(id, (url, info))| input_detail(id, url, info))
        .collect()
}

fn input_detail(id: u32, url: &str, info: &MediaInfo) -> Value {
    let video = info.video.iter().map(|video| {
        present([
            ("streamId", (video.index + 1).into()),
            ("codec", event_codec(&video.codec).into()),
            ("fourCC", json!(four_cc(&video.codec))),
            ("width", video.width.into()),
            ("height", video.height.into()),
            ("frameRate", rounded(video.frame_rate.as_f64())),
            ("bitDepth", video.bit_depth.into()),
            ("colorFormat", color_format(&video.pixel_format).into()),
            (
                "interlaceMode",
                if video.interlaced {
                    "INTERLACED"
                } else {
                    "PROGRESSIVE"
                }
                .into(),
            ),
            (
                "sar",
                format!("{}:{}", video.sample_aspect.num, video.sample_aspect.den).into(),
            ),
            ("standard", "UNSPECIFIED".into()),
        ])
    });
    let audio = info.audio.iter().map(|audio| {
        json!({
            "streamId": audio.index + 1,
            "codec": event_codec(&audio.codec),
            "channels": audio.channels,
            "sampleRate": audio.sample_rate,
            "language": audio.language.as_deref().unwrap_or("und").to_uppercase(),
        })
    });
    json!({
        "id": id,
        "uri": url,
        "video": video.collect::<Vec<_>>(),
        "audio": audio.collect::<Vec<_>>(),
    })
}

/// An object of the members that have a value.
fn present<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(
        members
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>(),
    )
}

fn ratio(ratio: Ratio) -> Value {
    json!({ "numerator": ratio.num, "denominator": ratio.den })
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}

/// Whole numbers without a fraction, others with three places, as in AWS's samples.
fn rounded(number: f64) -> Value {
    let number = (number * 1000.0).round() / 1000.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, positive and small"
    )]
    if number.fract() == 0.0 {
        Value::from(number as u64)
    } else {
        Value::from(number)
    }
}

/// `Format`. ffprobe names families of containers; the suffix decides within one.
fn format(container: &str, url: &str) -> Option<&'static str> {
    let suffix = url.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let first = container.split(',').next().unwrap_or_default();
    Some(match first {
        "mov" => match suffix.as_str() {
            "mov" | "qt" => "quicktime",
            "3gp" => "three_gp",
            "3g2" => "three_g2",
            _ => "mp4",
        },
        "matroska" if suffix == "webm" => "webm",
        "matroska" => "matroska",
        "mpeg" => "mpegps",
        "wav" => "wave",
        known @ ("aac" | "ac3" | "asf" | "avi" | "eac3" | "flac" | "mp3" | "mpegts" | "mxf" | "ogg") => {
            return [
                "aac", "ac3", "asf", "avi", "eac3", "flac", "mp3", "mpegts", "mxf", "ogg",
            ]
            .into_iter()
            .find(|name| *name == known);
        }
        _ => return None,
    })
}

/// `Codec` of Probe; `None` for one that can be decoded and that the API has no word for.
fn codec(name: &str) -> Option<String> {
    let special = match name {
        "" => "UNKNOWN",
        "eia_608" => "C608",
        "h264" => "AVC",
        "mpeg4" => "MP4V",
        "mpeg2video" => "MPEG2",
        "mpeg1video" => "MPEG1",
        "dnxhd" => "VC3",
        "dvvideo" => "DV",
        "amr_nb" | "amr_wb" => "AMR",
        "wmav1" => "WMA",
        "wmav2" => "WMA2",
        "rawvideo" => "UNCOMPRESSED",
        pcm if pcm.starts_with("pcm_") => "PCM",
        same @ ("aac" | "ac3" | "av1" | "eac3" | "flac" | "h263" | "hevc" | "jpeg2000" | "mjpeg" | "mp2"
        | "mp3" | "opus" | "prores" | "qtrle" | "theora" | "vc1" | "vorbis" | "vp8" | "vp9"
        | "webvtt" | "wmapro") => {
            return Some(same.to_ascii_uppercase());
        }
        _ => return None,
    };
    Some(special.to_owned())
}

/// The event spells some codecs otherwise than Probe does.
fn event_codec(name: &str) -> String {
    match name {
        "h264" => "H_264".to_owned(),
        "hevc" => "H_265".to_owned(),
        other => codec(other).unwrap_or_else(|| "UNKNOWN".to_owned()),
    }
}

fn four_cc(codec: &str) -> Option<&'static str> {
    match codec {
        "h264" => Some("avc1"),
        "hevc" => Some("hvc1"),
        "av1" => Some("av01"),
        "vp9" => Some("vp09"),
        _ => None,
    }
}

fn chroma(pixel_format: &str) -> &'static str {
    match pixel_format {
        p if p.contains("444") || p.starts_with("gbr") || p.starts_with("rgb") => "4:4:4",
        p if p.contains("422") || p.starts_with("yuyv") || p.starts_with("uyvy") => "4:2:2",
        _ => "4:2:0",
    }
}

fn color_format(pixel_format: &str) -> &'static str {
    match chroma(pixel_format) {
        "4:4:4" => "YUV_444",
        "4:2:2" => "YUV_422",
        _ => "YUV_420",
    }
}

fn primaries(name: &str) -> &'static str {
    match name {
        "bt709" => "ITU_709",
        "bt2020" => "ITU_2020",
        "bt470m" => "ITU_470M",
        "bt470bg" => "ITU_470BG",
        "smpte170m" => "SMPTE_170M",
        "smpte240m" => "SMPTE_240M",
        "film" => "GENERIC_FILM",
        "smpte431" => "SMPTE_431_2",
        "smpte432" => "SMPTE_EG_432_1",
        _ => "UNSPECIFIED",
    }
}

fn transfer(name: &str) -> &'static str {
    match name {
        "bt709" => "ITU_709",
        "smpte170m" => "SMPTE_170M",
        "smpte240m" => "SMPTE_240M",
        "linear" => "LINEAR",
        "iec61966-2-1" => "IEC_61966_2_1",
        "bt2020-10" => "ITU_2020_10bit",
        "bt2020-12" => "ITU_2020_12bit",
        "smpte2084" => "SMPTE_2084",
        "arib-std-b67" => "ARIB_B67",
        _ => "UNSPECIFIED",
    }
}

fn matrix(name: &str) -> &'static str {
    match name {
        "gbr" => "RGB",
        "bt709" => "ITU_709",
        "bt470bg" => "ITU_470BG",
        "smpte170m" => "SMPTE_170M",
        "smpte240m" => "SMPTE_240M",
        "bt2020nc" => "ITU_2020_NCL",
        "bt2020c" => "ITU_2020_CL",
        _ => "UNSPECIFIED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A phone's portrait video with HDR and stereo sound, as ffprobe tells it.
    fn phone() -> MediaInfo {
        transcode::probe::parse(&json!({
            "format": { "format_name": "mov,mp4,m4a,3gp,3g2,mj2", "duration": "7.005" },
            "streams": [
                { "index": 0, "codec_type": "video", "codec_name": "hevc", "width": 1920, "height": 1080,
                  "pix_fmt": "yuv420p10le", "r_frame_rate": "30000/1001", "avg_frame_rate": "30000/1001",
                  "color_transfer": "arib-std-b67", "color_primaries": "bt2020", "color_space": "bt2020nc",
                  "side_data_list": [{ "rotation": -90 }], "bit_rate": "8000000" },
                { "index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 2, "sample_rate": "48000",
                  "tags": { "language": "kor" }, "bit_rate": "128000" },
            ],
        }))
    }

    #[test]
    fn a_phone_video_probed() {
        let object = ObjectFacts {
            etag: Some("\"abc\"".to_owned()),
            size: Some(1000),
            last_modified: Some(1_767_290_400),
            content_type: Some("video/quicktime".to_owned()),
        };
        insta::assert_json_snapshot!(probe_result("s3://b/input/a.MOV", &phone(), &object));
    }

    #[test]
    fn a_phone_video_in_the_event() {
        let phone = phone();
        insta::assert_json_snapshot!(input_details([("s3://b/input/a.MOV", &phone)].into_iter()));
    }

    #[test]
    fn formats() {
        let table = [
            ("mov,mp4,m4a,3gp,3g2,mj2", "s3://b/a", Some("mp4")),
            ("mov,mp4,m4a,3gp,3g2,mj2", "s3://b/a.mov", Some("quicktime")),
            ("matroska,webm", "s3://b/a.webm", Some("webm")),
            ("matroska,webm", "s3://b/a.mkv", Some("matroska")),
            ("mpegts", "s3://b/a.ts", Some("mpegts")),
            ("tty", "s3://b/a.txt", None),
        ];
        for (container, url, expected) in table {
            assert_eq!(format(container, url), expected, "{container} {url}");
        }
    }
}
