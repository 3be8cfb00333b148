//! H.265 settings as libx265's options (<https://x265.readthedocs.io/en/master/cli.html>).

use std::fmt::Write as _;

use mediaconvert_job::model::EncoderSettings;

use super::h264::{self, Cadence, Encoder, decimal};
use crate::plan::Refusal;
use crate::plan::streaming::Cuts;
use crate::probe::{Mastering, Ratio};

/// Options for one output. `path` is that of the settings; `cuts` are the group's, where it is segmented.
pub(crate) fn encoder(
    settings: &EncoderSettings,
    rate: Ratio,
    cuts: Option<Cuts>,
    path: &str,
) -> Result<Encoder, Refusal> {
    let profile = settings.codec_profile.as_deref().unwrap_or("MAIN_MAIN");
    let (profile, tier) = profile.rsplit_once('_').unwrap_or((profile, "MAIN"));
    // x265 knows no name for 4:2:2 in 8 bits: the pixel format decides.
    let (pixels, profile) = match profile {
        "MAIN10" => ("yuv420p10le", Some("main10")),
        "MAIN_422_8BIT" => ("yuv422p", None),
        "MAIN_422_10BIT" => ("yuv422p10le", Some("main422-10")),
        _ => ("yuv420p", Some("main")),
    };
    let mut options: Vec<(&'static str, String)> = vec![
        ("c", "libx265".to_owned()),
        (
            "preset",
            preset(settings.quality_tuning_level.as_deref()).to_owned(),
        ),
        ("pix_fmt", pixels.to_owned()),
    ];
    options.extend(profile.map(|profile| ("profile", profile.to_owned())));
    let tag = match settings.write_mp4_packaging_type.as_deref() {
        Some("HVC1") => "hvc1",
        _ => "hev1",
    };
    options.push(("tag", tag.to_owned()));
    let mut own = vec!["log-level=none".to_owned(), "open-gop=0".to_owned()];
    if let Some(level) = settings.codec_level.as_deref().filter(|level| *level != "AUTO") {
        let level = level.trim_start_matches("LEVEL_").replace('_', ".");
        let high = u32::from(tier == "HIGH");
        own.push(format!("level-idc={level}:high-tier={high}"));
    }
    // As with H.264, a level of quality is one and a half steps of the encoder, whose scale begins elsewhere.
    h264::rate_control(settings, 25.0, path, &mut options)?;
    if settings.rate_control_mode.as_deref() == Some("CBR") {
        own.push("hrd=1:strict-cbr=1".to_owned());
    }
    let cadence = Cadence::new(settings, rate, cuts);
    cadence.force(&mut options);
    options.push(("forced-idr", "1".to_owned()));
    own.push(format!(
        "keyint={}:min-keyint=1:scenecut=0",
        decimal(cadence.frames(rate) * 2.0)
    ));
    own.extend(structure(settings));
    options.push(("x265-params", own.join(":")));
    Ok(Encoder {
        options,
        segment_seconds: cadence.segment_seconds,
    })
}

/// Adds HDR10 metadata to the options of an encode.
pub(crate) fn describe(options: &mut [(&'static str, String)], metadata: &Mastering) {
    let Some((_, own)) = options.iter_mut().find(|(name, _)| *name == "x265-params") else {
        return;
    };
    let [green, blue, red, white] = metadata.primaries.map(|(x, y)| format!("({x},{y})"));
    let (brightest, darkest) = metadata.luminance;
    let (content, average) = metadata.light;
    let display = format!("G{green}B{blue}R{red}WP{white}L({brightest},{darkest})");
    // Writing to a String cannot fail.
    let _ = write!(own, ":hdr10=1:repeat-headers=1:master-display={display}");
    if content > 0 {
        let _ = write!(own, ":max-cll={content},{average}");
    }
}

/// One step quicker than x264's for the same level: x265 takes about four times as long.
fn preset(level: Option<&str>) -> &'static str {
    match level {
        Some("SINGLE_PASS") => "ultrafast",
        Some("MULTI_PASS_HQ") => "medium",
        _ => "veryfast",
    }
}

fn structure(settings: &EncoderSettings) -> Vec<String> {
    let mut own = Vec::new();
    let numbers = [
        ("bframes", settings.b_frames),
        ("ref", settings.number_reference_frames),
        ("slices", settings.slices),
    ];
    own.extend(
        numbers
            .iter()
            .filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))),
    );
    let is = |setting: &Option<String>, value: &str| setting.as_deref() == Some(value);
    let switches = [
        (is(&settings.sample_adaptive_offset_filter_mode, "OFF"), "sao=0"),
        (is(&settings.deblocking, "DISABLED"), "deblock=0"),
        (is(&settings.temporal_ids, "ENABLED"), "temporal-layers=1"),
        (is(&settings.tree_block_size, "TREE_SIZE_32X32"), "ctu=32"),
        (
            is(&settings.alternate_transfer_function_sei, "ENABLED"),
            "atc-sei=18",
        ),
        (is(&settings.adaptive_quantization, "OFF"), "aq-mode=0"),
    ];
    own.extend(
        switches
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, text)| (*text).to_owned()),
    );
    own
}
