//! Jobs and sources with random edits: what the API would accept is planned, or refused with a path. `fuzz/` looks
//! at the same for longer.

use std::path::Path;
use std::sync::LazyLock;

use mediaconvert_job::validate;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use transcode::plan::{Plan, Refusal, plan};
use transcode::probe::{self, MediaInfo};

use crate::common::small;

static ANSWER: LazyLock<Value> = LazyLock::new(|| {
    json!({"format": {"format_name": "mov,mp4", "duration": "10.0"}, "streams": [
        {"index": 0, "codec_type": "video", "codec_name": "h264", "width": 1920, "height": 1080,
         "pix_fmt": "yuv420p10le", "r_frame_rate": "30000/1001", "avg_frame_rate": "30000/1001",
         "sample_aspect_ratio": "64:45", "color_transfer": "arib-std-b67", "field_order": "tt",
         "bit_rate": "8000000", "side_data_list": [{"rotation": -90}]},
        {"index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 6, "sample_rate": "44100",
         "tags": {"language": "kor"}}]})
});

/// The smallest and the largest of everything, and what is nothing of the kind.
fn replacement() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "AUTO",
        "0/0",
        "1/4294967295",
        "4294967295:1",
        "$w$_$rc$_$h%05$",
        "FILL",
        "CBR",
        "VBR",
        "QVBR",
        "FRAMES",
        "SPECIFIED",
        "GOP_MULTIPLE",
        "KOR",
        "1e300",
        "DEGREES_90",
        "-i",
        "s3://vod/x/mark",
        "INITIALIZE_FROM_SOURCE",
    ];
    prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(Value::from),
        2 => prop::sample::select(vec![0_i64, 1, 2, 32, 8192, 1_152_000_000, i64::from(i32::MAX), i64::MAX, -1])
            .prop_map(Value::from),
        1 => prop_oneof![Just(1e300), Just(1e-9), Just(0.5)].prop_map(Value::from),
        1 => prop::sample::select(vec![Value::Null, json!([]), json!({}), json!(true)]),
    ]
}

fn scalars(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                scalars(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                scalars(value, &format!("{at}/{index}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

fn edited(base: &Value, edits: Vec<(Index, Value)>) -> Value {
    let mut document = base.clone();
    for (at, with) in edits {
        let mut found = Vec::new();
        scalars(&document, "", &mut found);
        if let Some(part) = (!found.is_empty())
            .then(|| at.get(&found))
            .and_then(|path| document.pointer_mut(path))
        {
            *part = with;
        }
    }
    document
}

fn edits() -> impl Strategy<Value = Vec<(Index, Value)>> {
    prop::collection::vec((any::<Index>(), replacement()), 0..5)
}

/// A plan's command line has one input and its own file names; a refusal names a setting.
fn check(planned: Result<Plan, Refusal>) {
    match planned {
        Ok(plan) => {
            let arguments = plan.arguments(Path::new("/in/x.mp4"));
            assert_eq!(
                arguments.iter().filter(|argument| *argument == "-i").count(),
                1,
                "{arguments:?}"
            );
            let text = arguments
                .iter()
                .map(|argument| argument.to_str().expect("is text"));
            assert!(
                text.clone()
                    .all(|argument| !argument.contains('\0') && !argument.contains("mark"))
            );
            assert!(plan.rates().all(|rate| rate.num > 0 && rate.den > 0));
        }
        Err(refusal) => assert!(
            refusal.path.starts_with('/') && !refusal.message.is_empty(),
            "{refusal}"
        ),
    }
}

fn source() -> MediaInfo {
    probe::parse(&ANSWER)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_accepted_job_is_planned_or_refused_with_a_path(edits in edits()) {
        let settings = edited(&small(), edits);
        if validate::settings(&settings).is_empty() {
            check(plan(&settings, &source(), "20261121T052430"));
        }
    }

    #[test]
    fn any_answer_of_ffprobe_is_planned_or_refused(edits in edits()) {
        let info = probe::parse(&edited(&ANSWER, edits));
        if let Some(video) = &info.video {
            assert!(video.width > 0 && video.height > 0 && [0, 90, 180, 270].contains(&video.rotation));
        }
        check(plan(&small(), &info, "20261121T052430"));
    }
}
