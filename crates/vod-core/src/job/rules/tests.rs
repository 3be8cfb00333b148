use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::record::{Cover, PixelAspect};

fn output(width: u32, height: u32) -> Value {
    json!({"videoDescription": {"width": width, "height": height}, "audioDescriptions": [{}]})
}

fn ladder() -> Value {
    json!({"outputGroups": [
        {"outputs": [output(640, 360), output(960, 540), output(1280, 720)]},
        {"outputs": [output(1280, 720)]}]})
}

fn media(width: u32, height: u32) -> Media {
    Media {
        width: Some(width),
        height: Some(height),
        audio_tracks: Some(1),
        ..Media::default()
    }
}

fn sizes(settings: &Value) -> Vec<Vec<(u64, u64)>> {
    let groups = settings["outputGroups"].as_array().unwrap();
    let one = |output: &Value| (size(output).0.unwrap(), size(output).1.unwrap());
    groups
        .iter()
        .map(|group| group["outputs"].as_array().unwrap().iter().map(one).collect())
        .collect()
}

fn run(media: &Media, rules: Rules) -> (Vec<Vec<(u64, u64)>>, Vec<String>) {
    run_on(ladder(), media, rules)
}

fn run_on(mut settings: Value, media: &Media, rules: Rules) -> (Vec<Vec<(u64, u64)>>, Vec<String>) {
    let changes = apply(&mut settings, media, rules).changes;
    let changes = changes
        .into_iter()
        .map(|change| format!("{} {}", change.rule, change.path))
        .collect();
    (sizes(&settings), changes)
}

#[test]
fn a_source_that_fits_changes_nothing() {
    let (sizes, changes) = run(&media(1920, 1080), Rules::all());
    assert_eq!(
        sizes,
        [vec![(640, 360), (960, 540), (1280, 720)], vec![(1280, 720)]]
    );
    assert!(changes.is_empty());
}

#[test]
fn larger_outputs_go_and_the_last_is_clamped() {
    let (sizes, changes) = run(&media(961, 541), Rules::all());
    assert_eq!(sizes, [vec![(640, 360), (960, 540)], vec![(960, 540)]]);
    assert_eq!(
        changes,
        [
            "no-upscale /outputGroups/0/outputs/2",
            "no-upscale /outputGroups/1/outputs/0/videoDescription"
        ]
    );
}

#[test]
fn wide_pictures_keep_the_rendition_they_fill() {
    let (sizes, _) = run(&media(1280, 536), Rules::all());
    assert_eq!(sizes[0], [(640, 360), (960, 540), (1280, 720)]);
}

#[test]
fn portrait_by_size_and_by_rotation() {
    let rotated = Media {
        rotation: Some(90),
        ..media(1920, 1080)
    };
    for source in [media(1080, 1920), rotated] {
        let (sizes, changes) = run(&source, Rules::all());
        assert_eq!(
            sizes,
            [vec![(360, 640), (540, 960), (720, 1280)], vec![(720, 1280)]]
        );
        assert!(
            changes
                .iter()
                .all(|change| change.starts_with("swap-for-portrait ")),
            "{changes:?}"
        );
    }
}

#[test]
fn missing_audio_goes_and_audio_outputs_with_it() {
    let mut settings = json!({"outputGroups": [
        {"outputs": [output(640, 360), {"audioDescriptions": [{}]}]}, {"outputs": [{"audioDescriptions": [{}]}]}]});
    let source = Media {
        audio_tracks: Some(0),
        ..media(1920, 1080)
    };
    let changes = apply(&mut settings, &source, Rules::all()).changes;
    assert_eq!(
        settings,
        json!({"outputGroups": [{"outputs": [{"videoDescription": {"width": 640, "height": 360}}]}]})
    );
    assert_eq!(changes.len(), 3);
}

#[test]
fn each_rule_can_be_turned_off() {
    let source = Media {
        audio_tracks: Some(0),
        ..media(180, 320)
    };
    for name in [DROP_MISSING_AUDIO, SWAP_FOR_PORTRAIT, KEEP_SHAPE, NO_UPSCALE] {
        let (_, changes) = run(&source, Rules::without(name).unwrap());
        assert!(!changes.is_empty());
        assert!(
            changes.iter().all(|change| !change.starts_with(name)),
            "{name}: {changes:?}"
        );
    }
    assert!(Rules::without("no-such-rule").is_err());
}

