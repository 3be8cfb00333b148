use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::state;

/// The sample of the contract, filled in: it must survive a round trip without gaining or losing a member.
const SAMPLE: &str = r#"{"schema":1,"id":"my-film-0123456789abcdef-01234567","state":"COMPLETE","progress":100,"title":"my film",
 "source":{"bucket":"vod","key":"input/my film.mp4","version":"v","etag":"e","size":1048576,"uploaded_at":"2026-11-21T10:00:00Z","sequencer":"0055",
           "duration_ms":7000,"width":1280,"height":720,"frame_rate":30.0,"rotation":0,"pixel_aspect":"64:45","audio_tracks":1},
 "jobs":[{"template":"default","template_sha256":"ab","attempt":1,"job_id":"1625859001514-vvqfwj","state":"COMPLETE","progress":100,
          "changes":[{"rule":"no-upscale","path":"/outputGroups/0/outputs/2"}],
          "warnings":[{"code":240000,"message":"w"}],"submitted_at":"2026-11-21T10:00:01Z","finished_at":"2026-11-21T10:00:02Z",
          "error":{"code":1010,"message":"m","meaning":"m","remedy":"r","retryable":false}}],
 "outputs":[{"template":"default","prefix":"output/my-film/default/",
             "hls":{"master":"a/hls/video.m3u8","variants":[{"key":"k","width":640,"height":360,"duration_ms":7000}]},
             "mp4":[{"key":"a/mp4/video.mp4","width":1280,"height":720,"duration_ms":7000}],
             "thumbnails":{"pattern":"a/thumbnails/video.%07d.jpg","first":0,"count":2,"interval_ms":5000,"poster":"p"}}],
 "left_out":[{"what":"subtitle track 2 (deu)","why":"w"}],
 "reason":"r","created_at":"2026-11-21T10:00:00Z","updated_at":"2026-11-21T10:00:02Z","lease":{"holder":"h","until":"2026-11-21T10:01:00Z"}}"#;

#[test]
fn contract_sample_round_trips() -> serde_json::Result<()> {
    let record: Record = serde_json::from_str(SAMPLE)?;
    let expected: serde_json::Value = serde_json::from_str(SAMPLE)?;
    assert_eq!(serde_json::to_value(&record)?, expected);
    Ok(())
}

#[test]
fn fields_that_do_not_apply_are_absent() -> serde_json::Result<()> {
    let id = AssetId::new("vod", "input/a b.mp4", None, "e");
    let source = Source {
        bucket: "vod".into(),
        key: "input/a b.mp4".into(),
        ..Source::default()
    };
    let json = serde_json::to_string(&Record::new(id, source, Timestamp::UNIX_EPOCH))?;
    assert!(!json.contains("null"), "{json}");
    assert!(json.contains(r#""title":"a b""#), "{json}");
    Ok(())
}

/// Any JSON value, nested a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// JSON pointers to every object of the sample, itself included.
fn objects(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                objects(member, format!("{path}/{name}"), found);
            }
            found.push(path);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The sample, with a member of a later version in each of its objects.
fn from_the_future() -> impl Strategy<Value = Value> {
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    let mut paths = Vec::new();
    objects(&sample, String::new(), &mut paths);
    prop::collection::vec(any_json(), paths.len()).prop_map(move |values| {
        let mut record = sample.clone();
        for (path, value) in paths.iter().zip(values) {
            record.pointer_mut(path).unwrap()["from_the_future"] = value;
        }
        record
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn unknown_members_survive_a_read_and_write(stored in from_the_future()) {
        let record: Record = serde_json::from_str(&stored.to_string()).unwrap();
        let written: Value = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        prop_assert_eq!(written, stored);
    }

    #[test]
    fn unknown_members_survive_a_change(stored in from_the_future()) {
        let mut record: Record = serde_json::from_value(stored.clone()).unwrap();
        let warning = Warning { code: 1, ..Warning::default() };
        let changed = state::apply(&mut record, "default", 1, "j", &state::Change::Warning(warning), Timestamp::UNIX_EPOCH);
        prop_assert!(changed);
        let mut written = serde_json::to_value(&record).unwrap();
        written["jobs"][0]["warnings"].as_array_mut().unwrap().remove(0);
        for member in ["reason", "lease"] {
            written[member] = stored[member].clone();
        }
        prop_assert_eq!(written, stored);
    }
}
