//! Containers and suffixes: how outputs are written.

use mediaconvert_job::model;

use crate::plan::audio::codec::Codec;
use crate::plan::{FragmentGroup, GroupKind, Output, Refusal};

/// A container: the codecs that it carries (user guide, "Supported output codecs and containers").
struct Container {
    name: &'static str,
    video: &'static [&'static str],
    audio: &'static [&'static str],
}

const CONTAINERS: [Container; 9] = [
    container("M3U8", &["H_264", "H_265"], &["AAC", "AC3", "EAC3"]),
    container("CMFC", &["H_264", "H_265", "AV1"], &["AAC", "AC3", "EAC3"]),
    container("MPD", &["H_264", "H_265", "AV1"], &["AAC", "AC3", "EAC3"]),
    container("MP4", &["H_264", "H_265", "AV1"], &["AAC", "AC3", "EAC3"]),
    container(
        "MOV",
        &["H_264", "H_265", "MPEG2", "PRORES"],
        &["AAC", "AC3", "EAC3", "MP2", "WAV", "AIFF"],
    ),
    container(
        "M2TS",
        &["H_264", "H_265", "MPEG2"],
        &["AAC", "AC3", "EAC3", "MP2"],
    ),
    container("WEBM", &["VP8", "VP9"], &["OPUS", "VORBIS"]),
    container("OGG", &[], &["OPUS", "VORBIS"]),
    container(
        "RAW",
        &[],
        &["AAC", "AC3", "EAC3", "MP2", "MP3", "WAV", "AIFF", "FLAC"],
    ),
];

const fn container(
    name: &'static str,
    video: &'static [&'static str],
    audio: &'static [&'static str],
) -> Container {
    Container { name, video, audio }
}

/// ffmpeg's muxer for a container, and its options.
pub(crate) fn muxer(
    output: &model::Output,
    group: &GroupKind,
    path: &str,
) -> Result<(&'static str, &'static str), Refusal> {
    let container = output.container_settings.container.as_deref().unwrap_or_default();
    let in_front = output.container_settings.mp4_settings.moov_placement.as_deref() != Some("NORMAL");
    carries(container, output, path)?;
    match (group, container) {
        (GroupKind::Hls(_), "M3U8") if output.video_description.is_none() => {
            if raw(output) != Some(("adts", "aac")) {
                let path = format!("{path}/audioDescriptions/0/codecSettings/codec");
                return Err(Refusal::setting(
                    path,
                    "the local engine packs AAC alone into audio outputs of HLS groups",
                ));
            }
            Ok(("adts", ""))
        }
        (GroupKind::Hls(_), "M3U8") => Ok(("hls", "")),
        (GroupKind::Fragments(group), "CMFC" | "MPD") if group.cmaf == (container == "CMFC") => {
            Ok(("dash", fragment_options(group)))
        }
        (GroupKind::File, "MP4") if in_front => Ok(("mp4", "movflags=+faststart")),
        (GroupKind::File, "MP4") => Ok(("mp4", "")),
        (GroupKind::File, "MOV") => Ok(("mov", "movflags=+faststart")),
        (GroupKind::File, "M2TS") => Ok(("mpegts", "")),
        (GroupKind::File, "WEBM") => Ok(("webm", "")),
        (GroupKind::File, "OGG") => Ok(("ogg", "")),
        (GroupKind::File, "RAW") if raw(output).is_some() => Ok((raw(output).unwrap_or_default().0, "")),
        _ => {
            let path = format!("{path}/containerSettings/container");
            Err(Refusal::setting(
                path,
                format!("the local engine cannot write {container} in this group"),
            ))
        }
    }
}

/// Options of the muxer that writes the segments; `\\` keeps the separator from the parser before the last.
const fn fragment_options(group: &FragmentGroup) -> &'static str {
    match (group.cmaf, group.signed_offsets) {
        (true, false) => "format_options=brand=cmfc",
        (true, true) => "format_options=brand=cmfc\\:movflags=+negative_cts_offsets",
        (false, false) => "",
        (false, true) => "format_options=movflags=+negative_cts_offsets",
    }
}

/// The muxer and the suffix of a file of audio alone.
fn raw(output: &model::Output) -> Option<(&'static str, &'static str)> {
    let description = output
        .audio_descriptions
        .first()
        .filter(|_| output.video_description.is_none())?;
    Some(Codec::of(&description.codec_settings, "").ok()?.raw)
}

/// Whether a muxer writes files of one track.
pub(crate) fn is_single(muxer: &str) -> bool {
    !matches!(muxer, "hls" | "mp4" | "mov" | "mpegts" | "webm" | "ogg")
}

/// Refuses a codec that the container does not carry.
fn carries(name: &str, output: &model::Output, path: &str) -> Result<(), Refusal> {
    let Some(container) = CONTAINERS.iter().find(|container| container.name == name) else {
        return Ok(());
    };
    let refuse =
        |path: String, codec: &str| Err(Refusal::setting(path, format!("{name} cannot carry {codec}")));
    if let Some(video) = &output.video_description
        && !container.video.contains(&video.codec())
    {
        return refuse(
            format!("{path}/videoDescription/codecSettings/codec"),
            video.codec(),
        );
    }
    for (index, audio) in output.audio_descriptions.iter().enumerate() {
        let codec = audio.codec_settings.codec.as_deref().unwrap_or_default();
        if !container.audio.contains(&codec) {
            return refuse(
                format!("{path}/audioDescriptions/{index}/codecSettings/codec"),
                codec,
            );
        }
    }
    Ok(())
}

pub(crate) fn default_extension(output: &model::Output, group: &GroupKind) -> &'static str {
    match output.container_settings.container.as_deref() {
        _ if matches!(group, GroupKind::Hls(_)) => "m3u8",
        // Of a CMAF group with both manifests, `$ex$` is not documented.
        _ if matches!(group, GroupKind::Fragments(_)) => "mpd",
        Some("MOV") => "mov",
        Some("M2TS") => "m2ts",
        Some("WEBM") => "webm",
        Some("OGG") => "ogg",
        Some("RAW") => raw(output).map_or("jpg", |(_, suffix)| suffix),
        _ => "mp4",
    }
}

/// Two outputs of one name would overwrite each other.
pub(crate) fn unique_names(outputs: &[Output], path: &str) -> Result<(), Refusal> {
    for (index, output) in outputs.iter().enumerate() {
        let same = |other: &Output| {
            other.name_modifier == output.name_modifier && other.extension == output.extension
        };
        if outputs[..index].iter().any(same) {
            let path = format!("{path}/outputs/{index}/nameModifier");
            return Err(Refusal::setting(path, "must be unique in its output group"));
        }
    }
    Ok(())
}
