//! Lint of the shipped data: every file in `job-templates/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mediaconvert_job::model::{EncoderSettings, JobSettings, Output};
use mediaconvert_job::{Template, validate};
use serde_json::json;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../job-templates")
}

/// Name and content of every template, read as the pipeline reads them.
fn templates() -> Vec<(String, Template)> {
    let entries = fs::read_dir(folder())
        .expect("the folder exists")
        .map(|entry| entry.expect("is readable").path());
    let files = entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "json"));
    let templates: Vec<_> = files
        .map(|path| {
            let name = path
                .file_name()
                .expect("has a name")
                .to_string_lossy()
                .into_owned();
            let template = Template::parse(&fs::read(&path).expect("is readable"));
            (
                name.clone(),
                template.unwrap_or_else(|error| panic!("{name}: {error}")),
            )
        })
        .collect();
    assert!(templates.iter().any(|(name, _)| name == "default.json"));
    templates
}

fn model(template: &Template) -> JobSettings {
    serde_json::from_value(template.settings.clone()).expect("fits the model")
}

fn h264(output: &Output) -> Option<&EncoderSettings> {
    let video = output
        .video_description
        .as_ref()
        .filter(|video| video.codec() == "H_264")?;
    Some(&video.codec_settings.h264_settings)
}

#[test]
fn templates_are_accepted_by_create_job_once_filled_in() {
    for (name, template) in templates() {
        let mut settings = template.settings;
        settings["inputs"][0]["fileInput"] = json!("s3://vod/input/x.mp4");
        for group in settings["outputGroups"].as_array_mut().expect("has groups") {
            let members = group["outputGroupSettings"]
                .as_object_mut()
                .expect("has settings");
            for (_, member) in members.iter_mut().filter(|(_, member)| member.is_object()) {
                member["destination"] = json!("s3://vod/output/x/video");
            }
        }
        assert_eq!(validate::settings(&settings), [], "{name}");
    }
}

#[test]
fn templates_name_nothing_of_an_account_or_a_time() {
    for (name, template) in templates() {
        assert_eq!(template.queue, None, "{name}");
        let text = template.settings.to_string();
        for word in [
            "arn:",
            "cannedAcl",
            "accessControl",
            "$dt$",
            "$d$",
            "$t$",
            "fileInput",
            "\"destination\":",
        ] {
            assert!(!text.contains(word), "{name} contains {word}");
        }
    }
}

#[test]
fn segments_are_whole_gops_and_caps_are_above_averages() {
    for (name, template) in templates() {
        for group in model(&template).output_groups {
            let segment = group
                .output_group_settings
                .hls_group_settings
                .segment_length
                .map(f64::from);
            for (output, settings) in group
                .outputs
                .iter()
                .filter_map(|output| Some((output, h264(output)?)))
            {
                let label = format!("{name} {:?}", output.name_modifier);
                assert_eq!(settings.gop_size_units.as_deref(), Some("SECONDS"), "{label}");
                let gop = settings.gop_size.expect("has a size");
                assert!(
                    segment.is_none_or(|segment| (segment / gop).fract().abs() < 1e-9),
                    "{label}"
                );
                assert!(settings.max_bitrate > settings.bitrate, "{label}");
            }
        }
    }
}

#[test]
fn rungs_rise_in_size_and_rate_and_have_names_of_their_own() {
    for (name, template) in templates() {
        for group in model(&template).output_groups {
            let rungs: Vec<_> = group
                .outputs
                .iter()
                .filter_map(|output| {
                    let (video, settings) = (output.video_description.as_ref()?, h264(output)?);
                    Some((video.width, video.height, settings.bitrate, settings.max_bitrate))
                })
                .collect();
            // Heights alone: the rule `keep-shape` computes the widths from the source.
            assert!(rungs.iter().all(|rung| rung.0.is_none()), "{name}: {rungs:?}");
            let rises = rungs.is_sorted_by(|a, b| a.1 < b.1 && a.2 < b.2 && a.3 < b.3);
            assert!(rises, "{name}: {rungs:?}");
            let names: BTreeSet<_> = group.outputs.iter().map(|output| &output.name_modifier).collect();
            assert_eq!(names.len(), group.outputs.len(), "{name}");
        }
    }
}

#[test]
fn the_default_stays_in_the_basic_tier() {
    let (_, template) = templates()
        .into_iter()
        .find(|(name, _)| name == "default.json")
        .expect("exists");
    assert_eq!(template.acceleration_settings, Some(json!({"mode": "DISABLED"})));
    let text = template.settings.to_string();
    for word in [
        "QVBR",
        "MULTI_PASS_HQ",
        "H_265",
        "AV1",
        "PRORES",
        "automatedEncodingSettings",
    ] {
        assert!(!text.contains(word), "{word} is Professional tier");
    }
    for output in model(&template)
        .output_groups
        .iter()
        .flat_map(|group| &group.outputs)
    {
        let level = h264(output).map(|settings| settings.quality_tuning_level.as_deref());
        assert!(
            matches!(level, None | Some(Some("SINGLE_PASS" | "SINGLE_PASS_HQ"))),
            "{level:?}"
        );
    }
}

#[test]
fn the_readme_has_the_rungs_of_the_default() {
    let readme = fs::read_to_string(folder().join("README.md")).expect("is readable");
    let (_, template) = templates()
        .into_iter()
        .find(|(name, _)| name == "default.json")
        .expect("exists");
    for output in model(&template)
        .output_groups
        .iter()
        .flat_map(|group| &group.outputs)
    {
        let video = output.video_description.as_ref().expect("has video");
        assert_eq!(video.width, None, "the picture keeps its shape");
        let size = format!("| {} |", video.height.expect("has a height"));
        let rate = h264(output)
            .and_then(|settings| Some(format!("{} ({})", settings.bitrate?, settings.max_bitrate?)));
        let fits = |line: &str| line.contains(&size) && rate.as_ref().is_none_or(|rate| line.contains(rate));
        assert!(
            readme.lines().any(fits),
            "README.md has no line with {size} and {rate:?}"
        );
    }
}
