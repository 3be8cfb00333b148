//! Colors: corrected, converted, and what streams say of them.

use super::*;

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
