//! Geometry, overlays and preprocessors: encoded, and looked at pixel by pixel.

mod colors;
mod frames;
mod sources;

use std::path::Path;

use serde_json::{Value, json};
use transcode::exec::Limits;
use transcode::plan::{Plan, SideFiles, side_files, with_files};
use transcode::probe::probe;

use crate::common::{World, decoded, decoded_frames, ffprobe, no_sound, shown, small};

const LOGO: &str = "s3://vod/logo.png";

/// One MP4 output with this video description, merged over one of near-lossless H.264.
fn job(video: &Value) -> Value {
    let mut settings = no_sound(small());
    let mut description = json!({"codecSettings": {"codec": "H_264", "h264Settings": {
        "rateControlMode": "QVBR", "maxBitrate": 20_000_000, "qvbrSettings": {"qvbrQualityLevel": 10},
        "qualityTuningLevel": "SINGLE_PASS", "gopSize": 0.4, "gopSizeUnits": "SECONDS"}}});
    merge(&mut description, video);
    settings["outputGroups"] = json!([{
        "outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
            "fileGroupSettings": {"destination": "s3://vod/out/file/video"}},
        "outputs": [{"containerSettings": {"container": "MP4"}, "videoDescription": description}]}]);
    settings
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Encodes a job that reads these images, and returns its warnings.
async fn encode(world: &World, settings: &Value, input: &Path, images: &[(&str, &Path, (u32, u32))]) -> Plan {
    let source = probe(input, &Limits::default()).await.expect("is probed");
    let files = SideFiles {
        images: images
            .iter()
            .map(|(url, _, size)| ((*url).to_owned(), *size))
            .collect(),
        ..SideFiles::default()
    };
    std::fs::create_dir_all(world.work()).expect("is created");
    for file in side_files(settings).expect("is readable") {
        let (_, path, _) = images
            .iter()
            .find(|(url, ..)| *url == file.url)
            .expect("is given");
        std::fs::copy(path, world.work().join(&file.name)).expect("is copied");
    }
    let plan =
        with_files(settings, std::slice::from_ref(&source), &files, "20260101T000000").expect("is planned");
    let text = serde_json::to_string(&plan).expect("is JSON");
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("reads back"), plan);
    let produced = world.run(&plan, input).await.expect("is encoded");
    world.publish(&produced);
    plan
}

/// The mean luma of a rectangle (`width:height:x:y`) in the picture at an instant.
fn luma(path: &Path, seconds: f64, rectangle: &str) -> f64 {
    plane(path, seconds, rectangle, "y")
}

/// The mean of a plane (`y`, `u` or `v`) of a rectangle in the picture at an instant.
fn plane(path: &Path, seconds: f64, rectangle: &str, plane: &str) -> f64 {
    let samples = samples(
        path,
        &format!("trim=start={seconds},format=yuv444p,crop={rectangle},extractplanes={plane}"),
    );
    let sum: u64 = samples.iter().map(|sample| u64::from(*sample)).sum();
    f64::from(u32::try_from(sum / samples.len() as u64).expect("is a sample"))
}

/// The samples of the first picture after a filter.
fn samples(path: &Path, filter: &str) -> Vec<u8> {
    let samples = decoded(path, &["-vf", filter, "-frames:v", "1", "-f", "rawvideo"]);
    assert!(!samples.is_empty(), "{filter} leaves no picture");
    samples
}

/// Black on the left, white on the right, for a second.
fn halves(world: &World) -> std::path::PathBuf {
    world.clip(
        "halves.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "color=black:s=160x120:r=25:d=1,drawbox=x=80:y=0:w=80:h=120:c=white:t=fill",
        ],
    )
}

fn video(world: &World) -> std::path::PathBuf {
    world.published("file/video.mp4")
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 12.0, "{what}: {found}, not {expected}");
}

