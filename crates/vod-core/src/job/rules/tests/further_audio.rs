//! The rule `audio-tracks`.

use serde_json::{Value, json};

use super::super::{AUDIO_TRACKS, Rules, apply};
use crate::record::{Media, Track, TrackKind};

/// A source with audio in these languages; `""` is none, `"?"` a codec that nothing decodes.
fn film(languages: &[&str]) -> Media {
    let track = |language: &&str| Track {
        kind: TrackKind::Audio,
        language: Some((*language).to_owned()).filter(|language| !["", "?"].contains(&language.as_str())),
        readable: *language != "?",
    };
    Media {
        width: Some(64),
        height: Some(36),
        audio_tracks: u32::try_from(languages.len()).ok(),
        tracks: languages.iter().map(track).collect(),
        ..Media::default()
    }
}

/// The changes of the rule, each without its name.
fn run(settings: &mut Value, media: &Media) -> Vec<String> {
    let changes = apply(settings, media, Rules::all()).changes;
    let of_rule = changes.into_iter().filter(|change| change.rule == AUDIO_TRACKS);
    of_rule.map(|change| change.path).collect()
}

fn video() -> Value {
    json!({"width": 64, "height": 36, "codecSettings": {"codec": "H_264", "h264Settings":
        {"rateControlMode": "VBR", "bitrate": 100_000, "maxBitrate": 150_000}}})
}

fn aac() -> Value {
    json!({"codecSettings": {"codec": "AAC", "aacSettings":
        {"bitrate": 128_000, "codingMode": "CODING_MODE_2_0", "sampleRate": 48_000}}})
}

fn group(kind: &str, member: &str, outputs: &Value) -> Value {
    let mut settings = json!({"type": kind});
    settings[member] =
        json!({"segmentLength": 6, "fragmentLength": 2, "minSegmentLength": 0, "destination": "s3://b/x/"});
    if kind == "HLS_GROUP_SETTINGS" {
        settings[member].as_object_mut().unwrap().remove("fragmentLength");
    } else {
        settings[member]
            .as_object_mut()
            .unwrap()
            .remove("minSegmentLength");
    }
    json!({"outputGroupSettings": settings, "outputs": outputs})
}

fn hls(outputs: &Value) -> Value {
    group("HLS_GROUP_SETTINGS", "hlsGroupSettings", outputs)
}

