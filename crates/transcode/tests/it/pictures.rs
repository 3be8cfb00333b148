//! Geometry, overlays and preprocessors: encoded, and looked at pixel by pixel.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use transcode::exec::Limits;
use transcode::plan::{Plan, SideFiles, side_files, with_files};
use transcode::probe::probe;

use crate::common::{World, decoded_frames, ffprobe, no_sound, shown, small};

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
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-vf", filter, "-frames:v", "1", "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!output.stdout.is_empty(), "{filter} leaves no picture");
    output.stdout
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
async fn colors_are_corrected() {
    let world = World::new();
    let input = world.clip(
        "color.mp4",
        &["-f", "lavfi", "-i", "color=0x806040:s=160x120:r=25:d=0.4"],
    );
    let found = async |corrector: Value| {
        let settings = job(&json!({"videoPreprocessors": {"colorCorrector": corrector}}));
        encode(&world, &settings, &input, &[]).await;
        ["y", "u", "v"].map(|name| plane(&video(&world), 0.0, "160:120:0:0", name))
    };
    let [luma, _, red] = found(json!({"brightness": 50, "contrast": 50, "hue": 0, "saturation": 50})).await;
    let [brighter, ..] = found(json!({"brightness": 60})).await;
    near(brighter - luma, 22.0, "a fifth of half the range");
    let [contrast, ..] = found(json!({"contrast": 100})).await;
    near(
        contrast - 125.5,
        (luma - 125.5) * 2.0,
        "twice as far from the middle",
    );
    let [_, blue, gray] = found(json!({"saturation": 1})).await;
    near(gray, 128.0, "hardly red");
    near(blue, 128.0, "hardly blue");
    let [_, _, turned] = found(json!({"hue": 180})).await;
    near(turned, 256.0 - red, "the opposite");
    let [clipped, ..] = found(json!({"sampleRangeConversion": "LIMITED_RANGE_CLIP",
        "clipLimits": {"maximumYUV": 920, "minimumYUV": 128}, "brightness": 1}))
    .await;
    near(clipped, 32.0, "not below the minimum");
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

#[tokio::test]
async fn interlaced_outputs_and_telecine() {
    let world = World::new();
    let film = world.clip(
        "film.mp4",
        &["-f", "lavfi", "-i", "testsrc2=s=160x96:r=24000/1001:d=1"],
    );
    let fast = world.clip("fast.mp4", &["-f", "lavfi", "-i", "testsrc2=s=160x96:r=50:d=1"]);
    let interlaced = world.clip(
        "interlaced.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=160x96:r=50:d=1",
            "-vf",
            "tinterlace=interleave_top,setfield=tff",
            "-flags",
            "+ildct+ilme",
        ],
    );
    let rate = |num: u32, den: u32| json!({"framerateControl": "SPECIFIED", "framerateNumerator": num, "framerateDenominator": den});
    for (input, mode, more, rate, order, frames) in [
        (
            &film,
            "TOP_FIELD",
            json!({"telecine": "HARD"}),
            rate(30_000, 1001),
            "tt",
            30,
        ),
        (&film, "BOTTOM_FIELD", json!({}), rate(25, 1), "bb", 25),
        (
            &fast,
            "TOP_FIELD",
            json!({"scanTypeConversionMode": "INTERLACED_OPTIMIZE"}),
            rate(25, 1),
            "tt",
            25,
        ),
        (&interlaced, "FOLLOW_BOTTOM_FIELD", json!({}), json!({}), "tt", 25),
    ] {
        let mut settings = json!({"interlaceMode": mode});
        merge(&mut settings, &more);
        merge(&mut settings, &rate);
        encode(
            &world,
            &job(&json!({"codecSettings": {"h264Settings": settings}})),
            input,
            &[],
        )
        .await;
        let found = ffprobe(&video(&world));
        assert_eq!(found["field_order"], order, "{settings}");
        assert!(
            decoded_frames(&video(&world)).abs_diff(frames) <= 1,
            "{settings}: {}",
            decoded_frames(&video(&world))
        );
    }
    // Fields that the source has are kept: the deinterlaced picture at twice the rate moves with each field.
    let moving = shown(
        &video(&world),
        &[
            "-show_entries",
            "frame=interlaced_frame,top_field_first",
            "-select_streams",
            "v",
        ],
    );
    assert_eq!(moving["frames"][3]["interlaced_frame"], 1);
    // How much lines differ from their neighbors.
    let combs = |path: &Path| {
        let samples = samples(path, "select=eq(n\\,10),extractplanes=y");
        let rows: Vec<&[u8]> = samples.chunks(160).collect();
        let between = |rows: &[&[u8]]| -> u64 {
            let columns = rows[1].iter().zip(rows[0]).zip(rows[2]);
            columns
                .map(|((own, above), below)| {
                    u64::from((2 * u16::from(*own)).abs_diff(u16::from(*above) + u16::from(*below)))
                })
                .sum()
        };
        rows.windows(3).map(between).sum::<u64>() / samples.len() as u64
    };
    let (kept, before) = (combs(&video(&world)), combs(&interlaced));
    encode(&world, &job(&json!({})), &interlaced, &[]).await;
    let progressive = combs(&video(&world));
    assert!(
        kept + 3 > before && progressive + 3 < kept,
        "{before} became {kept}, without fields {progressive}"
    );
}

