//! From a template to the body of CreateJob.
//!
//! The user's template wins: we fill in the input, the destinations, the role and the metadata. Whatever else
//! changes is done by a named rule (`rules`) that can be turned off and that the record lists.

mod left_out;
mod loaded;
mod rules;
mod shape;

use mediaconvert_job::group::GroupType;
use mediaconvert_job::overlay;
use mediaconvert_job::template::Template;
use serde_json::{Map, Value, json};

pub use self::loaded::LoadedTemplate;
pub use self::rules::{
    AUDIO_ONLY, AUDIO_TRACKS, DROP_MISSING_AUDIO, KEEP_SHAPE, NO_UPSCALE, Rules, SWAP_FOR_PORTRAIT,
    UnknownRule,
};
use crate::asset::AssetId;
use crate::digest::sha256_hex;
use crate::keys::{BASE_NAME, output_prefix};
use crate::record::{Change, LeftOut, Media};

/// The target of a job: its asset, template and attempt, and the places of its outputs.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub asset: &'a AssetId,
    pub template: &'a str,
    /// From 1.
    pub attempt: u32,
    pub input_bucket: &'a str,
    /// Decoded, as S3's API takes it.
    pub input_key: &'a str,
    pub output_bucket: &'a str,
    pub role_arn: &'a str,
    /// Used where the template names no queue.
    pub queue: Option<&'a str>,
    pub application: &'a str,
}

/// A job that is ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRequest {
    /// The whole body of CreateJob, as it goes over the wire.
    pub body: Value,
    pub changes: Vec<Change>,
    /// Tracks and renditions that are not taken over.
    pub left_out: Vec<LeftOut>,
    pub thumbnail_interval_ms: Option<u64>,
}

/// A template that would break a promise; the path is a JSON pointer into its settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct Unusable {
    pub path: String,
    pub problem: &'static str,
}

/// Builds the job of one attempt.
pub fn build(
    template: &Template,
    target: &Target<'_>,
    media: &Media,
    rules: Rules,
) -> Result<JobRequest, Unusable> {
    check_complete(template)?;
    let mut settings = template.settings.clone();
    let rules::Applied {
        changes,
        mut left_out,
    } = rules::apply(&mut settings, media, rules);
    left_out.extend(left_out::tracks(&settings, media));
    set_input(&mut settings, target);
    set_destinations(&mut settings, target)?;
    let thumbnail_interval_ms = thumbnail_interval_ms(&settings);
    let mut body = json!({
        "clientRequestToken": request_token(target.asset, target.template, target.attempt),
        "role": target.role_arn,
        "settings": settings,
        "userMetadata": user_metadata(target),
    });
    let queue = template.queue.clone().or_else(|| target.queue.map(Value::from));
    let optional = [
        ("accelerationSettings", &template.acceleration_settings),
        ("priority", &template.priority),
        ("queue", &queue),
        ("statusUpdateInterval", &template.status_update_interval),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value.clone();
        }
    }
    Ok(JobRequest {
        body,
        changes,
        left_out,
        thumbnail_interval_ms,
    })
}

/// The rules look at outputs, so a job template and presets must have been applied ([`mediaconvert_job::overlay`]).
fn check_complete(template: &Template) -> Result<(), Unusable> {
    let problem = "its settings have not been read";
    if template.job_template.is_some() {
        let path = "/jobTemplate".to_owned();
        return Err(Unusable { path, problem });
    }
    match overlay::references(&template.settings).first() {
        Some(reference) => Err(Unusable {
            path: format!("{}/preset", reference.output),
            problem,
        }),
        None => Ok(()),
    }
}

/// `userMetadata`: identifies the job of one attempt.
pub fn user_metadata(target: &Target<'_>) -> Value {
    json!({
        "application": target.application,
        "asset": target.asset.as_str(),
        "template": target.template,
        "attempt": target.attempt.to_string(),
    })
}

/// `clientRequestToken`: the same for every try at one attempt. It has 64 characters, MediaConvert's maximum.
pub fn request_token(asset: &AssetId, template: &str, attempt: u32) -> String {
    sha256_hex(format!("{asset}\0{template}\0{attempt}").as_bytes())
}

