//! Changes each setting of the default template in turn: the plan must change with it.

use super::*;
use crate::support::Support;

/// For each member another value that the engine supports, and the settings beside it that make it matter.
#[rustfmt::skip]
#[expect(clippy::match_same_arms, reason = "a table by member")]
fn other_value(path: &str, member: &str) -> (Value, &'static [(&'static str, i64)]) {
    match member {
        "fileInput" => (json!("s3://vod/input/y.mp4"), &[]),
        "rotate" => (json!("DEGREE_0"), &[]),
        "destination" => (json!("s3://vod/elsewhere/video"), &[]),
        "segmentLength" => (json!(4), &[]),
        "segmentLengthControl" => (json!("GOP_MULTIPLE"), &[("segmentLength", 5)]),
        // Without clips it makes no difference.
        "timecodeSource" => (Value::Null, &[]),
        // Without images and a burn-in they make no difference.
        "source" if path.starts_with("/timecodeConfig") => (Value::Null, &[]),
        "dropFrameTimecode" => (Value::Null, &[]),
        "interlaceMode" => (json!("TOP_FIELD"), &[]),
        "segmentControl" => (json!("SINGLE_FILE"), &[]),
        "manifestDurationFormat" => (json!("INTEGER"), &[]),
        "targetDurationCompatibilityMode" => (json!("LEGACY"), &[]),
        "codecSpecification" => (json!("RFC_4281"), &[]),
        "streamInfResolution" => (json!("EXCLUDE"), &[]),
        "clientCache" => (json!("DISABLED"), &[]),
        "outputSelection" => (json!("SEGMENTS_ONLY"), &[]),
        "programDateTime" => (json!("INCLUDE"), &[]),
        "captionLanguageSetting" => (json!("NONE"), &[]),
        "iFrameOnlyManifest" => (json!("INCLUDE"), &[]),
        // Without dates in playlists it makes no difference.
        "source" => (Value::Null, &[]),
        "nameModifier" => (json!("_other"), &[]),
        "container" => (json!("MOV"), &[]),
        "moovPlacement" => (json!("NORMAL"), &[]),
        "width" | "height" => (json!(480), &[]),
        "scalingBehavior" => (json!("STRETCH_TO_OUTPUT"), &[]),
        "sharpness" => (json!(90), &[]),
        "rateControlMode" if path.contains("aacSettings") => (json!("VBR"), &[]),
        "rateControlMode" => (json!("CBR"), &[]),
        "bitrate" => (json!(96_000), &[]),
        "maxBitrate" => (json!(9_000_000), &[]),
        "hrdBufferSize" => (json!(1_000_000), &[]),
        "qualityTuningLevel" => (json!("SINGLE_PASS_HQ"), &[]),
        // HE-AAC is encoded as LC (another test has it).
        "codecProfile" if path.contains("aacSettings") => (Value::Null, &[]),
        "codecProfile" => (json!("BASELINE"), &[]),
        "codecLevel" => (json!("LEVEL_4"), &[]),
        "entropyEncoding" => (json!("CAVLC"), &[]),
        "gopSize" => (json!(3), &[]),
        "gopSizeUnits" => (json!("FRAMES"), &[]),
        "numberBFramesBetweenReferenceFrames" => (json!(1), &[]),
        "numberReferenceFrames" => (json!(1), &[]),
        "sceneChangeDetect" => (json!("DISABLED"), &[]),
        "framerateControl" => (json!("SPECIFIED"), &[("framerateNumerator", 24), ("framerateDenominator", 1)]),
        "framerateNumerator" => (json!(2), &[]),
        "framerateDenominator" => (json!(3), &[]),
        "maxCaptures" => (json!(3), &[]),
        "quality" => (json!(10), &[]),
        "parControl" => (json!("INITIALIZE_FROM_SOURCE"), &[]),
        "parNumerator" | "parDenominator" => (json!(2), &[]),
        "codingMode" => (json!("CODING_MODE_1_0"), &[]),
        "sampleRate" => (json!(44_100), &[]),
        "audioSourceName" => (json!("Other"), &[]),
        // The template names its one selector, so that the default does not matter (another test has it).
        "defaultSelection" => (Value::Null, &[]),
        other => panic!("the default template uses `{other}`; say here what else it can be"),
    }
}

/// The results of a plan: the command, the names and the playlists' form.
fn fingerprint(settings: &Value) -> String {
    let odd = VideoTrack {
        rotation: 90,
        sample_aspect: Ratio { num: 4, den: 3 },
        ..track()
    };
    let plan = planned(settings, &source(odd));
    format!("{}\n{:?}", command(&plan), plan.groups)
}

#[test]
fn every_supported_setting_of_the_default_template_changes_the_outputs() {
    let mut tried = 0;
    let mut template = default_settings();
    template["inputs"][0]["audioSelectors"]["Other"] = json!({"tracks": [2]});
    support::walk(&template, &mut String::new(), &mut |path, _| -> Result<(), ()> {
        let is_free = match support::of(path) {
            Some(Support::Supported) => !path.contains("/Other/"),
            Some(Support::Only(values)) => {
                values.len() > 1 && !path.ends_with("/codec") && !path.ends_with("Settings/type")
            }
            _ => false,
        };
        let (parent, member) = path.rsplit_once('/').expect("has a parent");
        // Captured frames have one container.
        let is_raw = template.pointer(path) == Some(&json!("RAW"));
        if !is_free || is_raw {
            return Ok(());
        }
        let (value, beside) = other_value(path, member);
        if value.is_null() {
            return Ok(());
        }
        let mut base = template.clone();
        for (name, value) in beside {
            set(&mut base, &format!("{parent}/{name}"), json!(value));
        }
        let mut changed = base.clone();
        // The container of HLS cannot change, but it can be wrong.
        if member == "container" && path.starts_with("/outputGroups/0") {
            set(&mut changed, path, value);
            assert!(plan(&changed, &source(track()), "").is_err(), "{path}");
            return Ok(());
        }
        set(&mut changed, path, value);
        // The default input name is used where the destination has no base name.
        if member == "fileInput" {
            for settings in [&mut base, &mut changed] {
                set(
                    settings,
                    "/outputGroups/1/outputGroupSettings/fileGroupSettings/destination",
                    json!("s3://vod/x/"),
                );
            }
        }
        assert_ne!(
            fingerprint(&base),
            fingerprint(&changed),
            "{path} makes no difference"
        );
        tried += 1;
        Ok(())
    })
    .expect("walks");
    assert!(tried > 80, "only {tried} settings were tried");
}
