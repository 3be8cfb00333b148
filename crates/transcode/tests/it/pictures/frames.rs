//! Frames and fields in time: interlaced outputs, telecine, blended frames.

use super::*;

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