fn muxed() -> Value {
    json!({"inputs": [{"fileInput": "s3://b/film.mkv", "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}}}],
        "outputGroups": [hls(&json!([
            {"nameModifier": "_a", "containerSettings": {"container": "M3U8"}, "videoDescription": video(), "audioDescriptions": [aac()]},
            {"nameModifier": "_b", "containerSettings": {"container": "M3U8"}, "videoDescription": video(), "audioDescriptions": [aac()]}]))]})
}

/// Audio track type, group, language, name and selector of an output's first audio.
fn facts(output: &Value, place: &str) -> [String; 5] {
    let place = output.pointer(place).unwrap_or(&Value::Null);
    let audio = &output["audioDescriptions"][0];
    [
        &place["audioTrackType"],
        &place["audioGroupId"],
        &audio["customLanguageCode"],
        &audio["streamName"],
        &audio["audioSourceName"],
    ]
    .map(|value| value.as_str().unwrap_or_default().to_owned())
}

#[test]
fn further_audio_tracks_are_renditions_and_audio_leaves_the_variants() {
    let mut settings = muxed();
    let changes = run(&mut settings, &film(&["eng", "ger", "?", ""]));
    let outputs = &settings["outputGroups"][0]["outputs"];
    for variant in [&outputs[0], &outputs[1]] {
        assert!(variant.get("audioDescriptions").is_none());
        assert_eq!(
            variant["outputSettings"]["hlsSettings"]["audioRenditionSets"],
            "audio_1"
        );
    }
    let names: Vec<_> = outputs
        .as_array()
        .unwrap()
        .iter()
        .map(|output| &output["nameModifier"])
        .collect();
    assert_eq!(names, ["_a", "_b", "_audio_1", "_audio_2", "_audio_4"]);
    let found: Vec<_> = (2..5)
        .map(|index| facts(&outputs[index], "/outputSettings/hlsSettings"))
        .collect();
    let further = "ALTERNATE_AUDIO_AUTO_SELECT";
    assert_eq!(
        found,
        [
            [
                "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT",
                "audio_1",
                "eng",
                "English",
                "Audio Selector 1"
            ],
            [further, "audio_1", "deu", "German", "Source Audio Track 2"],
            [further, "audio_1", "", "Audio 4", "Source Audio Track 4"],
        ]
    );
    assert_eq!(
        settings["inputs"][0]["audioSelectors"]["Source Audio Track 4"],
        json!({"defaultSelection": "NOT_DEFAULT", "selectorType": "TRACK", "tracks": [4]})
    );
    assert_eq!(
        changes,
        [
            "/outputGroups/0/outputs/0/audioDescriptions",
            "/outputGroups/0/outputs/1/audioDescriptions",
            "/outputGroups/0/outputs/2",
            "/outputGroups/0/outputs/3",
            "/outputGroups/0/outputs/4",
            "/inputs/0/audioSelectors/Source Audio Track 2",
            "/inputs/0/audioSelectors/Source Audio Track 4",
        ]
    );
    assert_eq!(mediaconvert_job::validate::all(&settings), []);
}

#[test]
fn renditions_of_a_group_get_others_beside_them() {
    let audio = |settings: Value| json!({"nameModifier": "_sound", "audioDescriptions": [aac()], "containerSettings": settings});
    let picture = |container: &str| json!({"nameModifier": "_v", "videoDescription": video(), "containerSettings": {"container": container}});
    let mut settings = json!({"outputGroups": [
        group("CMAF_GROUP_SETTINGS", "cmafGroupSettings", &json!([picture("CMFC"), audio(json!({"container": "CMFC"}))])),
        group("DASH_ISO_GROUP_SETTINGS", "dashIsoGroupSettings", &json!([picture("MPD"), audio(json!({"container": "MPD"}))])),
        group("CMAF_GROUP_SETTINGS", "cmafGroupSettings", &json!([
            picture("CMFC"),
            {"nameModifier": "_low", "audioDescriptions": [aac()], "containerSettings": {"container": "CMFC",
                "cmfcSettings": {"audioGroupId": "low", "audioTrackType": "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT"}}},
            {"nameModifier": "_high", "audioDescriptions": [aac()], "containerSettings": {"container": "CMFC",
                "cmfcSettings": {"audioGroupId": "high", "audioTrackType": "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT"}}}]))]});
    run(&mut settings, &film(&["fra", "fra"]));
    let groups = &settings["outputGroups"];
    let cmaf = "/containerSettings/cmfcSettings";
    let default = "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT";
    assert_eq!(
        facts(&groups[0]["outputs"][1], cmaf),
        [default, "audio_1", "fra", "French", "Audio Selector 1"]
    );
    let further = "ALTERNATE_AUDIO_AUTO_SELECT";
    let selector = "Source Audio Track 2";
    assert_eq!(
        facts(&groups[0]["outputs"][2], cmaf),
        [further, "audio_1", "fra", "French 2", selector]
    );
    assert_eq!(groups[0]["outputs"][2]["nameModifier"], "_sound_2");
    assert_eq!(
        facts(&groups[1]["outputs"][2], cmaf),
        ["", "", "fra", "French 2", selector]
    );
    assert_eq!(
        groups[1]["outputs"][2]["containerSettings"],
        json!({"container": "MPD"})
    );
    let added: Vec<_> = (3..5)
        .map(|index| facts(&groups[2]["outputs"][index], cmaf))
        .collect();
    assert_eq!([added[0][1].as_str(), added[1][1].as_str()], ["low", "high"]);
    settings["inputs"][0]["fileInput"] = json!("s3://b/film.mkv");
    assert_eq!(mediaconvert_job::validate::all(&settings), []);
}

#[test]
fn files_get_further_tracks_and_eight_at_most() {
    let file = |container: &str| {
        json!({"nameModifier": format!("_{container}"), "containerSettings": {"container": container},
        "videoDescription": video(), "audioDescriptions": [{"languageCode": "KOR", "codecSettings": aac()["codecSettings"]}]})
    };
    let mut settings = json!({"outputGroups": [{"outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
        "fileGroupSettings": {"destination": "s3://b/x/"}}, "outputs": [file("MP4"), file("WEBM")]}]});
    let changes = run(&mut settings, &film(&["kor"; 12]));
    let outputs = &settings["outputGroups"][0]["outputs"];
    let tracks = outputs[0]["audioDescriptions"].as_array().unwrap();
    assert_eq!((tracks.len(), changes.len()), (9, 16));
    // The language that the template gives stays.
    assert_eq!(tracks[0]["languageCode"], "KOR");
    assert!(tracks[0].get("customLanguageCode").is_none());
    assert!(tracks[1].get("languageCode").is_none());
    assert_eq!(
        (
            &tracks[8]["audioSourceName"],
            &tracks[8]["streamName"],
            &tracks[8]["customLanguageCode"]
        ),
        (&json!("Source Audio Track 9"), &json!("Korean 9"), &json!("kor"))
    );
    assert_eq!(outputs[1]["audioDescriptions"].as_array().unwrap().len(), 1);
}

#[test]
fn what_the_template_or_the_owner_decides_stays() {
    let two = film(&["eng", "deu"]);
    let untouched = |settings: &Value, media: &Media, rules: Rules| {
        let mut after = settings.clone();
        apply(&mut after, media, rules);
        after == *settings
    };
    assert!(!untouched(&muxed(), &two, Rules::all()));
    assert!(untouched(&muxed(), &two, Rules::without(AUDIO_TRACKS).unwrap()));
    assert!(untouched(&muxed(), &film(&["eng"]), Rules::all()));
    assert!(untouched(&muxed(), &film(&["eng", "?"]), Rules::all()));
    assert!(untouched(&muxed(), &Media::default(), Rules::all()));
    for selector in [
        json!({"tracks": [1]}),
        json!({"selectorType": "LANGUAGE_CODE", "languageCode": "ENG"}),
        json!({"selectorType": "PID", "pids": [257]}),
        json!({"externalAudioFileInput": "s3://b/a.wav"}),
        json!("no selector"),
    ] {
        let mut settings = muxed();
        settings["inputs"][0]["audioSelectors"]["Audio Selector 1"] = selector.clone();
        assert!(untouched(&settings, &two, Rules::all()), "{selector}");
    }
    let mut ac3 = muxed();
    for output in [0, 1] {
        ac3["outputGroups"][0]["outputs"][output]["audioDescriptions"][0]["codecSettings"] =
            json!({"codec": "AC3", "ac3Settings": {}});
    }
    assert!(
        untouched(&ac3, &two, Rules::all()),
        "packed AC-3 is not made everywhere"
    );
    let mut listed = muxed();
    listed["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["additionalManifests"] =
        json!([{"manifestNameModifier": "_x", "selectedOutputs": ["_a"]}]);
    assert!(untouched(&listed, &two, Rules::all()));
}