/// The sizes of the built-in template: heights only.
fn heights() -> Value {
    let square = json!({"codec": "H_264", "h264Settings":
        {"parControl": "SPECIFIED", "parNumerator": 1, "parDenominator": 1}});
    let output = |lines: u32| json!({"videoDescription": {"height": lines, "codecSettings": square}});
    json!({"outputGroups": [
        {"outputGroupSettings": {"type": "HLS_GROUP_SETTINGS"}, "outputs": [output(360), output(540), output(720)]},
        {"outputs": [output(720)]}]})
}

#[test]
fn heights_take_the_shape_of_the_source() {
    let anamorphic = Media {
        pixel_aspect: PixelAspect::new(64, 45),
        ..media(720, 576)
    };
    for (source, hls, mp4) in [
        (
            media(1920, 1080),
            vec![(640, 360), (960, 540), (1280, 720)],
            (1280, 720),
        ),
        (
            media(1440, 1080),
            vec![(480, 360), (720, 540), (960, 720)],
            (960, 720),
        ),
        // The next above becomes as large as the source where that has a fifth more lines.
        (media(1280, 536), vec![(860, 360), (1280, 536)], (1280, 536)),
        (media(640, 480), vec![(480, 360), (640, 480)], (640, 480)),
        (
            media(1279, 719),
            vec![(640, 360), (960, 540), (1278, 718)],
            (1278, 718),
        ),
        (media(961, 541), vec![(640, 360), (960, 540)], (960, 540)),
        (media(640, 360), vec![(640, 360)], (640, 360)),
        (media(320, 180), vec![(320, 180)], (320, 180)),
        (anamorphic, vec![(640, 360), (960, 540)], (1024, 576)),
        (
            Media::default(),
            vec![(640, 360), (960, 540), (1280, 720)],
            (1280, 720),
        ),
    ] {
        let (sizes, _) = run_on(heights(), &source, Rules::all());
        assert_eq!(sizes, [hls, vec![mp4]], "{source:?}");
    }
}

#[test]
fn without_keep_shape_the_frame_is_16_to_9_and_the_change_is_listed() {
    let (sizes, changes) = run_on(heights(), &media(1440, 1080), Rules::without(KEEP_SHAPE).unwrap());
    assert_eq!(sizes[0], [(640, 360), (960, 540), (1280, 720)]);
    assert_eq!(changes.len(), 4);
    assert!(changes.iter().all(|change| change.starts_with("keep-shape ")));
}

#[test]
fn heights_stay_heights_where_swapping_is_off() {
    let rules = Rules::without(SWAP_FOR_PORTRAIT).unwrap();
    let (sizes, _) = run_on(heights(), &media(1080, 1920), rules);
    assert_eq!(sizes[1], [(406, 720)]);
}

#[test]
fn renditions_that_are_not_made_are_named() {
    let mut settings = heights();
    let left_out = apply(&mut settings, &media(640, 360), Rules::all()).left_out;
    let said: Vec<_> = left_out
        .iter()
        .map(|entry| format!("{}: {}", entry.what, entry.why))
        .collect();
    let why = "the picture is 640x360, and enlarging it adds nothing";
    assert_eq!(
        said,
        [
            format!("hls rendition 960x540: {why}"),
            format!("hls rendition 1280x720: {why}")
        ]
    );
}

proptest! {
    #[test]
    fn no_output_ever_grows(width in 2u32..4000, height in 2u32..4000) {
        let source = media(width, height);
        let (frames, _) = run(&source, Rules::all());
        let (kept, _) = run_on(heights(), &source, Rules::all());
        for group in frames.iter().chain(&kept) {
            prop_assert!(!group.is_empty());
            for &(w, h) in group {
                // 32 pixels are the least that CreateJob takes.
                prop_assert!(w <= u64::from(width.max(32)) || h <= u64::from(height.max(32)));
                prop_assert!(w % 2 == 0 && h % 2 == 0);
            }
        }
    }
}

