//! Settings of the codecs that need few: VP8, VP9, MPEG-2 and `ProRes`.

use mediaconvert_job::model::EncoderSettings;

use super::h264::{Cadence, Encoder, decimal, rate_control};
use crate::plan::Refusal;
use crate::plan::interlace::is_interlaced;
use crate::plan::streaming::Cuts;
use crate::probe::Ratio;

type Options = Vec<(&'static str, String)>;

fn start(encoder: &str, pixels: &str) -> Options {
    vec![("c", encoder.to_owned()), ("pix_fmt", pixels.to_owned())]
}

pub(crate) fn vp8(
    settings: &EncoderSettings,
    rate: Ratio,
    cuts: Option<Cuts>,
    path: &str,
) -> Result<Encoder, Refusal> {
    vpx("libvpx", settings, rate, cuts, path)
}

pub(crate) fn vp9(
    settings: &EncoderSettings,
    rate: Ratio,
    cuts: Option<Cuts>,
    path: &str,
) -> Result<Encoder, Refusal> {
    let mut encoder = vpx("libvpx-vp9", settings, rate, cuts, path)?;
    encoder.options.push(("row-mt", "1".to_owned()));
    Ok(encoder)
}

/// Two passes.
fn vpx(
    name: &str,
    settings: &EncoderSettings,
    rate: Ratio,
    cuts: Option<Cuts>,
    path: &str,
) -> Result<Encoder, Refusal> {
    let mut options = start(name, "yuv420p");
    options.push(("deadline", "good".to_owned()));
    let effort = match settings.quality_tuning_level.as_deref() {
        Some("MULTI_PASS_HQ") => "2",
        _ => "5",
    };
    options.push(("cpu-used", effort.to_owned()));
    let bitrate = settings.bitrate.ok_or_else(|| missing("bitrate", path))?;
    let capped = EncoderSettings {
        // The documented default.
        max_bitrate: settings.max_bitrate.or(Some(bitrate * 2)),
        rate_control_mode: Some("VBR".to_owned()),
        ..settings.clone()
    };
    rate_control(&capped, 0.0, path, &mut options)?;
    let cadence = Cadence::new(settings, rate, cuts);
    cadence.force(&mut options);
    options.push(("g", decimal(cadence.frames(rate) * 2.0)));
    Ok(Encoder {
        options,
        segment_seconds: cadence.segment_seconds,
    })
}

pub(crate) fn mpeg2(
    settings: &EncoderSettings,
    rate: Ratio,
    cuts: Option<Cuts>,
    path: &str,
) -> Result<Encoder, Refusal> {
    let (profile, pixels) = match settings.codec_profile.as_deref() {
        Some("PROFILE_422") => ("0", "yuv422p"),
        _ => ("4", "yuv420p"),
    };
    let mut options = start("mpeg2video", pixels);
    options.push(("profile", profile.to_owned()));
    let levels = [("LOW", "10"), ("MAIN", "8"), ("HIGH1440", "6"), ("HIGH", "4")];
    let level = settings.codec_level.as_deref();
    let level = levels.iter().find(|(name, _)| level == Some(name));
    options.extend(level.map(|(_, level)| ("level", (*level).to_owned())));
    rate_control(settings, 0.0, path, &mut options)?;
    options.push(("bf", settings.b_frames.unwrap_or(2).to_string()));
    let pictures = match (settings.gop_size, settings.gop_size_units.as_deref()) {
        (Some(seconds), Some("SECONDS")) => seconds * rate.as_f64(),
        (Some(pictures), _) => pictures,
        // The documented default.
        (None, _) => 12.0,
    };
    options.push(("g", decimal(pictures.round().max(1.0))));
    // Closed GOPs whose distance nothing changes.
    options.push(("sc_threshold", "1000000000".to_owned()));
    // Otherwise a closed GOP ends before B-pictures that would not fit.
    options.push(("mpv_flags", "+strict_gop".to_owned()));
    let interlaced = is_interlaced(settings);
    let flags = if interlaced { "+cgop+ildct+ilme" } else { "+cgop" };
    options.push(("flags", flags.to_owned()));
    let precision = settings.intra_dc_precision.as_deref();
    let precision = precision.and_then(|name| name.strip_prefix("INTRA_DC_PRECISION_"));
    // The encoder counts from 8 bits on.
    options.extend(
        precision
            .and_then(|bits| bits.parse::<u32>().ok())
            .map(|bits| ("dc", bits.saturating_sub(8).to_string())),
    );
    Ok(Encoder {
        options,
        segment_seconds: cuts.map(|cuts| cuts.length),
    })
}

/// Every picture is a keyframe.
#[expect(clippy::unnecessary_wraps, reason = "the form of all codecs")]
pub(crate) fn prores(
    settings: &EncoderSettings,
    _: Ratio,
    cuts: Option<Cuts>,
    _: &str,
) -> Result<Encoder, Refusal> {
    let profiles = [
        ("APPLE_PRORES_422_PROXY", "0", "yuv422p10le"),
        ("APPLE_PRORES_422_LT", "1", "yuv422p10le"),
        ("APPLE_PRORES_422_HQ", "3", "yuv422p10le"),
        ("APPLE_PRORES_4444", "4", "yuv444p10le"),
        ("APPLE_PRORES_4444_XQ", "5", "yuv444p10le"),
    ];
    let named = settings.codec_profile.as_deref();
    let found = profiles.iter().find(|(name, ..)| named == Some(name));
    let (_, profile, pixels) = found.unwrap_or(&("APPLE_PRORES_422", "2", "yuv422p10le"));
    let mut options = start("prores_ks", pixels);
    options.push(("vendor", "apl0".to_owned()));
    options.push(("profile", (*profile).to_owned()));
    if is_interlaced(settings) {
        options.push(("flags", "+ildct".to_owned()));
    }
    Ok(Encoder {
        options,
        segment_seconds: cuts.map(|cuts| cuts.length),
    })
}

fn missing(name: &str, path: &str) -> Refusal {
    Refusal::setting(path, format!("{name} is a required property"))
}
