//! Real encodes of generated clips, judged by ffprobe.

use crate::common::{World, decoded_frames, ffprobe, keyframes, no_sound, small, with};
use serde_json::{Value, json};
use transcode::exec::TranscodeError;
use transcode::probe::Ratio;
use transcode::produced::Produced;

/// Seconds by which play times may differ from the source's.
const TOLERANCE_MS: u64 = 100;

#[tokio::test]
async fn a_clip_becomes_hls_mp4_and_thumbnails() {
    let world = World::new();
    let input = world.clip(
        "in.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=30:d=7",
            "-f",
            "lavfi",
            "-i",
            "sine=d=7",
        ],
    );
    let (plan, produced) = world.encode(&small(), &input).await.expect("is encoded");
    assert_eq!(plan.warnings, []);

    check_details(&produced);

    // As a bucket would have it, so that playlists find their segments.
    world.publish(&produced);
    let mut cuts: Vec<Vec<f64>> = Vec::new();
    for (name, size) in [
        ("video_72", (128, 72)),
        ("video_108", (192, 108)),
        ("video_144", (256, 144)),
    ] {
        let path = world.published(&format!("hls/{name}.m3u8"));
        let info = ffprobe(&path);
        assert_eq!(
            (info["width"].as_u64(), info["height"].as_u64()),
            (Some(size.0), Some(size.1))
        );
        cuts.push(keyframes(&path));
        assert_eq!(
            cuts[0],
            cuts[cuts.len() - 1],
            "keyframes are at the same instants"
        );
    }
    assert_eq!(cuts[0], [0.0, 2.0, 4.0, 6.0]);
    let mp4 = world.published("mp4/video.mp4");
    assert_eq!(keyframes(&mp4), cuts[0]);
    assert_eq!(decoded_frames(&world.published("hls/video.m3u8")), 210);
    let index = std::fs::read(&mp4).expect("is a file");
    let at = |name: &[u8]| index.windows(4).position(|window| window == name);
    assert!(at(b"moov") < at(b"mdat"), "the index is in front");
}

/// The content of the COMPLETE event, and the order in which files are sent.
fn check_details(produced: &Produced) {
    let details = produced.output_group_details();
    let [hls, mp4, thumbnails] = details.as_array().expect("is a list").as_slice() else {
        panic!("three groups")
    };
    assert_eq!(
        (&hls["type"], &mp4["type"]),
        (&json!("HLS_GROUP"), &json!("FILE_GROUP"))
    );
    assert_eq!(hls["playlistFilePaths"], json!(["s3://vod/out/hls/video.m3u8"]));
    assert_eq!(
        hls["outputDetails"][1]["outputFilePaths"],
        json!(["s3://vod/out/hls/video_108.m3u8"])
    );
    assert_eq!(
        hls["outputDetails"][1]["videoDetails"],
        json!({"widthInPx": 192, "heightInPx": 108})
    );
    assert_eq!(
        mp4["outputDetails"][0]["outputFilePaths"],
        json!(["s3://vod/out/mp4/video.mp4"])
    );
    // Of two pictures, the last is named.
    assert_eq!(
        thumbnails["outputDetails"][0]["outputFilePaths"],
        json!(["s3://vod/out/thumbnails/video.0000001.jpg"])
    );
    for output in hls["outputDetails"]
        .as_array()
        .expect("is a list")
        .iter()
        .chain([&mp4["outputDetails"][0]])
    {
        assert!(
            output["durationInMs"]
                .as_u64()
                .expect("is a number")
                .abs_diff(7000)
                <= TOLERANCE_MS,
            "{output}"
        );
    }

    let names: Vec<&str> = produced
        .files
        .iter()
        .filter_map(|file| file.url.strip_prefix("s3://vod/out/hls/"))
        .collect();
    let segments = [
        "video_72_00001.ts",
        "video_72_00002.ts",
        "video_108_00001.ts",
        "video_108_00002.ts",
        "video_144_00001.ts",
        "video_144_00002.ts",
    ];
    let playlists = ["video_72.m3u8", "video_108.m3u8", "video_144.m3u8", "video.m3u8"];
    assert_eq!(
        names,
        [segments.as_slice(), playlists.as_slice()].concat(),
        "segments go first, the master last"
    );
}

