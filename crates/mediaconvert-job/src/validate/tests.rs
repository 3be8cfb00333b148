use serde_json::{Value, json};

use super::*;

fn message(violations: &[Violation]) -> String {
    let messages: Vec<String> = violations.iter().map(Violation::to_string).collect();
    messages.join(" | ")
}
use crate::Template;

/// The default template, as complete as the pipeline sends it.
fn good() -> Value {
    let template =
        Template::parse(include_bytes!("../../../../job-templates/default.json")).expect("is a template");
    let mut settings = template.settings;
    settings["inputs"][0]["fileInput"] = json!("s3://vod/input/x.mp4");
    for (group, member) in [
        (0, "hlsGroupSettings"),
        (1, "fileGroupSettings"),
        (2, "fileGroupSettings"),
    ] {
        settings["outputGroups"][group]["outputGroupSettings"][member]["destination"] =
            json!("s3://vod/x/video");
    }
    settings
}

const VIDEO: &str = "/outputGroups/0/outputs/0/videoDescription";
const H264: &str = "/outputGroups/0/outputs/0/videoDescription/codecSettings/h264Settings";
const AAC: &str = "/outputGroups/0/outputs/0/audioDescriptions/0/codecSettings/aacSettings";

/// The message after members of an object were set; null removes one.
fn after(path: &str, changes: &Value) -> String {
    let mut document = good();
    let object = document.pointer_mut(path).expect("exists");
    for (name, value) in changes.as_object().expect("is an object") {
        object[name] = value.clone();
    }
    message(&settings(&document))
}

#[test]
fn the_default_template_is_accepted() {
    assert_eq!(message(&settings(&good())), "");
}

#[test]
fn each_setting_by_itself() {
    for (path, changes, expected) in [
        (
            AAC,
            json!({"sampleRate": 7999}),
            format!("{AAC}/sampleRate: Should be greater than or equal to 8000"),
        ),
        (
            H264,
            json!({"numberBFramesBetweenReferenceFrames": 8}),
            format!("{H264}/numberBFramesBetweenReferenceFrames: Should be less than or equal to 7"),
        ),
        (
            H264,
            json!({"codecProfile": "EXTENDED"}),
            format!(
                r#"{H264}/codecProfile: Should be equal to one of the allowed values in ["BASELINE","HIGH","HIGH_10BIT","HIGH_422","HIGH_422_10BIT","MAIN"]"#
            ),
        ),
        (
            VIDEO,
            json!({"width": "640"}),
            format!("{VIDEO}/width: Should be integer"),
        ),
        (
            VIDEO,
            json!({"width": 640.5}),
            format!("{VIDEO}/width: Should be integer"),
        ),
        (
            VIDEO,
            json!({"widht": 640}),
            format!("{VIDEO}/widht: Is not a property of VideoDescription"),
        ),
        (
            "",
            json!({"outputGroups": {}}),
            "/outputGroups: Should be array".to_owned(),
        ),
        (
            "/outputGroups/0/outputs/0",
            json!({"nameModifier": ""}),
            "/outputGroups/0/outputs/0/nameModifier: Should NOT be shorter than 1 characters".to_owned(),
        ),
    ] {
        assert_eq!(after(path, &changes), expected, "{path} {changes}");
    }
}

#[test]
fn several_faults_are_told_at_once() {
    let expected = format!(
        "{VIDEO}/height: Should be greater than or equal to 32 | {VIDEO}/width: Should be less than or equal to 8192"
    );
    assert_eq!(after(VIDEO, &json!({"width": 9000, "height": 2})), expected);
}

#[test]
fn rules_between_settings() {
    let codecs = format!("{VIDEO}/codecSettings");
    let clash = "Your job contains values for the following settings that are incompatible: Rate control mode, Bitrate, and Max bitrate.";
    let hls = "/outputGroups/0/outputGroupSettings/hlsGroupSettings";
    for (path, changes, expected) in [
        (AAC, json!({"sampleRate": null}), format!("{AAC}: sampleRate is a required property")),
        (AAC, json!({"bitrate": null}), format!("{AAC}: bitrate is a required property")),
        (AAC, json!({"bitrate": null, "rateControlMode": "VBR"}), String::new()),
        (AAC, json!({"bitrate": 48_000}), format!("{AAC}/bitrate: You specified a value for Bitrate that is not valid with the combination of Profile LC, Coding mode CODING_MODE_2_0, and Sample rate 48000 you selected. Specify a bitrate in the range of 64000-576000")),
        (VIDEO, json!({"width": 641}), format!("{VIDEO}/width: Should be a multiple of 2")),
        (H264, json!({"bitrate": null}), format!("{H264}: bitrate is a required property")),
        (H264, json!({"rateControlMode": "QVBR"}), format!("{H264}: {clash}")),
        (H264, json!({"rateControlMode": "CBR"}), format!("{H264}: {clash}")),
        (H264, json!({"rateControlMode": "QVBR", "bitrate": null}), String::new()),
        (H264, json!({"rateControlMode": "QVBR", "bitrate": null, "maxBitrate": null}), format!("{H264}: maxBitrate is a required property")),
        (H264, json!({"maxBitrate": 1000}), format!("{H264}: {clash}")),
        (H264, json!({"parDenominator": null}), format!("{H264}: parDenominator is a required property")),
        (H264, json!({"framerateControl": "SPECIFIED", "framerateNumerator": 24}), format!("{H264}: framerateDenominator is a required property")),
        (
            codecs.as_str(),
            json!({"h265Settings": {}}),
            format!("{codecs}/h265Settings: Should match all dependencies: See other errors for more details | {codecs}/codec: Must be H_265"),
        ),
        (codecs.as_str(), json!({"codec": null}), format!("{codecs}: codec is a required property")),
        ("/outputGroups/0/outputs/1", json!({"nameModifier": null}), "/outputGroups/0/outputs/1: nameModifier is a required property".to_owned()),
        ("/outputGroups/0/outputs/1", json!({"nameModifier": "_360"}), "/outputGroups/0/outputs/1/nameModifier: Should be unique in its output group".to_owned()),
        (
            "/outputGroups/0/outputs/1/containerSettings",
            json!({"container": "MP4"}),
            r#"/outputGroups/0/outputs/1/containerSettings/container: Should be equal to one of the allowed values in ["M3U8"]"#.to_owned(),
        ),
        (hls, json!({"destination": null}), format!("{hls}: destination is a required property")),
        (hls, json!({"destination": "x"}), format!(r"{hls}/destination: Should match pattern ^s3:\/\/.*$")),
        ("/outputGroups/0/outputGroupSettings", json!({"type": null}), "/outputGroups/0/outputGroupSettings: type is a required property".to_owned()),
        ("/outputGroups/1", json!({"outputs": []}), "/outputGroups/1: outputs is a required property".to_owned()),
        ("/inputs/0", json!({"fileInput": null}), "/inputs/0: fileInput is a required property".to_owned()),
        ("", json!({"inputs": null, "outputGroups": []}), "/: inputs is a required property | /: outputGroups is a required property".to_owned()),
    ] {
        assert_eq!(after(path, &changes), expected, "{path} {changes}");
    }
}

#[test]
fn captured_frames_need_another_output() {
    let mut document = good();
    let capture = document["outputGroups"][2].clone();
    document["outputGroups"] = json!([capture]);
    assert_eq!(
        message(&settings(&document)),
        "/outputGroups: A job with frame capture outputs needs at least one other output"
    );
}
