//! Bitrates of audio codecs.

use super::places::{Output, Place};
use super::{Finding, Violation};

/// Bit rates that AAC can have at all, in bits per second (API reference, `AacSettings.bitrate`).
const AAC_BITRATES: [i64; 32] = [
    6_000, 8_000, 10_000, 12_000, 14_000, 16_000, 20_000, 24_000, 28_000, 32_000, 40_000, 48_000, 56_000,
    64_000, 80_000, 96_000, 112_000, 128_000, 160_000, 192_000, 224_000, 256_000, 288_000, 320_000, 384_000,
    448_000, 512_000, 576_000, 640_000, 768_000, 896_000, 1_024_000,
];

/// Least and greatest bitrate of AAC-LC in bit/s, by coding mode and sample rate in Hz (user guide, "Supported AAC settings":
/// <https://docs.aws.amazon.com/mediaconvert/latest/ug/aac-support.html>). For what is not in the table, only
/// [`AAC_BITRATES`] and the codec's own limit count, so that nothing valid is refused.
const AAC_LC: &[(&str, i64, i64, i64)] = &[
    ("CODING_MODE_1_0", 8_000, 8_000, 14_000),
    ("CODING_MODE_1_0", 12_000, 8_000, 14_000),
    ("CODING_MODE_1_0", 16_000, 8_000, 28_000),
    ("CODING_MODE_1_0", 22_050, 24_000, 28_000),
    ("CODING_MODE_1_0", 24_000, 24_000, 28_000),
    ("CODING_MODE_1_0", 32_000, 32_000, 192_000),
    ("CODING_MODE_1_0", 44_100, 56_000, 256_000),
    ("CODING_MODE_1_0", 48_000, 56_000, 288_000),
    ("CODING_MODE_1_0", 88_200, 288_000, 288_000),
    ("CODING_MODE_1_0", 96_000, 128_000, 288_000),
    ("CODING_MODE_2_0", 8_000, 16_000, 20_000),
    ("CODING_MODE_2_0", 12_000, 16_000, 20_000),
    ("CODING_MODE_2_0", 16_000, 16_000, 32_000),
    ("CODING_MODE_2_0", 22_050, 32_000, 32_000),
    ("CODING_MODE_2_0", 24_000, 32_000, 32_000),
    ("CODING_MODE_2_0", 32_000, 40_000, 384_000),
    ("CODING_MODE_2_0", 44_100, 64_000, 512_000),
    ("CODING_MODE_2_0", 48_000, 64_000, 576_000),
];

/// Least and greatest bitrate of E-AC-3 in bit/s (API reference and logged jobs).
const EAC3: &[(&str, i64, i64)] = &[
    ("CODING_MODE_1_0", 32_000, 3_024_000),
    ("CODING_MODE_2_0", 96_000, 3_024_000),
    ("CODING_MODE_3_2", 192_000, 3_024_000),
];

/// The same of AC-3 (API reference, `Ac3Settings.bitrate`).
const AC3: &[(&str, i64, i64)] = &[
    ("CODING_MODE_1_0", 64_000, 128_000),
    ("CODING_MODE_1_1", 128_000, 384_000),
    ("CODING_MODE_2_0", 128_000, 384_000),
    ("CODING_MODE_3_2_LFE", 384_000, 640_000),
];

pub(super) fn check(output: &Output<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for place in output.places("audioDescriptions/*/codecSettings/*") {
        let codec = place.path.rsplit('/').next().unwrap_or_default();
        found.extend(match codec {
            "aacSettings" => aac(&place),
            "ac3Settings" => dolby(&place, AC3, "Dolby Digital", None),
            "eac3Settings" => dolby(&place, EAC3, "Dolby Digital Plus", Some("CODING_MODE_3_2")),
            _ => None,
        });
    }
    found
}

fn aac(place: &Place<'_>) -> Option<Finding> {
    let settings = place.value;
    if settings["rateControlMode"] == "VBR" {
        return None;
    }
    let profile = settings["codecProfile"].as_str().unwrap_or("LC");
    let (bitrate, rate) = (settings["bitrate"].as_i64()?, settings["sampleRate"].as_i64()?);
    let mode = settings["codingMode"].as_str()?;
    let (least, greatest) = aac_range(profile, mode, rate)?;
    let is_valid = (least..=greatest).contains(&bitrate) && AAC_BITRATES.contains(&bitrate);
    let message = format!(
        "You specified a value for Bitrate that is not valid with the combination of Profile {profile}, Coding mode {mode}, \
         and Sample rate {rate} you selected. Specify a bitrate in the range of {least}-{greatest}, and resubmit your job For \
         a list of supported bitrates, see: https://docs.aws.amazon.com/mediaconvert/latest/ug/aac-support.html"
    );
    (!is_valid).then(|| vec![Violation::new(format!("{}/bitrate", place.path), message)])
}

fn aac_range(profile: &str, mode: &str, sample_rate: i64) -> Option<(i64, i64)> {
    if profile != "LC" {
        return None;
    }
    let row = AAC_LC.iter().find(|row| (row.0, row.1) == (mode, sample_rate));
    let channels = match mode {
        "CODING_MODE_1_0" | "AD_RECEIVER_MIX" => 1,
        "CODING_MODE_1_1" | "CODING_MODE_2_0" => 2,
        "CODING_MODE_5_1" => 5,
        _ => return None,
    };
    // The codec's own limit: 6144 bits in a frame of 1024 samples, for each channel.
    Some(row.map_or((AAC_BITRATES[0], 6 * sample_rate * channels), |row| {
        (row.2, row.3)
    }))
}

fn dolby(
    place: &Place<'_>,
    table: &[(&str, i64, i64)],
    name: &str,
    default_mode: Option<&str>,
) -> Option<Finding> {
    let mode = place.value["codingMode"].as_str().or(default_mode)?;
    let bitrate = place.value["bitrate"].as_i64()?;
    let (_, least, greatest) = table.iter().find(|row| row.0 == mode)?;
    let message = format!(
        "You specified a {name} audio bitrate that is outside the allowed values for the coding mode you selected. Specify a \
         bitrate from {least} up to {greatest}, and resubmit your job."
    );
    let fits = (*least..=*greatest).contains(&bitrate);
    (!fits).then(|| vec![Violation::new(format!("{}/bitrate", place.path), message)])
}
