use std::path::Path;

use mediaconvert_job::Template;
use serde_json::{Value, json};

use super::*;
use crate::plan::picture::SQUARE;
use crate::probe::{AudioTrack, VideoTrack};
use crate::support;

mod settings;

/// The default template with its destinations filled in, as the pipeline does it.
fn default_settings() -> Value {
    let template =
        Template::parse(include_bytes!("../../../../job-templates/default.json")).expect("is a template");
    let mut settings = template.settings;
    settings["inputs"][0]["fileInput"] = json!("s3://vod/input/my film.mp4");
    for (group, member, folder) in [
        (0, "hlsGroupSettings", "hls"),
        (1, "fileGroupSettings", "mp4"),
        (2, "fileGroupSettings", "thumbnails"),
    ] {
        let destination = json!(format!("s3://vod/output/a/default/{folder}/video"));
        let group = &mut settings["outputGroups"][group];
        group["outputGroupSettings"][member]["destination"] = destination;
        for output in group["outputs"].as_array_mut().expect("has outputs") {
            // As the rule keep-shape completes it where nothing is known of the source.
            let video = &mut output["videoDescription"];
            video["width"] = json!(video["height"].as_u64().expect("has a height") * 16 / 9);
        }
    }
    settings
}

fn track() -> VideoTrack {
    VideoTrack {
        index: 0,
        codec: "h264".to_owned(),
        width: 1920,
        height: 1080,
        rotation: 0,
        frame_rate: Ratio { num: 30, den: 1 },
        variable_frame_rate: false,
        bit_depth: 8,
        pixel_format: "yuv420p".to_owned(),
        color_primaries: None,
        color_transfer: None,
        color_matrix: None,
        full_range: false,
        sample_aspect: SQUARE,
        interlaced: false,
        top_field_first: None,
        embedded_captions: false,
        dolby_vision_profile: None,
        mastering: None,
        bit_rate: None,
    }
}

fn audio_track(index: u32, language: &str) -> AudioTrack {
    AudioTrack {
        index,
        codec: "aac".to_owned(),
        channels: 6,
        sample_rate: 44_100,
        language: Some(language.to_owned()),
        bit_rate: None,
        id: None,
    }
}

fn source(video: VideoTrack) -> MediaInfo {
    MediaInfo {
        container: "mov,mp4".to_owned(),
        duration_ms: 10_000,
        video: Some(video),
        cover: None,
        audio: vec![audio_track(1, "eng"), audio_track(2, "kor")],
        other: Vec::new(),
        timecode: None,
    }
}

fn planned(settings: &Value, source: &MediaInfo) -> Plan {
    plan(settings, source, "20261121T052430").expect("can be planned")
}

/// One argument per line, so that a changed flag is a changed line.
fn command(plan: &Plan) -> String {
    let arguments = plan.arguments(Path::new("/in/x.mp4"));
    let mut text = String::new();
    for argument in arguments {
        let argument = argument
            .to_string_lossy()
            .replace(';', ";\n    ")
            .replace('|', "|\n    ");
        let separator = if argument.starts_with('-') && argument.len() > 2 {
            "\n"
        } else {
            " "
        };
        text.push_str(separator);
        text.push_str(&argument);
    }
    text
}

#[test]
fn a_landscape_source() {
    insta::assert_snapshot!(command(&planned(&default_settings(), &source(track()))));
}

#[test]
fn a_portrait_source_is_turned_and_padded() {
    let plan = planned(
        &default_settings(),
        &source(VideoTrack {
            rotation: 90,
            ..track()
        }),
    );
    insta::assert_snapshot!(plan.filters().replace(';', ";\n"));
}

#[test]
fn an_hdr_source_is_scaled_first_and_tone_mapped_once() {
    let hdr = VideoTrack {
        width: 3840,
        height: 2160,
        bit_depth: 10,
        color_transfer: Some("arib-std-b67".to_owned()),
        color_primaries: Some("bt2020".to_owned()),
        color_matrix: Some("bt2020nc".to_owned()),
        ..track()
    };
    let plan = planned(&default_settings(), &source(hdr));
    insta::assert_snapshot!(plan.filters().replace(';', ";\n"));
    assert_eq!(
        plan.warnings
            .iter()
            .map(|warning| warning.code)
            .collect::<Vec<_>>(),
        [WARN_TONE_MAPPED]
    );
}

