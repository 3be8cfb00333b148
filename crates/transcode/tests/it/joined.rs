//! Several inputs, which become one film.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use transcode::exec::{self, Limits};
use transcode::plan::{Plan, SideFiles, with_files};
use transcode::probe::probe;
use transcode::produced::Produced;

use crate::common::{World, decoded, decoded_frames, ffprobe, small};

/// A job that makes one MP4 of all inputs.
fn settings(inputs: Value) -> Value {
    let mut settings = small();
    settings["inputs"] = inputs;
    let mut group = settings["outputGroups"][1].clone();
    // A picture at each second would do nothing here.
    group["outputs"][0]["videoDescription"]["width"] = json!(160);
    group["outputs"][0]["videoDescription"]["height"] = json!(90);
    group["outputs"][0]["videoDescription"]["scalingBehavior"] = json!("DEFAULT");
    settings["outputGroups"] = json!([group]);
    settings
}

fn input(name: &str, more: &Value) -> Value {
    let mut input = json!({"fileInput": format!("s3://vod/input/{name}"), "timecodeSource": "ZEROBASED",
        "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}}});
    for (member, value) in more.as_object().expect("is an object") {
        input[member] = value.clone();
    }
    input
}

async fn encode(world: &World, settings: &Value, files: &[PathBuf]) -> (Plan, Produced) {
    let mut sources = Vec::new();
    for file in files {
        sources.push(probe(file, &Limits::default()).await.expect("is media"));
    }
    let captions = [
        (
            "s3://vod/input/a.srt".to_owned(),
            b"1\n00:00:00,500 --> 00:00:00,900\nfirst\n".to_vec(),
        ),
        (
            "s3://vod/input/b.srt".to_owned(),
            b"1\n00:00:01,100 --> 00:00:01,400\nsecond\n".to_vec(),
        ),
    ];
    let files_beside = SideFiles {
        captions: captions.into(),
        ..SideFiles::default()
    };
    let plan = with_files(settings, &sources, &files_beside, "20260101T000000").expect("is planned");
    let (limits, cancel) = (Limits::default(), CancellationToken::new());
    let work = world.work();
    let run = exec::run_inputs(&plan, files, &work, &limits, &cancel, |_| {});
    let produced = run.await.expect("is encoded");
    world.publish(&produced);
    (plan, produced)
}

/// The mean color of a part of the picture at an instant, as three bytes.
fn color(file: &Path, second: f64, part: &str) -> [u8; 3] {
    let (second, mean) = (second.to_string(), format!("crop={part},scale=1:1:flags=area"));
    let options = ["-ss", &second, "-frames:v", "1", "-vf", &mean];
    let pixel = decoded(
        file,
        &[&options[..], &["-f", "rawvideo", "-pix_fmt", "rgb24"]].concat(),
    );
    pixel[..].try_into().expect("is one pixel")
}

/// The loudest sample of a stretch of audio in dB.
fn volume(file: &Path, from: f64, seconds: f64) -> f64 {
    let output = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-hide_banner",
            "-ss",
            &format!("{from}"),
            "-t",
            &format!("{seconds}"),
        ])
        .arg("-i")
        .arg(file)
        .args(["-vn", "-af", "volumedetect", "-f", "null", "-"])
        .output()
        .expect("ffmpeg runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, after) = text.split_once("max_volume: ").expect("is measured");
    after
        .split(' ')
        .next()
        .and_then(|text| text.parse().ok())
        .expect("is a number")
}

fn assert_near(found: [u8; 3], wanted: [u8; 3], what: &str) {
    let near = found
        .iter()
        .zip(wanted)
        .all(|(found, wanted)| found.abs_diff(wanted) < 40);
    assert!(near, "{what}: {found:?} is not {wanted:?}");
}

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const BLACK: [u8; 3] = [0, 0, 0];

/// 25 frames of 16:9 in a second, red, with a tone in stereo.
fn first(world: &World) -> PathBuf {
    let options = [
        "-f",
        "lavfi",
        "-i",
        "color=red:s=160x90:r=25:d=2",
        "-f",
        "lavfi",
        "-i",
        "sine=f=440:r=48000:d=2,aformat=channel_layouts=stereo",
    ];
    world.clip("a.mp4", &options)
}

/// 30 frames of 1:1 in a second, blue.
fn second(world: &World, sound: bool) -> PathBuf {
    let mut options = vec!["-f", "lavfi", "-i", "color=blue:s=120x120:r=30:d=2"];
    if sound {
        options.extend(["-f", "lavfi", "-i", "sine=f=880:r=44100:d=2"]);
    }
    world.clip("b.mp4", &options)
}

#[tokio::test]
async fn inputs_are_joined_in_their_order() {
    let world = World::new();
    let files = [first(&world), second(&world, true)];
    // The first second of one, and all of the other.
    let clip = json!({"inputClippings": [{"endTimecode": "00:00:00:24"}], "captionSelectors": {"c":
        {"sourceSettings": {"sourceType": "SRT", "fileSourceSettings": {"sourceFile": "s3://vod/input/a.srt"}}}}});
    let captioned = json!({"captionSelectors": {"c": {"sourceSettings": {"sourceType": "SRT",
        "fileSourceSettings": {"sourceFile": "s3://vod/input/b.srt"}}}}});
    let mut settings = settings(json!([input("a.mp4", &clip), input("b.mp4", &captioned)]));
    let captions = json!({"nameModifier": "_c", "containerSettings": {"container": "RAW"}, "captionDescriptions":
        [{"captionSelectorName": "c", "destinationSettings": {"destinationType": "SRT"}}]});
    settings["outputGroups"][0]["outputs"][0]["nameModifier"] = json!("_v");
    settings["outputGroups"][0]["outputs"]
        .as_array_mut()
        .expect("has outputs")
        .push(captions);
    let (plan, produced) = encode(&world, &settings, &files).await;
    assert_eq!(plan.inputs(), 2);
    assert_eq!(plan.duration_ms, 3000);
    let file = world.published("mp4/video_v.mp4");
    // The rate and the shape are those of the first.
    let video = ffprobe(&file);
    assert_eq!(
        (video["r_frame_rate"].as_str(), video["width"].as_u64()),
        (Some("25/1"), Some(160))
    );
    assert_eq!(decoded_frames(&file), 75);
    assert!(
        (2990..3060).contains(&produced.duration_ms),
        "{}",
        produced.duration_ms
    );
    let whole = "iw:ih:0:0";
    assert_near(color(&file, 0.9, whole), RED, "the end of the first");
    assert_near(color(&file, 1.04, "10:10:75:40"), BLUE, "the start of the second");
    assert_near(color(&file, 2.9, "10:10:75:40"), BLUE, "the end of the second");
    assert_near(color(&file, 2.0, "10:90:0:0"), BLACK, "beside the second");
    assert!(volume(&file, 1.1, 1.8) > -30.0);
    let captions = std::fs::read_to_string(world.published("mp4/video_c.srt")).expect("is a file");
    // A second earlier there is the joint.
    for line in ["00:00:00,500 --> 00:00:00,900", "00:00:02,100 --> 00:00:02,400"] {
        assert!(captions.contains(line), "{captions}");
    }
}

#[tokio::test]
async fn an_input_without_sound_or_picture_is_silent_or_black() {
    let world = World::new();
    let sound = world.clip("c.wav", &["-f", "lavfi", "-i", "sine=f=660:r=48000:d=1"]);
    let files = [first(&world), second(&world, false), sound];
    let inputs = json!([
        input("a.mp4", &json!({})),
        input("b.mp4", &json!({})),
        input("c.wav", &json!({}))
    ]);
    let mut settings = settings(inputs);
    // Loudness is measured over all inputs.
    settings["outputGroups"][0]["outputs"][0]["audioDescriptions"][0]["audioNormalizationSettings"] =
        json!({"algorithm": "ITU_BS_1770_3", "algorithmControl": "CORRECT_AUDIO", "targetLkfs": -20.0});
    settings["followSource"] = json!(2);
    let (_, _) = encode(&world, &settings, &files).await;
    let file = world.published("mp4/video.mp4");
    assert_eq!(ffprobe(&file)["r_frame_rate"], "30/1");
    assert_eq!(decoded_frames(&file), 150);
    assert!(volume(&file, 0.2, 1.6) > -30.0, "the first");
    assert!(volume(&file, 2.2, 1.6) < -60.0, "silence");
    assert!(volume(&file, 4.2, 0.6) > -30.0, "the third");
    assert_near(color(&file, 3.0, "10:10:75:40"), BLUE, "the second");
    assert_near(color(&file, 4.5, "10:10:75:40"), BLACK, "the third");
}

#[tokio::test]
async fn an_input_that_cannot_be_joined_is_named() {
    let world = World::new();
    let files = [first(&world), second(&world, false)];
    let mut sources = Vec::new();
    for file in &files {
        sources.push(probe(file, &Limits::default()).await.expect("is media"));
    }
    let late = json!({"inputClippings": [{"startTimecode": "00:00:09:00"}]});
    let plain = settings(json!([input("a.mp4", &json!({})), input("b.mp4", &json!({}))]));
    for (change, start) in [
        (
            json!({"inputs": [input("a.mp4", &json!({})), input("b.mp4", &late)]}),
            "/inputs/1/inputClippings/0: ",
        ),
        (json!({"followSource": 3}), "/followSource: "),
        (
            json!({"inputs": [input("a.mp4", &json!({})), input("b.mp4", &json!({"position": {"x": 0, "y": 0, "width": 2, "height": 2}}))]}),
            "/inputs/1/position: ",
        ),
        (
            json!({"inputs": [input("a.mp4", &json!({})), input("b.mp4", &json!({"crop": {"x": 0, "y": 0, "width": 200, "height": 2}}))]}),
            "/inputs/1/crop: ",
        ),
        (json!({"inputs": [input("a.mp4", &json!({}))]}), ""),
    ] {
        let mut settings = plain.clone();
        for (member, value) in change.as_object().expect("is an object") {
            settings[member] = value.clone();
        }
        let planned = with_files(&settings, &sources, &SideFiles::default(), "");
        if start.is_empty() {
            assert!(planned.is_ok(), "{planned:?}");
            continue;
        }
        let error = planned.expect_err("is refused").to_string();
        assert!(error.starts_with(start), "{error}");
    }
    let mut broken = sources.clone();
    broken[1].video.as_mut().expect("has video").codec.clear();
    let error = with_files(&plain, &broken, &SideFiles::default(), "").expect_err("is refused");
    assert_eq!(error.path, "/inputs/1");
}