#[tokio::test]
async fn a_crop_is_a_part_of_the_source() {
    let world = World::new();
    let input = halves(&world);
    let crop = json!({"x": 80, "y": 0, "width": 40, "height": 120});
    let mut settings =
        job(&json!({"width": 160, "height": 96, "scalingBehavior": "STRETCH_TO_OUTPUT", "crop": crop}));
    encode(&world, &settings, &input, &[]).await;
    near(
        luma(&video(&world), 0.0, "160:96:0:0"),
        235.0,
        "the right half alone",
    );
    // The input's own has precedence.
    settings["inputs"][0]["crop"] = json!({"x": 0, "y": 0, "width": 80, "height": 120});
    encode(&world, &settings, &input, &[]).await;
    near(
        luma(&video(&world), 0.0, "160:96:0:0"),
        16.0,
        "the left half alone",
    );
}

#[tokio::test]
async fn a_position_is_a_place_in_a_black_picture() {
    let world = World::new();
    let input = world.clip(
        "white.mp4",
        &["-f", "lavfi", "-i", "color=white:s=160x120:r=25:d=0.4"],
    );
    let position = json!({"x": 40, "y": 20, "width": 80, "height": 40});
    encode(
        &world,
        &job(&json!({"width": 160, "height": 120, "position": position})),
        &input,
        &[],
    )
    .await;
    let found = ffprobe(&video(&world));
    assert_eq!((&found["width"], &found["height"]), (&json!(160), &json!(120)));
    for (rectangle, expected) in [
        ("76:36:42:22", 235.0),
        ("38:120:0:0", 16.0),
        ("160:18:0:0", 16.0),
        ("160:58:0:62", 16.0),
    ] {
        near(luma(&video(&world), 0.0, rectangle), expected, rectangle);
    }
}

#[tokio::test]
async fn images_are_laid_over_outputs_and_inputs_while_they_last() {
    let world = World::new();
    let input = world.clip(
        "black.mp4",
        &["-f", "lavfi", "-i", "color=black:s=160x120:r=25:d=2"],
    );
    let logo = world.clip(
        "logo.png",
        &["-f", "lavfi", "-i", "color=white:s=20x20", "-frames:v", "1"],
    );
    let image = |more: &Value| {
        let mut image = json!({"imageInserterInput": LOGO, "imageX": 40, "imageY": 20, "layer": 1});
        merge(&mut image, more);
        json!({"insertableImages": [image]})
    };
    let output = image(
        &json!({"width": 40, "height": 20, "opacity": 100, "startTime": "00:00:00:20", "duration": 400}),
    );
    let settings =
        job(&json!({"width": 160, "height": 120, "videoPreprocessors": {"imageInserter": output}}));
    encode(&world, &settings, &input, &[(LOGO, &logo, (20, 20))]).await;
    for (seconds, expected) in [
        (0.0, 16.0),
        (0.76, 16.0),
        (0.8, 235.0),
        (1.16, 235.0),
        (1.2, 16.0),
        (1.9, 16.0),
    ] {
        near(
            luma(&video(&world), seconds, "38:18:42:22"),
            expected,
            &format!("at {seconds} s"),
        );
    }
    near(luma(&video(&world), 1.0, "30:120:0:0"), 16.0, "beside it");
    // On the input, it is scaled with the picture; half transparent where nothing is said; and it fades.
    let mut settings = job(&json!({"width": 80, "height": 60}));
    settings["inputs"][0]["timecodeSource"] = json!("SPECIFIEDSTART");
    settings["inputs"][0]["timecodeStart"] = json!("01:00:00:00");
    settings["inputs"][0]["imageInserter"] =
        image(&json!({"startTime": "01:00:00:10", "duration": 1000, "fadeIn": 400, "fadeOut": 400}));
    encode(&world, &settings, &input, &[(LOGO, &logo, (20, 20))]).await;
    let at = |seconds| luma(&video(&world), seconds, "8:8:21:11");
    near(at(0.3), 16.0, "before");
    assert!((20.0..115.0).contains(&at(0.6)), "it fades in: {}", at(0.6));
    near(at(1.2), 125.0, "half transparent");
    assert!((20.0..115.0).contains(&at(1.6)), "it fades out: {}", at(1.6));
    near(at(1.9), 16.0, "after");
}

