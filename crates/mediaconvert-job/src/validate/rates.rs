//! Rate control of video: which of mode, bitrate and maximum go together. The texts are those of logged jobs.

use serde_json::Value;

use super::places::{Output, Place};
use super::{Finding, Violation, required};

const INCOMPATIBLE: &str = "Your job contains values for the following settings that are incompatible: Rate control mode, \
    Bitrate, and Max bitrate. Adjust your settings and resubmit your job. Some valid combinations of settings are these: Set \
    Rate control mode to QVBR, specify a value for Max bitrate, and don't specify a value for Bitrate. Or, set Rate control \
    mode to CBR, specify a value for Bitrate, and don't specify a value for Max bitrate.";
const CBR: &str = "You set Rate control mode to CBR but the settings values for Bitrate and Max bitrate aren't compatible \
    with CBR. When you use CBR, you must specify a value for Bitrate and you must not specify a value for Max bitrate. Adjust \
    your job settings and then resubmit your job.";

pub(super) fn check(output: &Output<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    // The example of the user guide, "Example job settings", has QVBR without a maximum there.
    if output.is_automated {
        return found;
    }
    let codecs = output.places("videoDescription/codecSettings/*").into_iter();
    for place in codecs {
        let codec = place.path.rsplit('/').next().unwrap_or_default();
        let violation = match codec {
            "h264Settings" => h264(&place).or_else(|| baseline(&place)),
            "h265Settings" => named_mode(&place),
            _ => None,
        };
        found.extend(violation);
    }
    found
}

fn h264(place: &Place<'_>) -> Option<Finding> {
    let number = |member: &str| place.value[member].as_i64();
    let incompatible = || Some(vec![Violation::new(place.path.as_str(), INCOMPATIBLE)]);
    match (
        place.value["rateControlMode"].as_str(),
        number("bitrate"),
        number("maxBitrate"),
    ) {
        (None, None, _) => incompatible(),
        (_, Some(average), Some(greatest)) if greatest < average => incompatible(),
        _ => named_mode(place),
    }
}

/// Settings that name their mode. API reference: `bitrate` is "Required for VBR and CBR", `maxBitrate` is "Required when Rate
/// control mode is QVBR", `qvbrSettings` only "when you set QVBR for Rate control mode".
fn named_mode(place: &Place<'_>) -> Option<Finding> {
    let absent = |member: &str| place.value[member].is_null();
    let at_codec = |message: String| Some(vec![Violation::new(place.path.as_str(), message)]);
    let mode = place.value["rateControlMode"].as_str();
    match mode {
        Some("CBR") if absent("bitrate") || !absent("maxBitrate") => at_codec(CBR.to_owned()),
        Some("QVBR") if absent("maxBitrate") => at_codec(required("maxBitrate")),
        Some("QVBR") if !absent("bitrate") => at_codec(INCOMPATIBLE.to_owned()),
        Some("VBR") if absent("bitrate") => at_codec(required("bitrate")),
        mode if mode != Some("QVBR") && place.value["qvbrSettings"].is_object() => {
            let path = format!("{}/rateControlMode", place.path);
            Some(vec![Violation::new(path, "Must be QVBR")])
        }
        _ => None,
    }
}

/// BASELINE has neither CABAC nor B-frames, and the API wants both to be spelled out (63 logged jobs).
fn baseline(place: &Place<'_>) -> Option<Finding> {
    let (settings, path) = (place.value, place.path.as_str());
    if settings["codecProfile"] != "BASELINE" {
        return None;
    }
    let with_profile = |last: Violation| {
        let profile = format!("{path}/codecProfile");
        vec![
            Violation::new(
                profile.as_str(),
                "Should match all dependencies: See other errors for more details",
            ),
            Violation::new(path, "Should match exactly one schema defined in \"oneOf\""),
            last,
            Violation::new(
                profile.as_str(),
                super::not_among(["HIGH", "HIGH_10BIT", "HIGH_422", "HIGH_422_10BIT", "MAIN"].into_iter()),
            ),
        ]
    };
    match &settings["entropyEncoding"] {
        Value::String(mode) if mode == "CAVLC" => {}
        Value::Null => return Some(with_profile(Violation::new(path, required("entropyEncoding")))),
        _ => {
            let last = Violation::new(format!("{path}/entropyEncoding"), "Must be CAVLC");
            return Some(with_profile(last));
        }
    }
    let frames = "numberBFramesBetweenReferenceFrames";
    match settings[frames].as_i64() {
        None => Some(vec![Violation::new(path, required(frames))]),
        Some(1..) => {
            let path = format!("{path}/{frames}");
            Some(vec![Violation::new(path, "Should be less than or equal to 0")])
        }
        Some(_) => None,
    }
}
