//! Settings of video encoders: looked up in what the encoder says of itself.

use serde_json::{Value, json};

use crate::codecs::file;
use crate::common::{World, decoded_frames, ffprobe, with};
use crate::streaming::{audio, names, streaming, video};

/// The settings that x264 writes into its streams, for example `cqm=1`.
fn x264(path: &std::path::Path, setting: &str) -> String {
    let bytes = std::fs::read(path).expect("is a file");
    let text = String::from_utf8_lossy(&bytes);
    let (_, options) = text.split_once("options: ").expect("is x264's");
    let prefix = format!("{setting}=");
    let value = options.split(' ').find_map(|option| option.strip_prefix(&prefix));
    value.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn profiles_and_tools_of_h264_are_in_the_stream() {
    let world = World::new();
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=0.4"]);
    let own = |settings: Value| {
        let mut codec =
            json!({"codec": "H_264", "h264Settings": {"rateControlMode": "VBR", "bitrate": 300_000}});
        for (name, value) in settings.as_object().expect("is an object") {
            codec["h264Settings"][name] = value.clone();
        }
        codec
    };
    let profile = |name: &str| json!({"codecProfile": name});
    for (settings, expected, tool) in [
        (
            json!({"codecProfile": "BASELINE", "numberBFramesBetweenReferenceFrames": 0}),
            ["Constrained Baseline", "yuv420p"],
            ("cabac", "0"),
        ),
        (profile("MAIN"), ["Main", "yuv420p"], ("8x8dct", "0")),
        (
            json!({"codecProfile": "MAIN", "explicitWeightedPrediction": "ENABLED"}),
            ["Main", "yuv420p"],
            ("weightp", "2"),
        ),
        (
            json!({"codecProfile": "MAIN", "explicitWeightedPrediction": "DISABLED"}),
            ["Main", "yuv420p"],
            ("weightp", "0"),
        ),
        (profile("HIGH"), ["High", "yuv420p"], ("cqm", "0")),
        (
            json!({"codecProfile": "HIGH", "softness": 128}),
            ["High", "yuv420p"],
            ("cqm", "1"),
        ),
        (profile("HIGH_10BIT"), ["High 10", "yuv420p10le"], ("8x8dct", "1")),
        (profile("HIGH_422"), ["High 4:2:2", "yuv422p"], ("8x8dct", "1")),
        (
            profile("HIGH_422_10BIT"),
            ["High 4:2:2", "yuv422p10le"],
            ("8x8dct", "1"),
        ),
    ] {
        let job = file("MP4", Some(own(settings.clone())), None);
        let (_, produced) = world
            .encode(&job, &input)
            .await
            .unwrap_or_else(|error| panic!("{settings}: {error}"));
        world.publish(&produced);
        let path = world.published("file/video.mp4");
        let found = ffprobe(&path);
        assert_eq!(
            [&found["profile"], &found["pix_fmt"]],
            [&json!(expected[0]), &json!(expected[1])],
            "{settings}"
        );
        assert_eq!(x264(&path, tool.0), tool.1, "{} of {settings}", tool.0);
        assert_eq!(decoded_frames(&path), 10, "{settings}");
    }
}

/// Beside an encode with one pass and before another, so that the numbers of the passes differ.
#[tokio::test]
async fn vp8_and_vp9_are_encoded_in_two_passes() {
    let world = World::new();
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1"]);
    let rate = json!({"rateControlMode": "VBR", "bitrate": 200_000, "gopSize": 10, "qualityTuningLevel": "MULTI_PASS_HQ"});
    let h264 = json!({"codec": "H_264", "h264Settings": {"rateControlMode": "VBR", "bitrate": 200_000}});
    let settings = with(file("MP4", Some(h264), None), |settings| {
        let outputs = &mut settings["outputGroups"][0]["outputs"];
        let first = outputs[0].clone();
        for (modifier, codec) in [
            ("_vp9", json!({"codec": "VP9", "vp9Settings": rate})),
            ("_vp8", json!({"codec": "VP8", "vp8Settings": rate})),
        ] {
            let mut output = first.clone();
            output["nameModifier"] = json!(modifier);
            output["containerSettings"] = json!({"container": "WEBM"});
            output["videoDescription"]["codecSettings"] = codec;
            outputs.as_array_mut().expect("is a list").push(output);
        }
        outputs[0]["nameModifier"] = json!("_h264");
    });
    let (plan, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    for (number, codec) in [(1, "vp9"), (2, "vp8")] {
        // What the first pass found is where the second reads it, under the number of the encode there.
        let found = std::fs::metadata(world.work().join(format!("pass2-{number}.log")));
        assert!(found.expect("is a file").len() > 1000, "{codec}");
        let path = world.published(&format!("file/video_{codec}.webm"));
        assert_eq!(ffprobe(&path)["codec_name"], codec);
        assert_eq!(decoded_frames(&path), 25, "{codec}");
    }
    assert_eq!(decoded_frames(&world.published("file/video_h264.mp4")), 25);
}

#[tokio::test]
async fn automated_abr_makes_a_ladder_with_a_warning() {
    let world = World::new();
    let input = world.clip(
        "in.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=640x360:r=25:d=1",
            "-f",
            "lavfi",
            "-i",
            "sine=f=440:r=48000:d=1",
        ],
    );
    let group = json!({"segmentLength": 2, "minSegmentLength": 0});
    let mut base = video("M3U8", 360);
    base["nameModifier"] = json!("_v");
    base["videoDescription"]["codecSettings"] = json!({"codec": "H_264", "h264Settings":
        {"rateControlMode": "QVBR", "qualityTuningLevel": "SINGLE_PASS"}});
    let mut sound = audio("M3U8", "_a", "ENG");
    sound["outputSettings"] =
        json!({"hlsSettings": {"audioTrackType": "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT"}});
    let outputs = [base, sound];
    let mut settings = streaming("HLS_GROUP_SETTINGS", "hlsGroupSettings", "hls", group, &outputs);
    settings["outputGroups"][0]["automatedEncodingSettings"] =
        json!({"abrSettings": {"maxRenditions": 2, "minAbrBitrate": 100_000}});
    let (plan, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.message.contains("2 renditions")),
        "{:?}",
        plan.warnings
    );
    let made = names(&produced, "hls");
    for name in ["video_v_1.m3u8", "video_v_2.m3u8", "video_a.m3u8"] {
        assert!(made.contains(&name), "{name} in {made:?}");
    }
    for (name, size) in [("v_1", [640, 360]), ("v_2", [416, 234])] {
        let found = ffprobe(&world.published(&format!("hls/video_{name}_00001.ts")));
        assert_eq!(
            [&found["width"], &found["height"]],
            [&json!(size[0]), &json!(size[1])]
        );
    }
}