/// HLS with two renditions and an MP4, captured frames, and CMAF with its audio beside the video.
fn streams() -> Value {
    let video = |height: u32| json!({"codecSettings": {"codec": "H_264"}, "height": height});
    let both = |height: u32| {
        json!({"videoDescription": video(height), "audioDescriptions": [{}], "nameModifier": format!("_{height}"),
            "containerSettings": {"container": "M3U8"}})
    };
    json!({"outputGroups": [
        {"outputGroupSettings": {"type": "HLS_GROUP_SETTINGS"}, "outputs": [both(360), both(720)]},
        {"outputGroupSettings": {"type": "FILE_GROUP_SETTINGS"}, "outputs": [
            {"videoDescription": {"codecSettings": {"codec": "FRAME_CAPTURE"}, "height": 360}, "containerSettings": {"container": "RAW"}}]},
        {"outputGroupSettings": {"type": "CMAF_GROUP_SETTINGS"}, "outputs": [
            {"videoDescription": video(720), "containerSettings": {"container": "CMFC"}},
            {"audioDescriptions": [{}], "containerSettings": {"container": "CMFC"}}]}]})
}

fn podcast(cover: Option<Cover>) -> Media {
    Media {
        audio_tracks: Some(1),
        cover,
        ..Media::default()
    }
}

#[test]
fn a_source_without_video_makes_no_video() {
    let mut settings = streams();
    let changes = apply(&mut settings, &podcast(None), Rules::all()).changes;
    let audio = |name: &str| json!({"audioDescriptions": [{}], "nameModifier": name, "containerSettings": {"container": "M3U8"}});
    let cmaf = json!({"audioDescriptions": [{}],
        "containerSettings": {"container": "CMFC", "cmfcSettings": {"audioTrackType": "AUDIO_ONLY_VARIANT_STREAM"}}});
    assert_eq!(
        settings,
        json!({"outputGroups": [
            {"outputGroupSettings": {"type": "HLS_GROUP_SETTINGS"}, "outputs": [audio("_360")]},
            {"outputGroupSettings": {"type": "CMAF_GROUP_SETTINGS"}, "outputs": [cmaf]}]})
    );
    let changes: Vec<String> = changes
        .iter()
        .map(|change| format!("{} {}", change.rule, change.path))
        .collect();
    assert_eq!(
        changes,
        [
            "audio-only /outputGroups/0/outputs/0/videoDescription",
            "audio-only /outputGroups/0/outputs/1",
            "audio-only /outputGroups/1/outputs/0",
            "audio-only /outputGroups/2/outputs/0",
        ]
    );
}

#[test]
fn a_cover_is_captured_in_its_own_shape() {
    let mut settings = streams();
    let cover = Cover {
        width: 600,
        height: 600,
    };
    apply(&mut settings, &podcast(Some(cover)), Rules::all());
    let capture = &settings["outputGroups"][1]["outputs"][0]["videoDescription"];
    assert_eq!(
        (&capture["width"], &capture["height"]),
        (&json!(360), &json!(360))
    );
}

#[test]
fn video_is_left_out_only_where_the_probe_found_none() {
    let untouched = |media: &Media, rules: Rules| {
        let mut settings = streams();
        !apply(&mut settings, media, rules)
            .changes
            .iter()
            .any(|change| change.rule == AUDIO_ONLY)
    };
    assert!(untouched(&media(1280, 720), Rules::all()));
    assert!(untouched(&Media::default(), Rules::all()), "nothing is known");
    let silent = Media {
        audio_tracks: Some(0),
        ..Media::default()
    };
    assert!(untouched(&silent, Rules::all()));
    let unsized_video = Media {
        tracks: vec![crate::record::Track {
            kind: crate::record::TrackKind::Video,
            language: None,
            readable: false,
        }],
        ..podcast(None)
    };
    assert!(untouched(&unsized_video, Rules::all()));
    assert!(untouched(&podcast(None), Rules::without("audio-only").unwrap()));
    let mut silent_film = json!({"outputGroups": [{"outputs": [{"videoDescription": {}}]}]});
    assert!(
        apply(&mut silent_film, &podcast(None), Rules::all())
            .changes
            .is_empty()
    );
}

mod further_audio;
