//! Limits of codec levels: ITU-T H.264 table A-1 and ITU-T H.265 tables A.8 and A.9.
//!
//! The formulas fit all logged jobs: the width against the largest picture of any shape, then the bitrate, then the size of the
//! picture, then the rate of its macroblocks where the job has a frame rate.

use serde_json::Value;

use super::places::Output;
use super::{Document, Finding, Violation};

/// Name, macroblocks per second, macroblocks in a picture, bitrate in kbit/s.
const H264: &[(&str, i64, i64, i64)] = &[
    ("LEVEL_1", 1_485, 99, 64),
    ("LEVEL_1_1", 3_000, 396, 192),
    ("LEVEL_1_2", 6_000, 396, 384),
    ("LEVEL_1_3", 11_880, 396, 768),
    ("LEVEL_2", 11_880, 396, 2_000),
    ("LEVEL_2_1", 19_800, 792, 4_000),
    ("LEVEL_2_2", 20_250, 1_620, 4_000),
    ("LEVEL_3", 40_500, 1_620, 10_000),
    ("LEVEL_3_1", 108_000, 3_600, 14_000),
    ("LEVEL_3_2", 216_000, 5_120, 20_000),
    ("LEVEL_4", 245_760, 8_192, 20_000),
    ("LEVEL_4_1", 245_760, 8_192, 50_000),
    ("LEVEL_4_2", 522_240, 8_704, 50_000),
    ("LEVEL_5", 589_824, 22_080, 135_000),
    ("LEVEL_5_1", 983_040, 36_864, 240_000),
    ("LEVEL_5_2", 2_073_600, 36_864, 240_000),
];

/// Name, luma samples per second, luma samples in a picture, bitrate in kbit/s of the main and of the high tier. Where a level
/// has no high tier, the main tier's applies.
const H265: &[(&str, i64, i64, i64, i64)] = &[
    ("LEVEL_1", 552_960, 36_864, 128, 128),
    ("LEVEL_2", 3_686_400, 122_880, 1_500, 1_500),
    ("LEVEL_2_1", 7_372_800, 245_760, 3_000, 3_000),
    ("LEVEL_3", 16_588_800, 552_960, 6_000, 6_000),
    ("LEVEL_3_1", 33_177_600, 983_040, 10_000, 10_000),
    ("LEVEL_4", 66_846_720, 2_228_224, 12_000, 30_000),
    ("LEVEL_4_1", 133_693_440, 2_228_224, 20_000, 50_000),
    ("LEVEL_5", 267_386_880, 8_912_896, 25_000, 100_000),
    ("LEVEL_5_1", 534_773_760, 8_912_896, 40_000, 160_000),
    ("LEVEL_5_2", 1_069_547_520, 8_912_896, 60_000, 240_000),
    ("LEVEL_6", 1_069_547_520, 35_651_584, 60_000, 240_000),
    ("LEVEL_6_1", 2_139_095_040, 35_651_584, 120_000, 480_000),
    ("LEVEL_6_2", 4_278_190_080, 35_651_584, 240_000, 800_000),
];

/// The limits of an output's level, in blocks of `side` pixels.
struct Limits {
    /// Pixels on a side of a block: 16 in H.264; H.265 counts samples.
    side: i64,
    per_second: i64,
    per_picture: i64,
    /// bit/s.
    bitrate: i64,
}

pub(super) fn check(settings: &Value, document: Document) -> Vec<Finding> {
    let outputs = document.outputs(settings);
    outputs.iter().filter_map(output).collect()
}

