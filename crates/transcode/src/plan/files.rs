//! Containers, suffixes and playlists: how outputs are written.

use mediaconvert_job::model::{self, HlsGroupSettings};

use crate::plan::{HlsGroup, Output, Refusal};

/// ffmpeg's muxer for a container, and its options.
pub(crate) fn muxer(
    output: &model::Output,
    hls: bool,
    path: &str,
) -> Result<(&'static str, &'static str), Refusal> {
    let container = output.container_settings.container.as_deref().unwrap_or_default();
    let in_front = output.container_settings.mp4_settings.moov_placement.as_deref() != Some("NORMAL");
    match (hls, container) {
        (true, "M3U8") => Ok(("hls", "")),
        (false, "MP4") if in_front => Ok(("mp4", "movflags=+faststart")),
        (false, "MP4") => Ok(("mp4", "")),
        (false, "MOV") => Ok(("mov", "movflags=+faststart")),
        (false, "M2TS") => Ok(("mpegts", "")),
        _ => {
            let path = format!("{path}/containerSettings/container");
            Err(Refusal::setting(
                path,
                format!("the local engine cannot write {container} in this group"),
            ))
        }
    }
}

pub(crate) fn default_extension(output: &model::Output, streaming: bool) -> &'static str {
    match output.container_settings.container.as_deref() {
        _ if streaming => "m3u8",
        Some("MOV") => "mov",
        Some("M2TS") => "m2ts",
        Some("RAW") => "jpg",
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

pub(crate) fn hls_group(settings: &HlsGroupSettings) -> HlsGroup {
    let is = |setting: &Option<String>, value: &str| setting.as_deref() == Some(value);
    HlsGroup {
        segment_seconds: f64::from(settings.segment_length.unwrap_or(10)),
        integer_durations: is(&settings.manifest_duration_format, "INTEGER"),
        legacy_target: !is(&settings.target_duration_compatibility_mode, "SPEC_COMPLIANT"),
        rfc_6381: is(&settings.codec_specification, "RFC_6381"),
        resolution: !is(&settings.stream_inf_resolution, "EXCLUDE"),
        client_cache: !is(&settings.client_cache, "DISABLED"),
    }
}