#[tokio::test]
async fn frames_between_are_blended_with_a_warning() {
    let world = World::new();
    // One black frame, one white, and so on.
    let input = world.clip(
        "flash.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "color=black:s=160x120:r=10:d=1,geq=lum='if(mod(N,2),235,16)':cb=128:cr=128",
            "-crf",
            "4",
        ],
    );
    let rate = json!({"framerateControl": "SPECIFIED", "framerateNumerator": 20, "framerateDenominator": 1,
        "framerateConversionAlgorithm": "INTERPOLATE"});
    let plan = encode(
        &world,
        &job(&json!({"codecSettings": {"h264Settings": rate}})),
        &input,
        &[],
    )
    .await;
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.message.contains("INTERPOLATE")),
        "{:?}",
        plan.warnings
    );
    let between: Vec<f64> = (1..18)
        .map(|frame| luma(&video(&world), f64::from(frame) / 20.0, "160:120:0:0"))
        .collect();
    assert!(
        between.iter().any(|luma| (80.0..180.0).contains(luma)),
        "{between:?}"
    );
}

#[tokio::test]
async fn hdr10_metadata_reach_h265() {
    let world = World::new();
    let display = "log-level=none:hdr10=1:repeat-headers=1:\
                   master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400";
    let input = world.clip(
        "hdr.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=160x96:r=25:d=0.4",
            "-pix_fmt",
            "yuv420p10le",
            "-c:v",
            "libx265",
            "-color_primaries",
            "bt2020",
            "-color_trc",
            "smpte2084",
            "-colorspace",
            "bt2020nc",
            "-x265-params",
            display,
        ],
    );
    let codec = json!({"codec": "H_265", "h265Settings": {"rateControlMode": "QVBR", "maxBitrate": 1_000_000,
        "codecProfile": "MAIN10_HIGH", "qualityTuningLevel": "SINGLE_PASS"}});
    let mut settings = job(&json!({}));
    settings["outputGroups"][0]["outputs"][0]["videoDescription"]["codecSettings"] = codec;
    let metadata = || {
        let frames = shown(
            &video(&world),
            &[
                "-read_intervals",
                "%+#1",
                "-select_streams",
                "v",
                "-show_frames",
                "-show_entries",
                "frame=side_data_list",
            ],
        );
        let list = frames["frames"][0]["side_data_list"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let of = |kind: &str| {
            list.iter()
                .find(|data| data["side_data_type"] == kind)
                .cloned()
                .unwrap_or_default()
        };
        (
            of("Mastering display metadata"),
            of("Content light level metadata"),
        )
    };
    let plan = encode(&world, &settings, &input, &[]).await;
    assert!(
        plan.warnings.is_empty(),
        "nothing is tone-mapped: {:?}",
        plan.warnings
    );
    let found = ffprobe(&video(&world));
    assert_eq!(
        (&found["color_transfer"], &found["color_primaries"]),
        (&json!("smpte2084"), &json!("bt2020"))
    );
    let (display, light) = metadata();
    assert_eq!(
        (&display["red_x"], &display["max_luminance"]),
        (&json!("34000/50000"), &json!("10000000/10000"))
    );
    assert_eq!(
        (&light["max_content"], &light["max_average"]),
        (&json!(1000), &json!(400))
    );
    // The job's own, where it forces them.
    settings["inputs"][0]["videoSelector"] = json!({"colorSpace": "HDR10", "colorSpaceUsage": "FORCE",
        "hdr10Metadata": {"maxContentLightLevel": 800, "maxFrameAverageLightLevel": 200, "maxLuminance": 8_000_000}});
    encode(&world, &settings, &input, &[]).await;
    let (display, light) = metadata();
    assert_eq!(
        (&display["max_luminance"], &light["max_content"]),
        (&json!("8000000/10000"), &json!(800))
    );
    // Ordinary colors become HDR10 where the job says so, and look the same.
    let ordinary = world.clip(
        "plain.mp4",
        &["-f", "lavfi", "-i", "color=gray:s=160x96:r=25:d=0.4"],
    );
    settings["inputs"][0]["videoSelector"] = json!({});
    settings["outputGroups"][0]["outputs"][0]["videoDescription"]["videoPreprocessors"] = json!({"colorCorrector": {"colorSpaceConversion": "FORCE_HDR10", "hdr10Metadata": {"maxContentLightLevel": 300, "maxFrameAverageLightLevel": 100}}});
    encode(&world, &settings, &ordinary, &[]).await;
    assert_eq!(ffprobe(&video(&world))["color_transfer"], "smpte2084");
    assert_eq!(metadata().1["max_content"], 300);
}

#[tokio::test]
async fn colors_of_the_job_are_written_or_left_out() {
    let world = World::new();
    let input = world.clip(
        "plain.mp4",
        &["-f", "lavfi", "-i", "testsrc2=s=160x96:r=25:d=0.4"],
    );
    let correct =
        |space: &str| json!({"videoPreprocessors": {"colorCorrector": {"colorSpaceConversion": space}}});
    for (video_description, expected) in [
        (correct("FORCE_709"), json!("bt709")),
        (correct("FORCE_601"), json!("smpte170m")),
        (json!({"colorMetadata": "IGNORE"}), Value::Null),
    ] {
        let mut settings = job(&video_description);
        settings["inputs"][0]["videoSelector"]["colorSpace"] = json!("REC_709");
        encode(&world, &settings, &input, &[]).await;
        assert_eq!(
            ffprobe(&video(&world))
                .get("color_space")
                .cloned()
                .unwrap_or_default(),
            expected,
            "{video_description}"
        );
    }
}
