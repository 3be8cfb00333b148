//! The built-in template with random edits: what is accepted reads back, and its job writes into its own folder.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mediaconvert_job::{Template, to_wire, validate};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use vod_core::job::{Rules, Target, build};
use vod_core::record::Media;

use crate::film;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_slice(include_bytes!("../../../../job-templates/default.json")).expect("is JSON")
});

/// A replacement for a part.
fn replacement() -> impl Strategy<Value = Option<Value>> {
    let words = [
        "",
        "HLS_GROUP_SETTINGS",
        "CMAF_GROUP_SETTINGS",
        "FRAME_CAPTURE",
        "H_264",
        "s3://elsewhere/x",
        "../x",
        "AUTO",
    ];
    prop_oneof![
        2 => Just(None),
        2 => prop_oneof![Just(0_i64), Just(-1), Just(i64::MAX), 1_i64..5000].prop_map(|number| Some(number.into())),
        2 => prop::sample::select(words.to_vec()).prop_map(|word| Some(word.into())),
        1 => Just(Some(Value::Null)),
        1 => Just(Some(json!([]))),
        1 => Just(Some(json!({}))),
        1 => Just(Some(json!([{"Destination": "s3://elsewhere/"}]))),
        1 => Just(Some(json!(1e300))),
    ]
}

fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(
                    value,
                    &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Changes one part: `None` takes it away, and a list of edits may meet a part that is gone.
fn edit(document: &mut Value, at: Index, with: Option<Value>) {
    let mut found = Vec::new();
    pointers(document, "", &mut found);
    let pointer = at.get(&found);
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return;
    };
    match (with, document.pointer_mut(parent)) {
        (Some(value), _) => {
            if let Some(part) = document.pointer_mut(pointer) {
                *part = value;
            }
        }
        (None, Some(Value::Object(members))) => {
            members.remove(name);
        }
        (None, Some(Value::Array(items))) => {
            // Twice is as good as never: groups that look the same must not share a folder.
            if let Some(item) = name
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index))
                .cloned()
            {
                items.push(item);
            }
        }
        _ => {}
    }
}

fn destinations(settings: &Value) -> Vec<&str> {
    let destination = |group: &'_ Value| {
        let member = match group.pointer("/outputGroupSettings/type").and_then(Value::as_str) {
            Some("HLS_GROUP_SETTINGS") => "hlsGroupSettings",
            Some("CMAF_GROUP_SETTINGS") => "cmafGroupSettings",
            Some("DASH_ISO_GROUP_SETTINGS") => "dashIsoGroupSettings",
            Some("MS_SMOOTH_GROUP_SETTINGS") => "msSmoothGroupSettings",
            _ => "fileGroupSettings",
        };
        format!("/outputGroupSettings/{member}/destination")
    };
    let groups = settings["outputGroups"].as_array().expect("a job has groups");
    let of = |group| Value::pointer(group, &destination(group)).and_then(Value::as_str);
    groups
        .iter()
        .map(|group| of(group).expect("each group has a destination"))
        .collect()
}

proptest! {
    #[test]
    fn a_template_reads_back_and_its_job_stays_in_its_folder(
        edits in prop::collection::vec((any::<Index>(), replacement()), 0..4),
        width in prop::option::of(1_u32..4000), sounds in prop::option::of(0_u32..3),
    ) {
        let mut document = DOCUMENT.clone();
        for (at, with) in edits {
            edit(&mut document, at, with);
        }
        let wire = to_wire(document.clone());
        prop_assert_eq!(to_wire(wire.clone()), wire);
        if let Ok(template) = Template::parse(document.to_string().as_bytes()) {
            let again = json!({"settings": template.settings, "priority": template.priority, "queue": template.queue,
                "accelerationSettings": template.acceleration_settings,
                "statusUpdateInterval": template.status_update_interval, "jobTemplate": template.job_template});
            let again = Template::parse(again.to_string().as_bytes()).ok();
            prop_assert_eq!(again.as_ref(), Some(&template));

            let asset = film();
            let target = Target {
                asset: &asset, template: "default", attempt: 1, input_bucket: "in", input_key: "input/x",
                output_bucket: "out", role_arn: "r", queue: None, application: "vod",
            };
            let media = Media { width, height: width.map(|width| width / 2), audio_tracks: sounds, ..Media::default() };
            if let Ok(job) = build(&template, &target, &media, Rules::all()) {
                let settings = &job.body["settings"];
                let _ = validate::settings(settings);
                let own = format!("s3://out/output/{asset}/default/");
                let written = destinations(settings);
                prop_assert!(written.iter().all(|url| url.starts_with(&own)), "{:?}", written);
                prop_assert_eq!(written.iter().collect::<BTreeSet<_>>().len(), written.len());
                prop_assert_eq!(&settings["inputs"][0]["fileInput"], "s3://in/input/x");
            }
        }
    }
}
