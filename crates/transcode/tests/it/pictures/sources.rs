//! Properties of the source that a job states: sample range, alpha channel, kind of scan.

use super::*;

/// The mean difference of the luma of two videos in one picture.
fn difference(one: &Path, other: &Path) -> f64 {
    let picture = |path: &Path| samples(path, "select=eq(n\\,5),format=yuv444p,extractplanes=y");
    let (one, other) = (picture(one), picture(other));
    assert_eq!(one.len(), other.len());
    let sum: u64 = one
        .iter()
        .zip(&other)
        .map(|(one, other)| u64::from(one.abs_diff(*other)))
        .sum();
    f64::from(u32::try_from(sum).expect("is small")) / f64::from(u32::try_from(one.len()).expect("is small"))
}

#[tokio::test]
async fn the_range_that_the_job_states_is_that_of_the_source() {
    let world = World::new();
    // Full range, of which the file says nothing.
    let input = world.clip(
        "full.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "color=black:s=160x120:r=25:d=0.4,format=yuv420p,geq=lum='if(lt(X,80),0,255)':cb=128:cr=128",
            "-crf",
            "4",
        ],
    );
    for (range, black, white) in [(None, 0.0, 255.0), (Some("FULL_RANGE"), 16.0, 235.0)] {
        let mut settings = job(&json!({}));
        settings["inputs"][0]["videoSelector"] = match range {
            Some(range) => json!({"colorSpace": "REC_709", "sampleRange": range}),
            None => json!({"colorSpace": "REC_709"}),
        };
        encode(&world, &settings, &input, &[]).await;
        let (left, right) = (
            luma(&video(&world), 0.0, "60:120:0:0"),
            luma(&video(&world), 0.0, "60:120:100:0"),
        );
        assert!((left - black).abs() < 6.0, "{range:?}: {left}, not {black}");
        assert!((right - white).abs() < 6.0, "{range:?}: {right}, not {white}");
        assert_ne!(ffprobe(&video(&world))["color_range"], "pc", "{range:?}");
    }
}

#[tokio::test]
async fn an_alpha_channel_becomes_the_picture() {
    let world = World::new();
    let input = world.clip(
        "alpha.mov",
        &[
            "-f",
            "lavfi",
            "-i",
            "color=gray:s=160x120:r=25:d=0.4,format=rgba,geq=r=128:g=128:b=128:a='if(lt(X,80),255,0)'",
            "-c:v",
            "png",
        ],
    );
    let mut settings = job(&json!({}));
    settings["inputs"][0]["videoSelector"] = json!({"alphaBehavior": "REMAP_TO_LUMA"});
    encode(&world, &settings, &input, &[]).await;
    let (opaque, clear) = (
        luma(&video(&world), 0.0, "60:120:0:0"),
        luma(&video(&world), 0.0, "60:120:100:0"),
    );
    assert!(opaque > 210.0 && clear < 40.0, "{opaque} and {clear}");
    // Without it, the picture is the color.
    settings["inputs"][0]["videoSelector"] = json!({"alphaBehavior": "DISCARD"});
    encode(&world, &settings, &input, &[]).await;
    near(luma(&video(&world), 0.0, "60:120:0:0"), 126.0, "gray");
}

#[tokio::test]
async fn progressive_frames_that_are_marked_as_fields_stay_as_they_are() {
    let world = World::new();
    // Every other line changes with each frame, which a deinterlacer takes for fields.
    let picture =
        "color=gray:s=160x96:r=25:d=0.4,format=yuv420p,geq=lum='if(mod(Y+N,2),180,70)':cb=128:cr=128";
    let input = world.clip(
        "psf.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            picture,
            "-vf",
            "setfield=tff",
            "-flags",
            "+ildct+ilme",
            "-x264-params",
            "tff=1",
            "-crf",
            "4",
        ],
    );
    let mut settings = job(&json!({"width": 160, "height": 96}));
    encode(&world, &settings, &input, &[]).await;
    let deinterlaced = difference(&video(&world), &input);
    settings["inputs"][0]["inputScanType"] = json!("PSF");
    encode(&world, &settings, &input, &[]).await;
    let kept = difference(&video(&world), &input);
    assert!(
        kept < 15.0 && deinterlaced > kept * 2.0,
        "{kept} as frames, {deinterlaced} as fields"
    );
    assert_eq!(ffprobe(&video(&world))["field_order"], "progressive");
}