#[tokio::test]
async fn a_layer_above_covers_the_one_below() {
    let world = World::new();
    let input = world.clip(
        "gray.mp4",
        &["-f", "lavfi", "-i", "color=gray:s=160x120:r=25:d=0.4"],
    );
    let white = world.clip(
        "white.tga",
        &["-f", "lavfi", "-i", "color=white:s=20x20", "-frames:v", "1"],
    );
    let black = world.clip(
        "black.bmp",
        &["-f", "lavfi", "-i", "color=black:s=20x20", "-frames:v", "1"],
    );
    let (above, below) = ("s3://vod/a.tga", "s3://vod/b.bmp");
    let image = |url: &str, x: u32, layer: u32| json!({"imageInserterInput": url, "imageX": x, "imageY": 20, "layer": layer, "opacity": 100});
    let inserter = json!({"insertableImages": [image(above, 50, 7), image(below, 40, 2)]});
    let settings = job(&json!({"videoPreprocessors": {"imageInserter": inserter}}));
    encode(
        &world,
        &settings,
        &input,
        &[(above, &white, (20, 20)), (below, &black, (20, 20))],
    )
    .await;
    near(luma(&video(&world), 0.0, "8:16:41:22"), 16.0, "below");
    near(luma(&video(&world), 0.0, "16:16:52:22"), 235.0, "above");
}

#[tokio::test]
async fn a_timecode_is_burnt_in_at_its_place() {
    let world = World::new();
    let input = world.clip(
        "gray.mp4",
        &["-f", "lavfi", "-i", "color=0x202020:s=320x240:r=25:d=0.4"],
    );
    // Whatever it contains, the prefix is text.
    let burn_in = json!({"fontSize": 16, "position": "BOTTOM_LEFT", "prefix": "A'b:\\,;[c]%{x} "});
    let settings =
        job(&json!({"width": 320, "height": 240, "videoPreprocessors": {"timecodeBurnin": burn_in}}));
    encode(&world, &settings, &input, &[]).await;
    let bright = |rectangle: &str| {
        let samples = samples(&video(&world), &format!("crop={rectangle},extractplanes=y"));
        samples.iter().filter(|sample| **sample > 150).count()
    };
    assert!(
        bright("290:20:16:210") > 200,
        "letters at the bottom left: {}",
        bright("290:20:16:210")
    );
    assert_eq!(bright("320:200:0:0"), 0);
}

#[tokio::test]
async fn noise_is_reduced_with_a_warning() {
    let world = World::new();
    let graph = "color=gray:s=160x120:r=25:d=0.4,noise=alls=14:allf=t+u";
    let input = world.clip("noisy.mp4", &["-f", "lavfi", "-i", graph, "-crf", "4"]);
    // The mean difference of neighbors.
    let noise = || {
        let samples = samples(&video(&world), "select=eq(n\\,8),extractplanes=y");
        let differences: u64 = samples
            .windows(2)
            .map(|pair| u64::from(pair[0].abs_diff(pair[1])))
            .sum();
        f64::from(u32::try_from(differences).expect("is small")) / 19_200.0
    };
    encode(&world, &job(&json!({})), &input, &[]).await;
    let before = noise();
    assert!(before > 3.0, "the source is noisy: {before}");
    for (filter, member, strength) in [
        ("MEAN", "filterSettings", 3),
        ("BILATERAL", "filterSettings", 3),
        ("SPATIAL", "spatialFilterSettings", 8),
        ("TEMPORAL", "temporalFilterSettings", 8),
    ] {
        let reducer = json!({"filter": filter, member: {"strength": strength}});
        let plan = encode(
            &world,
            &job(&json!({"videoPreprocessors": {"noiseReducer": reducer}})),
            &input,
            &[],
        )
        .await;
        assert!(noise() < before * 0.8, "{filter}: {} of {before}", noise());
        assert!(
            plan.warnings
                .iter()
                .any(|warning| warning.message.contains("noiseReducer/filter")),
            "{:?}",
            plan.warnings
        );
    }
}
