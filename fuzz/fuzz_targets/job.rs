//! Jobs: what the API would accept is planned or refused with a path, and the plan's command line holds nothing
//! that a setting put there as an option or a file of its own.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mediaconvert_job::{to_wire, validate};
use serde_json::{Value, json};
use transcode::plan::plan;
use transcode::probe::{self, MediaInfo};
use vod_fuzz::{default_settings, edits};

static SETTINGS: LazyLock<Value> = LazyLock::new(|| {
    let mut settings = default_settings();
    settings["inputs"][0]["fileInput"] = json!("s3://vod/input/my film.mp4");
    for (group, member, folder) in [
        (0, "hlsGroupSettings", "hls"),
        (1, "fileGroupSettings", "mp4"),
        (2, "fileGroupSettings", "thumbnails"),
    ] {
        settings["outputGroups"][group]["outputGroupSettings"][member]["destination"] =
            json!(format!("s3://vod/output/a/default/{folder}/video"));
    }
    settings
});

static SOURCE: LazyLock<MediaInfo> = LazyLock::new(|| {
    probe::parse(
        &json!({"format": {"format_name": "mov,mp4", "duration": "10.0"}, "streams": [
        {"index": 0, "codec_type": "video", "codec_name": "h264", "width": 1921, "height": 1080,
         "pix_fmt": "yuv420p", "r_frame_rate": "30000/1001", "avg_frame_rate": "30000/1001",
         "sample_aspect_ratio": "64:45", "side_data_list": [{"rotation": -90}]},
        {"index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 6, "sample_rate": "44100",
         "tags": {"language": "kor"}}]}),
    )
});

fuzz_target!(|text: &str| {
    let Some(document) = edits::apply(&SETTINGS, text) else {
        return;
    };
    let settings = to_wire(document);
    let faults = validate::settings(&settings);
    assert!(
        faults
            .iter()
            .all(|fault| fault.path.is_empty() || fault.path.starts_with('/')),
        "{faults:?}"
    );
    if !faults.is_empty() {
        return;
    }
    let plan = match plan(&settings, &SOURCE, "20261121T052430") {
        Ok(plan) => plan,
        Err(refusal) => {
            assert!(
                refusal.path.starts_with('/') && !refusal.message.is_empty(),
                "{refusal}"
            );
            return;
        }
    };
    let input = Path::new("/in/x.mp4");
    let arguments: Vec<String> = plan
        .arguments(input)
        .into_iter()
        .map(|argument| argument.into_string().expect("arguments are text"))
        .collect();
    // Images and audio beside the video are inputs too.
    assert!(arguments.iter().any(|argument| argument == "-i"), "{arguments:?}");
    assert!(arguments.iter().all(|argument| !argument.contains('\0')));
    for group in &plan.groups {
        assert!(group.folder.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        for output in &group.outputs {
            assert!(output.stem.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }
    // Names that the user chose appear where the files are sent, never in ffmpeg's own words.
    let marked = arguments.iter().any(|argument| argument.contains("fuzz-mark"));
    assert!(!marked, "{arguments:?}");
});