#[tokio::test]
async fn sources_of_all_kinds_are_encoded() {
    // Each with the options that make it and what must be true of the MP4.
    let clip: &[&str] = &[
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=320x180:r=25:d=1.2",
        "-f",
        "lavfi",
        "-i",
        "sine=d=1.2",
    ];
    for (name, options, codec) in [
        ("short.mov", &[] as &[&str], &["-c:v", "libx264"] as &[&str]),
        ("surround.mp4", &["-ac", "6"], &["-c:v", "libx264"]),
        (
            "odd.mkv",
            &["-vf", "scale=321:181"],
            &["-c:v", "ffv1", "-pix_fmt", "yuv444p"],
        ),
        (
            "varying.mkv",
            &["-vf", "select=lt(n\\,10)+not(mod(n\\,3))", "-fps_mode", "vfr"],
            &["-c:v", "libx264"],
        ),
        (
            "anamorphic.mp4",
            &["-vf", "scale=240:180,setsar=4/3"],
            &["-c:v", "libx264"],
        ),
        (
            "interlaced.ts",
            &["-vf", "interlace", "-flags", "+ilme+ildct", "-top", "1"],
            &["-c:v", "mpeg2video"],
        ),
        ("full range.avi", &[], &["-c:v", "mjpeg"]),
        ("no suffix", &["-f", "matroska"], &["-c:v", "libx264"]),
        (
            "late-audio.mp4",
            &["-af", "adelay=300:all=1", "-t", "1.2"],
            &["-c:v", "libx264"],
        ),
    ] {
        let world = World::new();
        let input = world.clip(name, &[clip, options, codec].concat());
        let (_, produced) = world
            .encode(&small(), &input)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        world.publish(&produced);
        let mp4 = ffprobe(&world.published("mp4/video.mp4"));
        assert_eq!(
            (&mp4["width"], &mp4["height"]),
            (&json!(256), &json!(144)),
            "{name}"
        );
        assert_eq!(
            (&mp4["pix_fmt"], &mp4["sample_aspect_ratio"]),
            (&json!("yuv420p"), &json!("1:1")),
            "{name}"
        );
        assert_eq!(
            mp4["r_frame_rate"], mp4["avg_frame_rate"],
            "{name}: the rate is constant"
        );
        assert_eq!(
            (&mp4["audio"]["channels"], &mp4["audio"]["sample_rate"]),
            (&json!(2), &json!("48000")),
            "{name}"
        );
        let duration = produced.groups[1].outputs[0].duration_ms;
        assert!(duration.abs_diff(1200) <= 150, "{name}: {duration} ms");
    }
}

#[tokio::test]
async fn rotation_follows_the_file_only_if_asked() {
    let world = World::new();
    let upright = world.clip("a.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"]);
    let turned = world.clip(
        "turned.mov",
        &[
            "-i",
            upright.to_str().expect("is text"),
            "-c",
            "copy",
            "-metadata:s:v",
            "rotate=90",
        ],
    );
    for (rotate, size) in [
        ("AUTO", (72, 128)),
        ("DEGREE_0", (72, 40)),
        ("DEGREES_180", (72, 40)),
        ("DEGREES_90", (72, 128)),
    ] {
        let settings = with(no_sound(small()), |settings| {
            settings["inputs"][0]["videoSelector"]["rotate"] = json!(rotate);
            settings["outputGroups"] = json!([settings["outputGroups"][1]]);
            settings["outputGroups"][0]["outputs"][0]["videoDescription"]["width"] = json!(72);
            settings["outputGroups"][0]["outputs"][0]["videoDescription"]["height"] = Value::Null;
        });
        let (_, produced) = world.encode(&settings, &turned).await.expect("is encoded");
        assert_eq!(produced.groups[0].outputs[0].size, Some(size), "{rotate}");
        world.publish(&produced);
        let mp4 = ffprobe(&world.published("mp4/video.mp4"));
        assert_eq!(
            (mp4["width"].as_u64(), mp4["height"].as_u64()),
            (Some(size.0.into()), Some(size.1.into())),
            "{rotate}"
        );
        assert_eq!(
            mp4["side_data_list"],
            Value::Null,
            "{rotate}: players must not turn it again"
        );
    }
}