#[tokio::test]
async fn captions_of_a_file_of_each_format_are_read() {
    use transcode::exec::Limits;
    use transcode::plan::{SideFiles, with_files};

    let world = World::new();
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", "color=black:s=64x36:r=10:d=2"]);
    let source = transcode::probe::probe(&input, &Limits::default())
        .await
        .expect("is probed");
    let h264 = json!({"codec": "H_264", "h264Settings": {"rateControlMode": "VBR", "bitrate": 100_000}});
    for (kind, suffix, text) in [
        (
            "WEBVTT",
            "vtt",
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nGood evening\n",
        ),
        (
            "TTML",
            "ttml",
            "<tt xmlns=\"http://www.w3.org/ns/ttml\"><body><div><p begin=\"0.5s\" end=\"1.5s\">Good evening</p></div></body></tt>",
        ),
        (
            "SMI",
            "smi",
            "<SAMI><BODY><SYNC Start=500><P Class=CC>Good evening<SYNC Start=1500><P Class=CC>&nbsp;</BODY></SAMI>",
        ),
    ] {
        let url = format!("s3://vod/captions/film.{suffix}");
        let mut settings = file("MP4", Some(h264.clone()), None);
        settings["inputs"][0]["captionSelectors"] = json!({"C": {"sourceSettings":
            {"sourceType": kind, "fileSourceSettings": {"sourceFile": url}}}});
        let outputs = &mut settings["outputGroups"][0]["outputs"];
        outputs[0]["nameModifier"] = json!("_v");
        let sidecar = json!({"nameModifier": "_c", "containerSettings": {"container": "RAW"}, "captionDescriptions": [
            {"captionSelectorName": "C", "destinationSettings": {"destinationType": "SRT"}}]});
        outputs.as_array_mut().expect("is a list").push(sidecar);
        let files = SideFiles {
            captions: [(url, text.as_bytes().to_vec())].into(),
            ..SideFiles::default()
        };
        let plan = with_files(
            &settings,
            std::slice::from_ref(&source),
            &files,
            "20260101T000000",
        )
        .unwrap_or_else(|error| panic!("{kind}: {error}"));
        let produced = world.run(&plan, &input).await.expect("is encoded");
        world.publish(&produced);
        let written = std::fs::read_to_string(world.published("file/video_c.srt")).expect("is a file");
        assert_eq!(
            written.trim_end(),
            "1\n00:00:00,500 --> 00:00:01,500\nGood evening",
            "{kind}"
        );
    }
}