#[test]
fn a_source_without_audio_needs_outputs_without_audio() {
    let mut settings = default_settings();
    let silent = MediaInfo {
        audio: Vec::new(),
        ..source(track())
    };
    let refusal = plan(&settings, &silent, "").expect_err("audio is required");
    assert_eq!(
        (refusal.code, refusal.path.as_str()),
        (1021, "/inputs/0/audioSelectors/Audio Selector 1")
    );
    assert_eq!(
        refusal.message,
        "No audio frames decoded on [selector-(Audio Selector 1)-track-1-drc]"
    );
    for group in settings["outputGroups"].as_array_mut().expect("has groups") {
        for output in group["outputs"].as_array_mut().expect("has outputs") {
            output
                .as_object_mut()
                .expect("is an object")
                .remove("audioDescriptions");
        }
    }
    let command = command(&planned(&settings, &silent));
    assert!(
        !command.contains("-c:a:0") && command.contains("[select=2:f=mp4"),
        "{command}"
    );
}

#[test]
fn a_source_without_video_is_refused() {
    let refusal = plan(
        &default_settings(),
        &MediaInfo {
            video: None,
            ..source(track())
        },
        "",
    )
    .expect_err("has no video");
    assert_eq!(refusal.code, 1020);
}

#[test]
fn frames_of_a_source_without_video_are_its_cover() {
    let cover = VideoTrack {
        width: 600,
        height: 600,
        ..track()
    };
    let podcast = MediaInfo {
        video: None,
        cover: Some(cover),
        ..source(track())
    };
    let mut settings = default_settings();
    let refusal = plan(&settings, &podcast, "").expect_err("a cover is no video");
    assert_eq!(refusal.code, 1020);
    for group in settings["outputGroups"].as_array_mut().expect("has groups") {
        let outputs = group["outputs"].as_array_mut().expect("has outputs");
        outputs.retain(|output| output["nameModifier"] != "_540" && output["nameModifier"] != "_720");
        for output in outputs {
            if output["audioDescriptions"].is_array() {
                output
                    .as_object_mut()
                    .expect("is an object")
                    .remove("videoDescription");
            }
        }
    }
    let plan = planned(&settings, &podcast);
    assert_eq!(
        (plan.videos.len(), plan.audio.len(), plan.captures.len()),
        (0, 1, 1)
    );
    assert_eq!(plan.duration_ms, 10_000);
}

#[test]
fn equal_encodes_are_made_once() {
    let plan = planned(&default_settings(), &source(track()));
    assert_eq!(
        (plan.videos.len(), plan.audio.len(), plan.captures.len()),
        (3, 1, 1)
    );
    let mut settings = default_settings();
    settings["outputGroups"][1]["outputs"][0]["videoDescription"]["codecSettings"]["h264Settings"]["bitrate"] =
        json!(2_500_000);
    assert_eq!(planned(&settings, &source(track())).videos.len(), 4);
}

#[test]
fn interlaced_varying_and_anamorphic_sources_are_evened_out() {
    let odd = VideoTrack {
        width: 720,
        height: 576,
        interlaced: true,
        sample_aspect: Ratio { num: 64, den: 45 },
        frame_rate: Ratio { num: 25, den: 1 },
        ..track()
    };
    let filters = planned(&default_settings(), &source(odd)).filters();
    assert!(
        filters.starts_with("[0:0]bwdif=mode=send_frame:deint=all,fps=fps=25:start_time=0"),
        "{filters}"
    );
    assert!(
        filters.contains("scale=1280:720"),
        "16:9 fills the frame without bars: {filters}"
    );
}

#[test]
fn rotation_is_ignored_metadata_or_a_fixed_turn() {
    let turned = source(VideoTrack {
        rotation: 90,
        ..track()
    });
    // The difference to what ffmpeg does by the file's metadata.
    for (rotate, turn) in [
        (json!("AUTO"), "[0:0]fps"),
        (Value::Null, "[0:0]transpose=cclock,fps"),
        (json!("DEGREE_0"), "[0:0]transpose=cclock,fps"),
        (json!("DEGREES_90"), "[0:0]fps"),
        (json!("DEGREES_180"), "[0:0]transpose=clock,fps"),
        (json!("DEGREES_270"), "[0:0]hflip,vflip,fps"),
    ] {
        let mut settings = default_settings();
        settings["inputs"][0]["videoSelector"]["rotate"] = rotate.clone();
        let plan = planned(&settings, &turned);
        assert!(plan.filters().starts_with(turn), "{rotate}: {}", plan.filters());
    }
}