fn output(output: &Output<'_>) -> Option<Finding> {
    let video = &output.value["videoDescription"];
    let codecs = &video["codecSettings"];
    let (member, limits) = match codecs["codec"].as_str()? {
        "H_264" => ("h264Settings", h264(&codecs["h264Settings"])?),
        "H_265" => ("h265Settings", h265(&codecs["h265Settings"])?),
        _ => return None,
    };
    let settings = &codecs[member];
    let path = format!("{}/videoDescription", output.path);
    let size = |side: &str| video[side].as_i64();
    let violation = shape(&limits, size("width"), size("height"), &path)
        .or_else(|| bitrate(&limits, settings, &format!("{path}/codecSettings/{member}")))
        .or_else(|| picture(&limits, size("width")?, size("height")?, rate(settings), &path))?;
    Some(vec![violation])
}

fn h264(settings: &Value) -> Option<Limits> {
    let level = settings["codecLevel"].as_str()?;
    let (_, per_second, per_picture, kilobits) = *H264.iter().find(|row| row.0 == level)?;
    // H.264 table A-2, `cpbBrNalFactor`.
    let factor = match settings["codecProfile"].as_str() {
        Some("HIGH") => 1500,
        Some("HIGH_10BIT") => 3600,
        Some("HIGH_422" | "HIGH_422_10BIT") => 4800,
        _ => 1200,
    };
    Some(Limits {
        side: 16,
        per_second,
        per_picture,
        bitrate: kilobits * factor,
    })
}

fn h265(settings: &Value) -> Option<Limits> {
    let level = settings["codecLevel"].as_str()?;
    let (_, per_second, per_picture, main, high) = *H265.iter().find(|row| row.0 == level)?;
    let profile = settings["codecProfile"].as_str().unwrap_or("MAIN_MAIN");
    // H.265 table A.10, `CpbNalFactor`.
    let factor = if profile.contains("422") { 1834 } else { 1100 };
    let kilobits = if profile.ends_with("_HIGH") { high } else { main };
    Some(Limits {
        side: 1,
        per_second,
        per_picture,
        bitrate: kilobits * factor,
    })
}

/// No side may be longer than √(8 · blocks in a picture).
fn shape(limits: &Limits, width: Option<i64>, height: Option<i64>, path: &str) -> Option<Violation> {
    let most = limits.side * (8 * limits.per_picture).isqrt();
    let sides = [("width", width), ("height", height)];
    let (side, _) = sides
        .into_iter()
        .find(|(_, pixels)| pixels.is_some_and(|pixels| pixels > most))?;
    Some(at_most(&format!("{path}/{side}"), most))
}

fn bitrate(limits: &Limits, settings: &Value, path: &str) -> Option<Violation> {
    ["maxBitrate", "bitrate"]
        .into_iter()
        .find(|member| {
            settings[*member]
                .as_i64()
                .is_some_and(|rate| rate > limits.bitrate)
        })
        .map(|member| at_most(&format!("{path}/{member}"), limits.bitrate))
}

/// The widest picture of this height, by its size and, with a frame rate, by its blocks per second.
fn picture(
    limits: &Limits,
    width: i64,
    height: i64,
    rate: Option<(i64, i64)>,
    path: &str,
) -> Option<Violation> {
    let rows = (height + limits.side - 1) / limits.side;
    let widest = |blocks: i64| limits.side * (blocks / rows.max(1));
    let by_size = widest(limits.per_picture);
    let by_rate = rate.map(|(numerator, denominator)| {
        let blocks = i128::from(limits.per_second) * i128::from(denominator) / i128::from(numerator.max(1));
        widest(i64::try_from(blocks).unwrap_or(i64::MAX))
    });
    [Some(by_size), by_rate]
        .into_iter()
        .flatten()
        .find(|most| width > *most)
        .map(|most| at_most(&format!("{path}/width"), most))
}

fn rate(settings: &Value) -> Option<(i64, i64)> {
    let member = |name: &str| settings[name].as_i64();
    (settings["framerateControl"] == "SPECIFIED")
        .then(|| Some((member("framerateNumerator")?, member("framerateDenominator")?)))?
}

fn at_most(path: &str, most: i64) -> Violation {
    Violation::new(path, format!("Should be less than or equal to {most}"))
}
