//! ffprobe's answer, which follows what a stranger's file says of itself: facts within their bounds, and a plan
//! or a refusal for the built-in template.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use transcode::plan::plan;
use transcode::probe;
use vod_fuzz::{default_settings, edits};

static ANSWER: LazyLock<Value> = LazyLock::new(|| {
    json!({"format": {"format_name": "mov,mp4,m4a,3gp,3g2,mj2", "duration": "7.005"}, "streams": [
        {"index": 0, "codec_type": "video", "codec_name": "hevc", "width": 1920, "height": 1080,
         "pix_fmt": "yuv420p10le", "r_frame_rate": "30000/1001", "avg_frame_rate": "30000/1001",
         "color_transfer": "arib-std-b67", "color_primaries": "bt2020", "color_space": "bt2020nc",
         "side_data_list": [{"rotation": -90}], "bit_rate": "8000000", "sample_aspect_ratio": "1:1"},
        {"index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 2, "sample_rate": "48000",
         "tags": {"language": "kor"}, "bit_rate": "128000"}]})
});

static SETTINGS: LazyLock<Value> = LazyLock::new(|| {
    let mut settings = default_settings();
    settings["inputs"][0]["fileInput"] = json!("s3://vod/input/x.mp4");
    for (group, member) in [
        (0, "hlsGroupSettings"),
        (1, "fileGroupSettings"),
        (2, "fileGroupSettings"),
    ] {
        settings["outputGroups"][group]["outputGroupSettings"][member]["destination"] =
            json!("s3://vod/output/a/video");
    }
    settings
});

fuzz_target!(|text: &str| {
    let Some(answer) = edits::apply(&ANSWER, text) else {
        return;
    };
    let info = probe::parse(&answer);
    if let Some(video) = &info.video {
        assert!(video.width > 0 && video.height > 0);
        assert!([0, 90, 180, 270].contains(&video.rotation));
        for ratio in [video.frame_rate, video.sample_aspect] {
            assert!(ratio.num > 0 && ratio.den > 0);
        }
    }
    assert!(info.audio.iter().all(|track| track.channels > 0));
    match plan(&SETTINGS, &info, "20261121T052430") {
        Ok(plan) => {
            let arguments = plan.arguments(Path::new("/in/x.mp4"));
            assert_eq!(arguments.iter().filter(|argument| *argument == "-i").count(), 1);
            let text =
                |argument: &std::ffi::OsString| argument.to_str().is_some_and(|text| !text.contains('\0'));
            assert!(arguments.iter().all(text), "{arguments:?}");
            assert!(plan.rates().all(|rate| rate.num > 0 && rate.den > 0));
        }
        Err(refusal) => assert!(refusal.path.starts_with('/'), "{refusal}"),
    }
});