#[test]
fn audio_is_selected_by_track_language_or_default() {
    let selector = "/inputs/0/audioSelectors/Audio Selector 1";
    for (member, value, expected) in [
        ("tracks", json!([2]), Some(2)),
        ("tracks", json!([3]), None),
        ("tracks", json!([1, 2]), Some(1)),
        ("languageCode", json!("KOR"), Some(2)),
        ("languageCode", json!("FRA"), Some(1)),
    ] {
        let mut settings = default_settings();
        let object = settings.pointer_mut(selector).expect("exists");
        object[member] = value.clone();
        if member == "languageCode" {
            object["selectorType"] = json!("LANGUAGE_CODE");
        }
        let found = plan(&settings, &source(track()), "")
            .ok()
            .map(|plan| plan.audio[0].streams[0]);
        assert_eq!(found, expected, "{member} {value}");
    }
    let mut settings = default_settings();
    settings["inputs"][0]["audioSelectors"] = json!({
        "A": {"tracks": [1], "defaultSelection": "NOT_DEFAULT"}, "B": {"tracks": [2], "defaultSelection": "DEFAULT"}
    });
    remove_everywhere(&mut settings, "audioSourceName");
    assert_eq!(planned(&settings, &source(track())).audio[0].streams, [2]);
}

fn remove_everywhere(value: &mut Value, name: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| remove_everywhere(item, name)),
        Value::Object(members) => {
            members.remove(name);
            members
                .values_mut()
                .for_each(|member| remove_everywhere(member, name));
        }
        _ => {}
    }
}

#[test]
fn names_follow_the_settings() {
    let mut settings = default_settings();
    settings["outputGroups"][0]["outputs"][2]["nameModifier"] = json!("_$w$x$h$_$rv$k");
    settings["outputGroups"][0]["outputs"][2]["outputSettings"]["hlsSettings"]["segmentModifier"] =
        json!("-$dt$");
    settings["outputGroups"][1]["outputs"][0]["extension"] = json!("m4v");
    let plan = planned(&settings, &source(track()));
    let output = &plan.groups[0].outputs[2];
    assert_eq!(
        (output.name_modifier.as_str(), output.segment_modifier.as_str()),
        ("_1280x720_3000k", "-20261121T052430")
    );
    assert_eq!(plan.groups[1].outputs[0].extension, "m4v");
    assert_eq!(
        plan.groups[0].destination.url("video.m3u8"),
        "s3://vod/output/a/default/hls/video.m3u8"
    );
}

#[test]
fn an_unsupported_setting_is_refused_with_its_path() {
    for (path, value, message) in [
        (
            "/outputGroups/0/outputGroupSettings/type",
            json!("MS_SMOOTH_GROUP_SETTINGS"),
            "only HLS_GROUP_SETTINGS",
        ),
        (
            "/outputGroups/0/outputs/0/containerSettings/container",
            json!("MP4"),
            "cannot write MP4 in this group",
        ),
        (
            "/outputGroups/1/outputs/0/containerSettings/container",
            json!("F4V"),
            "cannot write F4V in this group",
        ),
        (
            "/outputGroups/0/outputs/1/nameModifier",
            json!("_360"),
            "must be unique",
        ),
        (
            "/outputGroups/0/outputs/0/captionDescriptions",
            json!([{"captionSelectorName": "English", "destinationSettings": {"destinationType": "BURN_IN"}}]),
            "the input has no caption selector `English`",
        ),
        (
            "/outputGroups/0/outputGroupSettings/hlsGroupSettings/destination",
            json!("file:///x"),
            "s3:// URL",
        ),
        (
            "/inputs/0/audioSelectors",
            json!({"Other": {}}),
            "no audio selector is called `Audio Selector 1`",
        ),
        (
            "/inputs/0/inputClippings",
            json!([{"startTimecode": "00:00:11:00"}]),
            "begins after the end of the input",
        ),
    ] {
        let mut settings = default_settings();
        set(&mut settings, path, value);
        let refusal = plan(&settings, &source(track()), "").expect_err(path);
        assert!(refusal.message.contains(message), "{path}: {refusal}");
        let beginning = path.rsplit_once('/').expect("has a parent").0;
        assert!(
            refusal.path.starts_with(beginning) || refusal.path.contains("audioSourceName"),
            "{path}: {refusal}"
        );
    }
}

fn set(settings: &mut Value, path: &str, value: Value) {
    let (parent, name) = path.rsplit_once('/').expect("has a parent");
    let parent = settings.pointer_mut(parent).expect("the parent exists");
    match parent {
        Value::Array(items) => items[name.parse::<usize>().expect("is an index")] = value,
        other => other[name] = value,
    }
}

#[test]
fn every_shipped_template_can_be_planned() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../job-templates");
    for path in std::fs::read_dir(folder)
        .expect("the folder exists")
        .map(|entry| entry.expect("is readable").path())
    {
        if path.extension().is_some_and(|suffix| suffix == "json") {
            let template =
                Template::parse(&std::fs::read(&path).expect("is readable")).expect("is a template");
            support::check(&template.settings)
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
        }
    }
}