fn set_input(settings: &mut Value, target: &Target<'_>) {
    if !settings.pointer("/inputs/0").is_some_and(Value::is_object) {
        settings["inputs"] = json!([default_input()]);
    }
    settings["inputs"][0]["fileInput"] = format!("s3://{}/{}", target.input_bucket, target.input_key).into();
}

/// The input of a template that has none.
fn default_input() -> Value {
    json!({
        "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}},
        "videoSelector": {"rotate": "AUTO"},
        "timecodeSource": "ZEROBASED",
    })
}

/// The member of `outputGroupSettings` with the group's settings, and the folder of its outputs.
fn group_kind(group: &Value) -> (&'static str, &'static str) {
    let name = group.pointer("/outputGroupSettings/type").and_then(Value::as_str);
    match GroupType::or_file(name) {
        file if file.folder == "mp4" && is_frame_capture(group) => (file.member, "thumbnails"),
        other => (other.member, other.folder),
    }
}

fn outputs(group: &Value) -> &[Value] {
    group
        .get("outputs")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn frame_capture(output: &Value) -> Option<&Value> {
    let codec = output.pointer("/videoDescription/codecSettings")?;
    (codec.get("codec").and_then(Value::as_str) == Some("FRAME_CAPTURE")).then_some(codec)
}

fn is_frame_capture(group: &Value) -> bool {
    let outputs = outputs(group);
    !outputs.is_empty() && outputs.iter().all(|output| frame_capture(output).is_some())
}

fn set_destinations(settings: &mut Value, target: &Target<'_>) -> Result<(), Unusable> {
    let prefix = output_prefix(target.asset, target.template, target.attempt);
    let mut used: Vec<&str> = Vec::new();
    let groups = settings.get_mut("outputGroups").and_then(Value::as_array_mut);
    for (index, group) in groups.into_iter().flatten().enumerate() {
        let (member, folder) = group_kind(group);
        let path = format!("/outputGroups/{index}/outputGroupSettings/{member}");
        let count = used.iter().filter(|&&other| other == folder).count() + 1;
        used.push(folder);
        let folder = if count == 1 {
            folder.to_owned()
        } else {
            format!("{folder}-{count}")
        };
        let destination = format!("s3://{}/{prefix}{folder}/{BASE_NAME}", target.output_bucket);
        let Some(group) = group.as_object_mut() else {
            return Err(Unusable {
                path: format!("/outputGroups/{index}"),
                problem: "must be an object",
            });
        };
        set_destination(group, member, destination).map_err(|problem| Unusable {
            path: path.clone(),
            problem,
        })?;
    }
    Ok(())
}

fn set_destination(
    group: &mut Map<String, Value>,
    member: &str,
    destination: String,
) -> Result<(), &'static str> {
    let settings = group.entry("outputGroupSettings").or_insert_with(|| json!({}));
    let settings = settings
        .as_object_mut()
        .ok_or("outputGroupSettings must be an object")?;
    let settings = settings.entry(member).or_insert_with(|| json!({}));
    let settings = settings.as_object_mut().ok_or("must be an object")?;
    if settings
        .get("additionalDestinations")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
    {
        return Err("additionalDestinations would write outside of the asset's folder; remove it");
    }
    settings.insert("destination".to_owned(), destination.into());
    Ok(())
}

