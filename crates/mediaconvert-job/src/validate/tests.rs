use serde_json::{Value, json};

use super::*;

mod levels;
mod special;

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
            json!({"audioDescriptions": [{"audioNormalizationSettings": {"targetLkfs": 0.5}}]}),
            "/outputGroups/0/outputs/0/audioDescriptions/0/audioNormalizationSettings/targetLkfs: Should be less than or equal to 0".to_owned(),
        ),
        (
            "/outputGroups/0/outputGroupSettings/hlsGroupSettings",
            json!({"destination": "x"}),
            "/outputGroups/0/outputGroupSettings/hlsGroupSettings/destination: Should match the pattern: /^s3:///".to_owned(),
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
fn several_faults_of_the_model_are_joined() {
    let expected = format!(
        "{VIDEO}/height: Should be greater than or equal to 32 | {VIDEO}/width: Should be less than or equal to 8192"
    );
    assert_eq!(after(VIDEO, &json!({"width": 9000, "height": 2})), expected);
}

const DEPENDENCY: &str = "Should match all dependencies: See other errors for more details";
const INCOMPATIBLE: &str = "Your job contains values for the following settings that are incompatible: Rate control mode, Bitrate, and Max bitrate. Adjust your settings and resubmit your job. Some valid combinations of settings are these: Set Rate control mode to QVBR, specify a value for Max bitrate, and don't specify a value for Bitrate. Or, set Rate control mode to CBR, specify a value for Bitrate, and don't specify a value for Max bitrate.";
const CBR: &str = "You set Rate control mode to CBR but the settings values for Bitrate and Max bitrate aren't compatible with CBR. When you use CBR, you must specify a value for Bitrate and you must not specify a value for Max bitrate. Adjust your job settings and then resubmit your job.";

#[test]
fn members_that_are_required_or_belong_together() {
    let codecs = format!("{VIDEO}/codecSettings");
    let output = "/outputGroups/0/outputs/0";
    let sound = format!("{output}/audioDescriptions/0/codecSettings");
    let captions = format!("{output}/captionDescriptions/0");
    let burnin = format!("{captions}/destinationSettings");
    let group = "/outputGroups/0/outputGroupSettings";
    let fonts = "You specified one or more custom font files in your output captions, but did not specify all required types: regular, bold, italic, and bold italic. To resolve: Specify each required custom font file type, or remove all custom font files. Then resubmit your job.";
    for (path, changes, expected) in [
        (AAC, json!({"sampleRate": null}), format!("{AAC}: sampleRate is a required property")),
        // The first that is missing, in this order.
        (AAC, json!({"codingMode": null, "sampleRate": null}), format!("{AAC}: codingMode is a required property")),
        (AAC, json!({"bitrate": null}), format!("{AAC}: bitrate is a required property")),
        (AAC, json!({"bitrate": null, "rateControlMode": "VBR"}), String::new()),
        (sound.as_str(), json!({"codec": null}), format!("{sound}: codec is a required property")),
        (sound.as_str(), json!({"ac3Settings": {}}), format!("{sound}: Should have at most 2 properties")),
        (sound.as_str(), json!({"codec": "AC3"}), format!("{sound}/aacSettings: {DEPENDENCY} | {sound}/codec: Must be AAC")),
        (VIDEO, json!({"width": 641}), format!("{VIDEO}/width: Should be a multiple of 2")),
        (VIDEO, json!({"position": {"x": 1, "y": 0, "width": 64, "height": 64}}), format!("{VIDEO}/position/x: Should be a multiple of 2")),
        (H264, json!({"parDenominator": null}), format!("{H264}: parDenominator is a required property")),
        (H264, json!({"framerateControl": "SPECIFIED", "framerateNumerator": 24}), format!("{H264}: framerateDenominator is a required property")),
        (codecs.as_str(), json!({"h265Settings": {}}), format!("{codecs}/h265Settings: {DEPENDENCY} | {codecs}/codec: Must be H_265")),
        (codecs.as_str(), json!({"codec": "H_265"}), format!("{codecs}/h264Settings: {DEPENDENCY} | {codecs}/codec: Must be H_264")),
        (codecs.as_str(), json!({"codec": null}), format!("{codecs}: codec is a required property")),
        (VIDEO, json!({"videoPreprocessors": {"imageInserter": {"insertableImages": [{"imageX": 0}]}}}),
            format!("{VIDEO}/videoPreprocessors/imageInserter/insertableImages/0: imageY is a required property")),
        (output, json!({"containerSettings": null}), format!("{output}: containerSettings is a required property")),
        (output, json!({"containerSettings": {}}), format!("{output}/containerSettings: container is a required property")),
        (output, json!({"videoDescription": null, "audioDescriptions": null}), format!("{output}: videoDescription is a required property")),
        ("/outputGroups/0/outputs/1", json!({"nameModifier": null}), "/outputGroups/0/outputs/1: nameModifier is a required property".to_owned()),
        // AWS accepts such a job and fails it.
        ("/outputGroups/0/outputs/1", json!({"nameModifier": "_360"}), String::new()),
        (
            "/outputGroups/0/outputs/1/containerSettings",
            json!({"container": "MP4"}),
            r#"/outputGroups/0/outputs/1/containerSettings/container: Should be equal to one of the allowed values in ["M3U8","RAW"]"#.to_owned(),
        ),
        ("/outputGroups/1/outputs/0/containerSettings", json!({"mp4Settings": {"cttsVersion": 1}}),
            format!("/outputGroups/1/outputs/0/containerSettings/mp4Settings/cttsVersion: {DEPENDENCY} | /outputGroups/1/outputs/0/containerSettings/mp4Settings/cslgAtom: Must be INCLUDE")),
        (output, json!({"captionDescriptions": [{}]}), format!("{captions}: captionSelectorName is a required property")),
        (output, json!({"captionDescriptions": [{"destinationSettings": {"destinationType": "WEBVTT", "burninDestinationSettings": {}}}]}),
            format!("{burnin}/burninDestinationSettings: {DEPENDENCY} | {burnin}/destinationType: Must be BURN_IN")),
        (output, json!({"captionDescriptions": [{"captionSelectorName": "c", "destinationSettings": {"destinationType": "BURN_IN",
            "burninDestinationSettings": {"fontFileRegular": "s3://b/a.ttf"}}}]}), format!("{burnin}/burninDestinationSettings: {fonts}")),
        (format!("{group}/hlsGroupSettings").as_str(), json!({"destination": null}), format!("{group}/hlsGroupSettings: destination is a required property")),
        (format!("{group}/hlsGroupSettings").as_str(), json!({"minSegmentLength": null}), format!("{group}/hlsGroupSettings: minSegmentLength is a required property")),
        (group, json!({"type": "DASH_ISO_GROUP_SETTINGS", "dashIsoGroupSettings": {"mpdProfile": "ON_DEMAND_PROFILE"}}),
            format!("{group}/dashIsoGroupSettings/mpdProfile: {DEPENDENCY} | {group}/dashIsoGroupSettings/segmentControl: Must be SINGLE_FILE")),
        (group, json!({"type": "DASH_ISO_GROUP_SETTINGS", "dashIsoGroupSettings": {}}), format!("{group}/dashIsoGroupSettings: fragmentLength is a required property")),
        (group, json!({"type": null}), format!("{group}: type is a required property")),
        ("/outputGroups/1", json!({"outputs": []}), "/outputGroups/1/outputs: Should have at least 1 items".to_owned()),
        ("/inputs/0", json!({"fileInput": null}), "/inputs/0: fileInput is a required property".to_owned()),
        ("/inputs/0", json!({"imageInserter": {"insertableImages": [{}]}}), "/inputs/0/imageInserter/insertableImages/0: imageX is a required property".to_owned()),
        ("", json!({"inputs": null, "outputGroups": []}), "/: inputs is a required property".to_owned()),
    ] {
        assert_eq!(after(path, &changes), expected, "{path} {changes}");
    }
}

#[test]
fn rates_that_go_together() {
    let profiles = r#"Should be equal to one of the allowed values in ["HIGH","HIGH_10BIT","HIGH_422","HIGH_422_10BIT","MAIN"]"#;
    let baseline = |last: &str| {
        format!(
            "{H264}/codecProfile: {DEPENDENCY} | {H264}: Should match exactly one schema defined in \"oneOf\" | {H264}{last} | {H264}/codecProfile: {profiles}"
        )
    };
    let frames = "numberBFramesBetweenReferenceFrames";
    for (path, changes, expected) in [
        (
            H264,
            json!({"bitrate": null, "maxBitrate": null, "rateControlMode": null}),
            format!("{H264}: {INCOMPATIBLE}"),
        ),
        (
            H264,
            json!({"bitrate": null, "rateControlMode": "VBR"}),
            format!("{H264}: bitrate is a required property"),
        ),
        (
            H264,
            json!({"rateControlMode": "QVBR"}),
            format!("{H264}: {INCOMPATIBLE}"),
        ),
        (H264, json!({"rateControlMode": "CBR"}), format!("{H264}: {CBR}")),
        (
            H264,
            json!({"rateControlMode": "CBR", "bitrate": null, "maxBitrate": null}),
            format!("{H264}: {CBR}"),
        ),
        (
            H264,
            json!({"rateControlMode": "CBR", "maxBitrate": null}),
            String::new(),
        ),
        (
            H264,
            json!({"rateControlMode": "QVBR", "bitrate": null}),
            String::new(),
        ),
        (
            H264,
            json!({"rateControlMode": "QVBR", "bitrate": null, "maxBitrate": null}),
            format!("{H264}: maxBitrate is a required property"),
        ),
        (
            H264,
            json!({"maxBitrate": 1000}),
            format!("{H264}: {INCOMPATIBLE}"),
        ),
        (
            H264,
            json!({"qvbrSettings": {"qvbrQualityLevel": 7}}),
            format!("{H264}/rateControlMode: Must be QVBR"),
        ),
        (
            H264,
            json!({"codecProfile": "BASELINE", "entropyEncoding": null}),
            baseline(": entropyEncoding is a required property"),
        ),
        (
            H264,
            json!({"codecProfile": "BASELINE", "entropyEncoding": "CABAC"}),
            baseline("/entropyEncoding: Must be CAVLC"),
        ),
        (
            H264,
            json!({"codecProfile": "BASELINE", "entropyEncoding": "CAVLC", frames: null}),
            format!("{H264}: {frames} is a required property"),
        ),
        (
            H264,
            json!({"codecProfile": "BASELINE", "entropyEncoding": "CAVLC", frames: 1}),
            format!("{H264}/{frames}: Should be less than or equal to 0"),
        ),
        (
            H264,
            json!({"codecProfile": "BASELINE", "entropyEncoding": "CAVLC", frames: 0}),
            String::new(),
        ),
    ] {
        assert_eq!(after(path, &changes), expected, "{path} {changes}");
    }
}

#[test]
fn bitrates_of_audio() {
    let eac3 = "/outputGroups/0/outputs/0/audioDescriptions/0/codecSettings";
    let aac = |rate: u32, range: &str| {
        format!(
            "{AAC}/bitrate: You specified a value for Bitrate that is not valid with the combination of Profile LC, Coding mode CODING_MODE_2_0, and Sample rate {rate} you selected. Specify a bitrate in the range of {range}, and resubmit your job For a list of supported bitrates, see: https://docs.aws.amazon.com/mediaconvert/latest/ug/aac-support.html"
        )
    };
    for (path, changes, expected) in [
        (AAC, json!({"bitrate": 48_000}), aac(48_000, "64000-576000")),
        (
            AAC,
            json!({"bitrate": 576_000, "sampleRate": 44_100}),
            aac(44_100, "64000-512000"),
        ),
        (AAC, json!({"bitrate": 100_000}), aac(48_000, "64000-576000")),
        (
            eac3,
            json!({"codec": "EAC3", "aacSettings": null, "eac3Settings": {"bitrate": 96_000}}),
            format!(
                "{eac3}/eac3Settings/bitrate: You specified a Dolby Digital Plus audio bitrate that is outside the allowed values for the coding mode you selected. Specify a bitrate from 192000 up to 3024000, and resubmit your job."
            ),
        ),
        (
            eac3,
            json!({"codec": "EAC3", "aacSettings": null, "eac3Settings": {"bitrate": 96_000, "codingMode": "CODING_MODE_2_0"}}),
            String::new(),
        ),
        (
            eac3,
            json!({"codec": "MP2", "aacSettings": null}),
            format!(
                r#"{eac3}/codec: Should be equal to one of the allowed values in ["AAC","AC3","EAC3","MP3"]"#
            ),
        ),
        (eac3, json!({"codec": "OPUS", "aacSettings": null}), String::new()),
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
    let mut document = good();
    document["outputGroups"][2]["outputs"][0]["containerSettings"]["container"] = json!("MP4");
    assert_eq!(
        message(&settings(&document)),
        "/outputGroups/2/outputs/0/containerSettings/container: Must be RAW"
    );
}

#[test]
fn templates_and_presets_are_parts_of_a_job() {
    let mut part = good();
    part["inputs"][0]["fileInput"] = Value::Null;
    part["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["destination"] = Value::Null;
    assert_eq!(message(&template(&part)), "");
    assert_eq!(message(&template(&json!({}))), "");
    assert_eq!(
        message(&template(&good())),
        "/inputs/0/fileInput: Is not a property of InputTemplate"
    );
    let output = part["outputGroups"][0]["outputs"][0].clone();
    let mut settings = json!({"containerSettings": output["containerSettings"], "videoDescription": output["videoDescription"]});
    assert_eq!(message(&preset(&settings)), "");
    settings["videoDescription"]["codecSettings"]["h264Settings"]["bitrate"] = Value::Null;
    assert_eq!(
        message(&preset(&settings)),
        "/videoDescription/codecSettings/h264Settings: bitrate is a required property"
    );
    settings["videoDescription"] = Value::Null;
    assert_eq!(
        message(&preset(&settings)),
        "/: videoDescription is a required property"
    );
    settings["captionDescriptions"] = json!([{}]);
    assert_eq!(message(&preset(&settings)), "");
}

#[test]
fn a_check_lists_the_findings_of_all_stages() {
    let mut document = good();
    document["outputGroups"][0]["outputs"][0]["videoDescription"]["width"] = json!("wide");
    document["outputGroups"][1]["outputs"] = json!([]);
    document["outputGroups"][0]["outputs"][1]["videoDescription"]["codecSettings"]["h264Settings"]["bitrate"] =
        Value::Null;
    let found: Vec<String> = all(&document)
        .into_iter()
        .map(|violation| violation.path)
        .collect();
    for path in [
        "/outputGroups/0/outputs/0/videoDescription/width",
        "/outputGroups/1/outputs",
        "/outputGroups/0/outputs/1/videoDescription/codecSettings/h264Settings",
    ] {
        assert!(found.iter().any(|known| known == path), "{path}: {found:?}");
    }
    assert_eq!(settings(&document).len(), 1);
}

#[test]
fn outputs_with_one_name_fail_later() {
    let mut document = good();
    assert_eq!(message(&run_time(&document)), "");
    document["outputGroups"][0]["outputs"][1]["nameModifier"] =
        document["outputGroups"][0]["outputs"][0]["nameModifier"].clone();
    let expected = "/outputGroups/0/outputs/1/nameModifier: Duplicate output paths [s3://vod/x/video_360] found in input job.";
    assert_eq!(message(&run_time(&document)), expected);
}

#[test]
fn bodies_of_requests() {
    assert_eq!(
        message(&request(
            &json!({"name": "q", "status": "STOPPED", "concurrentJobs": "1"}),
            "CreateQueueRequest"
        )),
        r#"/concurrentJobs: Should be integer | /status: Should be equal to one of the allowed values in ["ACTIVE","PAUSED"]"#
    );
}
