//! AV1 settings as SVT-AV1's options.

use mediaconvert_job::model::EncoderSettings;

use super::h264::{Encoder, decimal};
use crate::plan::Refusal;
use crate::plan::streaming::Cuts;
use crate::probe::Ratio;

/// Options for one output. `path` is that of the settings; `cuts` are the group's, where it is segmented.
///
/// The encoder takes no keyframes at given times, only a number of pictures: segments are whole GOPs.
pub(crate) fn encoder(
    settings: &EncoderSettings,
    rate: Ratio,
    cuts: Option<Cuts>,
    path: &str,
) -> Result<Encoder, Refusal> {
    let cap = settings
        .max_bitrate
        .ok_or_else(|| Refusal::setting(path, "maxBitrate is a required property"))?;
    let pixels = match settings.bit_depth.as_deref() {
        Some("BIT_10") => "yuv420p10le",
        _ => "yuv420p",
    };
    let level = f64::from(settings.qvbr_settings.qvbr_quality_level.unwrap_or(7))
        + settings.qvbr_settings.qvbr_quality_level_fine_tune.unwrap_or(0.0);
    let quality = (35.0 + (7.0 - level) * 4.0).round().clamp(10.0, 60.0);
    // In pictures unless the job says otherwise; MediaConvert has no default for AV1.
    let unit = match settings.gop_size_units.as_deref() {
        Some("SECONDS") => rate.as_f64(),
        _ => 1.0,
    };
    let size = settings.gop_size.map(|size| size * unit);
    let pictures = size
        .filter(|size| *size >= 1.0)
        .unwrap_or(2.0 * rate.as_f64())
        .round();
    let gop = pictures / rate.as_f64();
    let mut own = format!("mbr={}", cap.div_ceil(1000));
    if settings.film_grain_synthesis.as_deref() == Some("ENABLED") {
        own.push_str(":film-grain=8");
    }
    let options = vec![
        ("c", "libsvtav1".to_owned()),
        ("preset", "10".to_owned()),
        ("pix_fmt", pixels.to_owned()),
        ("crf", decimal(quality)),
        ("g", decimal(pictures)),
        ("svtav1-params", own),
    ];
    Ok(Encoder {
        options,
        segment_seconds: cuts.map(|cuts| (cuts.length / gop - 1e-6).ceil().max(1.0) * gop),
    })
}