#[tokio::test]
async fn wide_colors_are_tone_mapped() {
    for (transfer, warnings) in [
        ("arib-std-b67", 1),
        ("smpte2084", 1),
        ("bt2020-10", 0),
        ("bt709", 0),
    ] {
        let world = World::new();
        let color = format!("log-level=error:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc");
        let clip = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=1"];
        let codec = [
            "-c:v",
            "libx265",
            "-pix_fmt",
            "yuv420p10le",
            "-x265-params",
            &color,
            "-tag:v",
            "hvc1",
        ];
        let tags = [
            "-color_primaries",
            "bt2020",
            "-color_trc",
            transfer,
            "-colorspace",
            "bt2020nc",
        ];
        let input = world.clip("phone.mov", &[clip.as_slice(), &codec, &tags].concat());
        let (plan, produced) = world.encode(&no_sound(small()), &input).await.expect(transfer);
        assert_eq!(plan.warnings.len(), warnings, "{transfer}");
        world.publish(&produced);
        let mp4 = ffprobe(&world.published("mp4/video.mp4"));
        assert_eq!(
            (&mp4["pix_fmt"], &mp4["profile"]),
            (&json!("yuv420p"), &json!("High")),
            "{transfer}"
        );
        let tags = (
            &mp4["color_transfer"],
            &mp4["color_primaries"],
            &mp4["color_space"],
        );
        assert_eq!(
            tags,
            (&json!("bt709"), &json!("bt709"), &json!("bt709")),
            "{transfer}"
        );
    }
}

