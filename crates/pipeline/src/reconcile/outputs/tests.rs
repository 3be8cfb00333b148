use jiff::Timestamp;
use vod_core::events::parse_job_event;
use vod_core::job::{self as jobs, Rules, Target};
use vod_core::record::{Media, OutputSet};
use vod_core::state::Change;

use super::*;

fn asset() -> AssetId {
    AssetId::new("vod", "input/film.mp4", None, "e")
}

/// The settings of the built-in template's job, as submit sends them.
fn settings(asset: &AssetId) -> Value {
    let template = mediaconvert_job::Template::parse(crate::DEFAULT_TEMPLATE.as_bytes()).unwrap();
    let target = Target {
        asset,
        template: "default",
        attempt: 1,
        input_bucket: "vod",
        input_key: "input/film.mp4",
        output_bucket: "vod",
        role_arn: "r",
        queue: None,
        application: "vod",
    };
    let job = jobs::build(&template, &target, &Media::default(), Rules::all()).unwrap();
    job.body["settings"].clone()
}

/// A job with these settings, null if they are forgotten.
fn job(settings: &Value, outputs: &[Vec<OutputInfo>]) -> JobInfo {
    JobInfo {
        id: "j".to_owned(),
        input: "s3://vod/input/film.mp4".to_owned(),
        finished_at: Some(Timestamp::UNIX_EPOCH),
        warnings: vec![240_000],
        settings: settings.clone(),
        outputs: outputs.to_vec(),
        ..JobInfo::default()
    }
}

fn ended<'a>(asset: &'a AssetId, job: &'a JobInfo) -> Ended<'a> {
    Ended {
        application: "vod",
        output_bucket: "vod",
        asset,
        template: "default",
        attempt: 1,
        job,
    }
}

/// The outputs of a job of the built-in template.
fn observed(asset: &AssetId, without: &str) -> Observed {
    let mut observed = Observed::default();
    let modifiers: Vec<String> = settings(asset)["outputGroups"][0]["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|output| output["nameModifier"].as_str().unwrap().to_owned())
        .collect();
    let mut names = vec!["hls/video.m3u8".to_owned(), "mp4/video.mp4".to_owned()];
    for modifier in modifiers {
        names.push(format!("hls/video{modifier}.m3u8"));
        names.extend((1..=3).map(|number| format!("hls/video{modifier}_{number:05}.ts")));
    }
    names.extend((0..=4).map(|number| format!("thumbnails/video.{number:07}.jpg")));
    for name in names.iter().filter(|name| *name != without) {
        observed.add(&format!("output/{asset}/default/{name}"));
    }
    observed
}

/// The outputs that `complete` reads from the event.
fn outputs(event: &Value) -> OutputSet {
    let event = parse_job_event(event, "vod").unwrap().unwrap();
    match event.change {
        Some(Change::Complete { outputs, .. }) => *outputs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_event_names_what_the_settings_promise() {
    let (asset, prefix) = (asset(), format!("output/{}/default/", asset()));
    let settings = settings(&asset);
    let info = OutputInfo {
        duration_ms: Some(7000),
        width: Some(640),
        height: Some(360),
    };
    let details = [vec![info; 3], vec![info], vec![]];
    let job = job(&settings, &details);
    let job = ended(&asset, &job);
    let set = outputs(&complete(&job, &observed(&asset, "")).unwrap());
    assert_eq!(set.prefix, prefix);
    let hls = set.hls.unwrap();
    assert_eq!(hls.master, format!("{prefix}hls/video.m3u8"));
    assert_eq!(
        hls.variants.len(),
        settings["outputGroups"][0]["outputs"].as_array().unwrap().len()
    );
    let first = &hls.variants[0];
    assert_eq!(
        (first.width, first.height, first.duration_ms),
        (Some(640), Some(360), Some(7000))
    );
    assert_eq!(set.mp4[0].key, format!("{prefix}mp4/video.mp4"));
    assert_eq!(set.thumbnails.unwrap().count, 5);
}

#[test]
fn the_listing_alone_says_the_same() {
    let asset = asset();
    let settings = settings(&asset);
    let with = complete(&ended(&asset, &job(&settings, &[])), &observed(&asset, "")).unwrap();
    let without = complete(&ended(&asset, &job(&Value::Null, &[])), &observed(&asset, "")).unwrap();
    let keys = |event: &Value| {
        let set = outputs(event);
        let mut variants: Vec<String> = set
            .hls
            .iter()
            .flat_map(|hls| &hls.variants)
            .map(|v| v.key.clone())
            .collect();
        variants.sort();
        let mp4: Vec<String> = set.mp4.iter().map(|mp4| mp4.key.clone()).collect();
        (
            set.prefix,
            set.hls.map(|hls| hls.master),
            variants,
            mp4,
            set.thumbnails,
        )
    };
    assert_eq!(keys(&with), keys(&without));
}

#[test]
fn incomplete_outputs_make_no_event() {
    let asset = asset();
    let settings = settings(&asset);
    let own = job(&settings, &[]);
    let ended_job = ended(&asset, &own);
    for name in ["hls/video.m3u8", "mp4/video.mp4"] {
        let missing = complete(&ended_job, &observed(&asset, name)).unwrap_err();
        assert_eq!(missing.0, format!("output/{asset}/default/{name}"));
    }
    let mut bare = observed(&asset, "");
    bare.frames.clear();
    assert!(complete(&ended_job, &bare).is_err());
    assert!(complete(&ended(&asset, &job(&Value::Null, &[])), &Observed::default()).is_err());
}

#[test]
fn segments_are_not_kept() {
    let observed = observed(&asset(), "");
    assert_eq!(
        observed.files.iter().filter(|key| key.contains("_0000")).count(),
        0
    );
    assert_eq!(observed.frames.values().copied().collect::<Vec<_>>(), [4]);
}

#[test]
fn folders_name_the_attempt() {
    let asset = asset();
    for (rest, expected) in [
        ("default/hls/video.m3u8", Some(("default", 1))),
        ("default/a3/hls/video.m3u8", Some(("default", 3))),
        ("hd/a1/x", Some(("hd", 1))),
        ("hd/abc/x", Some(("hd", 1))),
        ("x", None),
    ] {
        let found = attempt_of(&asset, &format!("output/{asset}/{rest}"));
        assert_eq!(found, expected.map(|(name, n)| (name.to_owned(), n)), "{rest}");
    }
    assert_eq!(attempt_of(&asset, "output/other/default/hls/x"), None);
}