/// Interval between images in milliseconds: MediaConvert takes one frame every denominator/numerator seconds.
fn thumbnail_interval_ms(settings: &Value) -> Option<u64> {
    let groups = settings.get("outputGroups")?.as_array()?;
    let codec = groups
        .iter()
        .filter(|group| is_frame_capture(group))
        .flat_map(outputs)
        .find_map(frame_capture)?;
    let settings = codec.get("frameCaptureSettings")?;
    let numerator = settings
        .get("framerateNumerator")
        .and_then(Value::as_u64)
        .unwrap_or(1);
    let denominator = settings.get("framerateDenominator").and_then(Value::as_u64)?;
    denominator.checked_mul(1000)?.checked_div(numerator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(asset: &AssetId) -> Target<'_> {
        Target {
            asset,
            template: "default",
            attempt: 1,
            input_bucket: "in",
            input_key: "input/한국 & café+1.mp4",
            output_bucket: "out",
            role_arn: "arn:aws:iam::111122223333:role/mc",
            queue: Some("Default"),
            application: "vod",
        }
    }

    fn template(json: &Value) -> Template {
        Template::parse(json.to_string().as_bytes()).unwrap()
    }

    fn asset() -> AssetId {
        AssetId::new("in", "input/film.mp4", None, "e")
    }

    #[test]
    fn whole_body() {
        let template = template(&json!({"Settings": {
            "Inputs": [{"FileInput": "s3://theirs/x.mp4", "AudioSelectors": {"Audio Selector 1": {}}}],
            "OutputGroups": [
                {"OutputGroupSettings": {"Type": "HLS_GROUP_SETTINGS", "HlsGroupSettings": {"Destination": "s3://theirs/", "SegmentLength": 6}},
                 "Outputs": [{"NameModifier": "_1"}]},
                {"OutputGroupSettings": {"Type": "HLS_GROUP_SETTINGS"}, "Outputs": [{"NameModifier": "_1"}]},
                {"OutputGroupSettings": {"Type": "FILE_GROUP_SETTINGS"}, "Outputs": [{"VideoDescription": {"CodecSettings":
                    {"Codec": "FRAME_CAPTURE", "FrameCaptureSettings": {"FramerateNumerator": 1, "FramerateDenominator": 5}}}}]},
                {"OutputGroupSettings": {"Type": "FILE_GROUP_SETTINGS"}, "Outputs": [{}]}]},
            "Role": "theirs", "UserMetadata": {"x": "y"}, "Priority": 3}));
        let asset = asset();
        let job = build(&template, &target(&asset), &Media::default(), Rules::all()).unwrap();
        assert_eq!(job.thumbnail_interval_ms, Some(5000));
        assert!(
            job.changes.is_empty(),
            "nothing is known of the source, so no rule may fire"
        );
        insta::assert_json_snapshot!(job.body);
    }

    #[test]
    fn second_attempt_writes_elsewhere_with_another_token() {
        let template = template(&json!({"OutputGroups": [
            {"OutputGroupSettings": {"Type": "FILE_GROUP_SETTINGS"}, "Outputs": [{}]}]}));
        let asset = asset();
        let bodies = [1, 2].map(|attempt| {
            let target = Target {
                attempt,
                ..target(&asset)
            };
            build(&template, &target, &Media::default(), Rules::all())
                .unwrap()
                .body
        });
        let destination = "/settings/outputGroups/0/outputGroupSettings/fileGroupSettings/destination";
        assert_eq!(
            bodies[1].pointer(destination).unwrap(),
            &format!("s3://out/output/{asset}/default/a2/mp4/video")
        );
        assert_ne!(bodies[0]["clientRequestToken"], bodies[1]["clientRequestToken"]);
        assert_eq!(bodies[0]["clientRequestToken"].as_str().unwrap().len(), 64);
        assert_eq!(
            bodies[0]
                .pointer("/settings/inputs/0/videoSelector/rotate")
                .unwrap(),
            "AUTO"
        );
    }

    #[test]
    fn what_has_not_been_read_is_not_built() {
        let asset = asset();
        for (document, path) in [
            (json!({"JobTemplate": "hd", "Settings": {}}), "/jobTemplate"),
            (
                json!({"OutputGroups": [{"OutputGroupSettings": {"Type": "FILE_GROUP_SETTINGS"}, "Outputs": [{"Preset": "hd"}]}]}),
                "/outputGroups/0/outputs/0/preset",
            ),
        ] {
            let template = template(&document);
            let error = build(&template, &target(&asset), &Media::default(), Rules::all()).unwrap_err();
            assert_eq!(error.path, path);
        }
    }

    #[test]
    fn destinations_outside_are_refused() {
        let template = template(
            &json!({"OutputGroups": [{"OutputGroupSettings": {"Type": "HLS_GROUP_SETTINGS",
            "HlsGroupSettings": {"AdditionalDestinations": [{"Destination": "s3://elsewhere/"}]}}, "Outputs": [{}]}]}),
        );
        let asset = asset();
        let error = build(&template, &target(&asset), &Media::default(), Rules::all()).unwrap_err();
        assert_eq!(error.path, "/outputGroups/0/outputGroupSettings/hlsGroupSettings");
    }
}
