//! Rules that compare several settings or outputs.

use super::*;

/// The message after a change of the good job.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut document = good();
    change(&mut document);
    message(&settings(&document))
}

#[test]
fn frame_rates_that_other_settings_need() {
    let pal = json!({"slowPal": "ENABLED", "framerateControl": "SPECIFIED", "framerateNumerator": 25,
        "framerateDenominator": 1, "codecLevel": "AUTO"});
    assert_eq!(after(H264, &pal), "");
    let rate = json!({"slowPal": "ENABLED", "framerateControl": "SPECIFIED", "framerateNumerator": 30,
        "framerateDenominator": 1, "codecLevel": "AUTO"});
    let refused = format!("{H264}/slowPal: You must also set Framerate to 25");
    assert_eq!(after(H264, &rate), refused);
    assert_eq!(after(H264, &json!({"slowPal": "ENABLED"})), refused);
    let telecine = format!("{H264}/telecine: Hard telecine needs an interlaced output");
    assert_eq!(after(H264, &json!({"telecine": "HARD"})), telecine);
    let interlaced = json!({"telecine": "HARD", "interlaceMode": "TOP_FIELD"});
    assert_eq!(after(H264, &interlaced), "");
}

#[test]
fn an_average_bitrate_needs_several_passes() {
    let limit = json!({"qvbrSettings": {"maxAverageBitrate": 500_000}, "qualityTuningLevel": "SINGLE_PASS"});
    let expected = format!(
        "{H264}/qvbrSettings/maxAverageBitrate: Needs rateControlMode QVBR and qualityTuningLevel MULTI_PASS_HQ"
    );
    assert_eq!(after(H264, &limit), expected);
}

#[test]
fn active_formats_are_passed_through_where_they_are_signaled() {
    let expected = format!("{VIDEO}/respondToAfd: PASSTHROUGH needs another afdSignaling than NONE");
    assert_eq!(after(VIDEO, &json!({"respondToAfd": "PASSTHROUGH"})), expected);
    let signaled = json!({"respondToAfd": "PASSTHROUGH", "afdSignaling": "AUTO"});
    assert_eq!(after(VIDEO, &signaled), "");
}

#[test]
fn largest_pictures_of_codecs() {
    let size = |codec: &str, member: &str, settings: Value, width: i64, height: i64| {
        changed(|document| {
            let video = document.pointer_mut(VIDEO).expect("exists");
            video["codecSettings"] = json!({"codec": codec, member: settings});
            video["width"] = json!(width);
            video["height"] = json!(height);
        })
    };
    let h264 = json!({"rateControlMode": "QVBR", "maxBitrate": 1_000_000});
    let av1 = json!({"rateControlMode": "QVBR", "maxBitrate": 1_000_000, "gopSize": 60});
    for (width, height) in [(4096, 2160), (2160, 4096)] {
        assert_eq!(size("H_264", "h264Settings", h264.clone(), width, height), "");
    }
    let wide = format!("{VIDEO}/width: Should be less than or equal to 4096");
    assert_eq!(size("H_264", "h264Settings", h264.clone(), 4100, 2160), wide);
    let tall = format!("{VIDEO}/height: Should be less than or equal to 4096");
    assert_eq!(size("H_264", "h264Settings", h264, 2160, 4100), tall);
    let upright = size("AV1", "av1Settings", av1, 2160, 4096);
    assert!(
        upright.contains("/height: Should be less than or equal to 2160"),
        "{upright}"
    );
}

#[test]
fn layers_of_images_differ() {
    let image = |layer: i64| json!({"imageInserterInput": "s3://bucket/logo.png", "imageX": 0, "imageY": 0, "layer": layer});
    let with = |layers: [i64; 2]| {
        changed(|document| {
            document["inputs"][0]["imageInserter"] = json!({"insertableImages": layers.map(image)});
        })
    };
    assert_eq!(with([1, 2]), "");
    assert_eq!(
        with([1, 1]),
        "/inputs/0/imageInserter/insertableImages/1/layer: Should be unique"
    );
}

#[test]
fn sidecar_captions_need_a_video() {
    let text = changed(|document| {
        document["inputs"][0]["captionSelectors"] = json!({"C": {"sourceSettings": {"sourceType": "SRT",
            "fileSourceSettings": {"sourceFile": "s3://bucket/film.srt"}}}});
        document["outputGroups"] = json!([{"outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
            "fileGroupSettings": {"destination": "s3://b/x"}},
            "outputs": [{"containerSettings": {"container": "RAW"}, "captionDescriptions": [{"captionSelectorName": "C",
                "destinationSettings": {"destinationType": "SRT"}}]}]}]);
    });
    assert_eq!(
        text,
        "/outputGroups/0/outputs/0/captionDescriptions/0/destinationSettings/destinationType: \
         A job with sidecar captions needs at least one output with video"
    );
}

#[test]
fn automated_abr_has_one_video_and_sound_rules() {
    const ABR: &str = "/outputGroups/0/automatedEncodingSettings/abrSettings";
    let with = |settings: Value| {
        changed(|document| {
            document["outputGroups"][0]["automatedEncodingSettings"] = json!({"abrSettings": settings});
            let outputs = document["outputGroups"][0]["outputs"]
                .as_array_mut()
                .expect("a list");
            outputs.truncate(1);
        })
    };
    assert_eq!(with(json!({"maxRenditions": 5})), "");
    let no_rates = changed(|document| {
        let group = &mut document["outputGroups"][0];
        group["automatedEncodingSettings"] = json!({"abrSettings": {}});
        group["outputs"].as_array_mut().expect("a list").truncate(1);
        group["outputs"][0]["videoDescription"]["codecSettings"]["h264Settings"] =
            json!({"rateControlMode": "QVBR"});
    });
    assert_eq!(no_rates, "");
    let two = changed(|document| {
        document["outputGroups"][0]["automatedEncodingSettings"] = json!({"abrSettings": {}});
    });
    assert!(
        two.contains("/outputs/1/videoDescription: An output group with automated ABR has one"),
        "{two}"
    );
    let none = json!({"rules": [{"type": "MIN_TOP_RENDITION_SIZE"}]});
    let expected = format!("{ABR}/rules/0: minTopRenditionSize is a required property");
    assert_eq!(with(none), expected);
    let size = json!({"width": 640, "height": 360});
    let both = json!({"rules": [{"type": "ALLOWED_RENDITIONS", "allowedRenditions": [size]},
        {"type": "FORCE_INCLUDE_RENDITIONS", "forceIncludeRenditions": [size]}]});
    let expected = format!("{ABR}/rules: ALLOWED_RENDITIONS and FORCE_INCLUDE_RENDITIONS exclude each other");
    assert_eq!(with(both), expected);
}

#[test]
fn a_variable_in_a_name_may_tell_two_outputs_apart() {
    let names = |heights: [i64; 2]| {
        let output = |height: i64| {
            json!({"nameModifier": "_$h$p", "containerSettings": {"container": "MP4"},
                "videoDescription": {"height": height}})
        };
        run_time(&json!({"outputGroups": [{"outputs": heights.map(output)}]})).len()
    };
    assert_eq!((names([360, 720]), names([360, 360])), (0, 1));
}
