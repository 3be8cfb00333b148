//! Templates: what is accepted reads back as itself, and the job made from it writes below the asset's own
//! folder, with everything else as the user had it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mediaconvert_job::{Template, overlay, system_preset, to_wire, validate};
use serde_json::{Value, json};
use vod_core::job::{Rules, Target, build};
use vod_core::record::Media;
use vod_fuzz::{default_settings, edits, keys};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| json!({"settings": default_settings(), "priority": 0}));

fuzz_target!(|text: &str| {
    let Some(document) = edits::apply(&DOCUMENT, text) else {
        assert!(
            Template::parse(text.as_bytes()).is_err(),
            "what is no JSON is no template"
        );
        return;
    };
    let wire = to_wire(document.clone());
    assert_eq!(to_wire(wire.clone()), wire, "the wire's spelling is a fixpoint");
    let Ok(template) = Template::parse(document.to_string().as_bytes()) else {
        return;
    };
    let again = Template::parse(written(&template).as_bytes());
    assert_eq!(again.ok().as_ref(), Some(&template), "a template reads back");

    let Some(template) = completed(template) else {
        return;
    };
    let nothing_known = Media::default();
    let portrait = Media {
        width: Some(480),
        height: Some(854),
        audio_tracks: Some(0),
        ..Media::default()
    };
    for media in [&nothing_known, &portrait] {
        for rules in [Rules::all(), no_rules()] {
            job(&template, media, rules);
        }
    }
});

/// The template with a job template and presets applied, as `pipeline::complete_template` does; `None` if they do not fit.
fn completed(template: Template) -> Option<Template> {
    let mut template = if template.job_template.is_some() {
        template.over_job_template(&DOCUMENT).ok()?
    } else {
        template
    };
    let preset = &DOCUMENT["settings"]["outputGroups"][0]["outputs"][0];
    overlay::apply_presets(&mut template.settings, |reference| {
        let name = &reference.preset;
        if let Some(settings) = system_preset::stand_in(name) {
            assert_eq!(validate::preset(&settings), [], "{name}");
        }
        Ok(preset)
    })
    .ok()?;
    assert!(overlay::references(&template.settings).is_empty());
    Some(template)
}

fn no_rules() -> Rules {
    Rules {
        audio_only: false,
        audio_tracks: false,
        drop_missing_audio: false,
        swap_for_portrait: false,
        keep_shape: false,
        no_upscale: false,
    }
}

fn written(template: &Template) -> String {
    let mut document = json!({"settings": template.settings, "jobTemplate": template.job_template});
    for (name, value) in [
        ("accelerationSettings", &template.acceleration_settings),
        ("priority", &template.priority),
        ("queue", &template.queue),
        ("statusUpdateInterval", &template.status_update_interval),
    ] {
        if let Some(value) = value {
            document[name] = value.clone();
        }
    }
    document.to_string()
}

fn job(template: &Template, media: &Media, rules: Rules) {
    let asset = keys::film();
    let target = Target {
        asset: &asset,
        template: "default",
        attempt: 2,
        input_bucket: "in",
        input_key: "input/my film.mp4",
        output_bucket: "out",
        role_arn: "arn:aws:iam::000000000000:role/r",
        queue: None,
        application: "vod",
    };
    let Ok(job) = build(template, &target, media, rules) else {
        return;
    };
    let settings = &job.body["settings"];
    // Any verdict will do, but there must be one.
    let _ = validate::settings(settings);
    assert_eq!(job.body["userMetadata"]["asset"], asset.as_str());
    assert_eq!(settings["inputs"][0]["fileInput"], "s3://in/input/my film.mp4");
    assert_eq!(settings["inputs"].as_array().map(Vec::len), Some(1));
    let own = format!("s3://out/output/{asset}/default/a2/");
    let groups = settings["outputGroups"].as_array().expect("a job has groups");
    let mut folders = Vec::new();
    for group in groups {
        let destination = destination(group).expect("each group has a destination");
        assert!(destination.starts_with(&own), "{destination}");
        folders.push(destination.to_owned());
    }
    folders.sort();
    folders.dedup();
    assert_eq!(folders.len(), groups.len(), "no two groups share a folder");
    if rules == no_rules() {
        assert!(job.changes.is_empty());
        assert_eq!(
            groups.len(),
            template.settings["outputGroups"].as_array().map_or(0, Vec::len)
        );
        untouched(&template.settings, settings);
    }
}

fn destination(group: &Value) -> Option<&str> {
    let settings = group.get("outputGroupSettings")?;
    let member = match settings.get("type").and_then(Value::as_str) {
        Some("HLS_GROUP_SETTINGS") => "hlsGroupSettings",
        Some("CMAF_GROUP_SETTINGS") => "cmafGroupSettings",
        Some("DASH_ISO_GROUP_SETTINGS") => "dashIsoGroupSettings",
        Some("MS_SMOOTH_GROUP_SETTINGS") => "msSmoothGroupSettings",
        _ => "fileGroupSettings",
    };
    settings.get(member)?.get("destination")?.as_str()
}

/// Every setting of the template is in the job as it was, but for the input and the destinations.
fn untouched(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                let ours = matches!(name.as_str(), "destination" | "fileInput")
                    || (name == "inputs" && (value.is_null() || value.as_array().is_some_and(Vec::is_empty)));
                if !ours {
                    untouched(value, &after[name]);
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            before
                .iter()
                .zip(after)
                .for_each(|(before, after)| untouched(before, after));
        }
        _ => assert_eq!(before, after),
    }
}