#[tokio::test]
async fn segments_of_ntsc_rates_are_aligned() {
    let world = World::new();
    let input = world.clip(
        "in.mp4",
        &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30000/1001:d=5"],
    );
    let settings = with(no_sound(small()), |settings| {
        // Neither a multiple of the GOP nor of the pictures.
        settings["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["segmentLength"] = json!(3);
    });
    let (plan, produced) = world.encode(&settings, &input).await.expect("is encoded");
    assert_eq!(plan.groups[0].outputs.len(), 3);
    world.publish(&produced);
    let of = |name: &str| keyframes(&world.published(&format!("hls/{name}.m3u8")));
    assert_eq!(of("video_72"), of("video_144"));
    // The count of GOPs starts again at 3 s, where the second segment begins.
    let expected = [0.0, 2.002, 3.003, 5.005];
    let near = of("video_72")
        .iter()
        .zip(expected)
        .all(|(at, expected)| (at - expected).abs() < 0.002);
    assert!(near, "{:?}", of("video_72"));
    assert_eq!(
        produced
            .files
            .iter()
            .filter(|file| file.url.contains("video_72_"))
            .count(),
        2
    );
}

#[tokio::test]
async fn rates_given_by_the_job_are_made() {
    let world = World::new();
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=2"]);
    let settings = with(no_sound(small()), |settings| {
        let h264 = &mut settings["outputGroups"][1]["outputs"][0]["videoDescription"]["codecSettings"]["h264Settings"];
        h264["framerateControl"] = json!("SPECIFIED");
        h264["framerateNumerator"] = json!(15);
        h264["framerateDenominator"] = json!(1);
    });
    let (plan, produced) = world.encode(&settings, &input).await.expect("is encoded");
    let rates: Vec<Ratio> = plan.rates().collect();
    assert_eq!(
        rates,
        [
            Ratio { num: 30, den: 1 },
            Ratio { num: 30, den: 1 },
            Ratio { num: 30, den: 1 },
            Ratio { num: 15, den: 1 }
        ]
    );
    world.publish(&produced);
    assert_eq!(
        ffprobe(&world.published("mp4/video.mp4"))["r_frame_rate"],
        json!("15/1")
    );
    assert_eq!(
        ffprobe(&world.published("hls/video_72.m3u8"))["r_frame_rate"],
        json!("30/1")
    );
}

#[tokio::test]
async fn sound_alone_is_a_file() {
    let world = World::new();
    let input = world.clip("in.mp3", &["-f", "lavfi", "-i", "sine=d=1", "-c:a", "libmp3lame"]);
    let settings = with(small(), |settings| {
        settings["outputGroups"] = json!([settings["outputGroups"][1]]);
        let output = &mut settings["outputGroups"][0]["outputs"][0];
        output
            .as_object_mut()
            .expect("is an object")
            .remove("videoDescription");
        output["extension"] = json!("m4a");
    });
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    assert_eq!(produced.files[0].url, "s3://vod/out/mp4/video.m4a");
    assert_eq!(produced.groups[0].outputs[0].size, None);
}

#[tokio::test]
async fn work_of_an_earlier_try_is_removed() {
    let world = World::new();
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"]);
    std::fs::create_dir_all(world.work().join("g2")).expect("is created");
    std::fs::write(world.work().join("g2/o0.0000001.jpg"), "old").expect("is written");
    let (_, produced) = world
        .encode(&no_sound(small()), &input)
        .await
        .expect("is encoded");
    assert_eq!(
        produced
            .files
            .iter()
            .filter(|file| file.url.contains("thumbnails"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_setting_of_the_encoder_that_it_rejects_is_an_error_with_its_words() {
    let world = World::new();
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"]);
    let settings = with(no_sound(small()), |settings| {
        settings["outputGroups"][0]["outputs"][0]["videoDescription"]["codecSettings"]["h264Settings"]["codecLevel"] =
            json!("LEVEL_99");
    });
    let error = world
        .encode(&settings, &input)
        .await
        .expect_err("there is no such level");
    let transcode = error.downcast_ref::<TranscodeError>().expect("the encoder fails");
    assert!(
        transcode.failure("s3://vod/input/x").message.contains("level"),
        "{transcode}"
    );
}

/// Settings beside the default ones, in every combination that a flag of its own comes from: the encoder must
/// know all flags.
#[tokio::test]
async fn the_encoder_knows_every_flag() {
    let world = World::new();
    let input = world.clip(
        "in.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x240:r=25:d=1",
            "-f",
            "lavfi",
            "-i",
            "sine=d=1",
        ],
    );
    let constant = json!({"rateControlMode": "CBR", "bitrate": 400_000, "hrdBufferSize": 400_000,
        "hrdBufferInitialFillPercentage": 80, "codecLevel": "LEVEL_3_1", "codecProfile": "HIGH",
        "entropyEncoding": "CAVLC", "adaptiveQuantization": "HIGH", "gopBReference": "ENABLED",
        "dynamicSubGop": "STATIC", "slices": 2, "gopSize": 12, "gopSizeUnits": "FRAMES", "sceneChangeDetect": "DISABLED",
        "qualityTuningLevel": "SINGLE_PASS_HQ"});
    let quality = json!({"rateControlMode": "QVBR", "maxBitrate": 800_000, "adaptiveQuantization": "OFF",
        "qvbrSettings": {"qvbrQualityLevel": 8, "qvbrQualityLevelFineTune": 0.33}, "gopBReference": "DISABLED",
        "dynamicSubGop": "ADAPTIVE", "gopSizeUnits": "AUTO", "codecProfile": "BASELINE", "qualityTuningLevel": "MULTI_PASS_HQ"});
    for (container, h264, scaling, aac, offset, warnings) in [
        (
            "MOV",
            constant,
            "FILL",
            json!({"bitrate": 96_000, "codingMode": "CODING_MODE_1_0", "sampleRate": 44_100}),
            200,
            0,
        ),
        (
            "M2TS",
            quality,
            "STRETCH_TO_OUTPUT",
            json!({"rateControlMode": "VBR", "vbrQuality": "HIGH", "codingMode": "CODING_MODE_AUTO", "sampleRate": 48_000}),
            -200,
            1,
        ),
    ] {
        let settings = with(small(), |settings| {
            settings["inputs"][0]["audioSelectors"]["Audio Selector 1"]["offset"] = json!(offset);
            settings["inputs"][0]["videoSelector"]["rotate"] = json!("DEGREES_180");
            let output = &mut settings["outputGroups"][1]["outputs"][0];
            output["containerSettings"] = json!({"container": container});
            output["videoDescription"]["scalingBehavior"] = json!(scaling);
            output["videoDescription"]["sharpness"] = json!(100);
            output["videoDescription"]["codecSettings"]["h264Settings"] = h264;
            output["audioDescriptions"][0]["codecSettings"]["aacSettings"] = aac;
        });
        let (plan, produced) = world.encode(&settings, &input).await.expect(container);
        assert_eq!(plan.warnings.len(), warnings, "{container}");
        world.publish(&produced);
        let file = ffprobe(&world.published(&format!("mp4/video.{}", container.to_lowercase())));
        assert_eq!(
            (&file["width"], &file["height"]),
            (&json!(256), &json!(144)),
            "{container}"
        );
        assert_eq!(file["sample_aspect_ratio"], json!("1:1"), "{container}");
    }
}
