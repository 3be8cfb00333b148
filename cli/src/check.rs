//! `vod check`: checks job templates, in a file or under `jobs/` in the bucket.
//!
//! It also lists the settings that only `vod up` refuses. They are an error only if the local stack is checked.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use mediaconvert_job::Template;
use transcode::probe::MediaInfo;
use vod_core::asset::AssetId;
use vod_core::job::{self, Rules, Target};
use vod_core::record::Media;

use crate::output;
use crate::stack::{Choice, Stack};

/// Check a job template in a file, or the templates of a stack
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The template, or - for standard input (default: all templates under jobs/ in the stack's bucket)
    #[arg(value_name = "TEMPLATE")]
    file: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `vod check`.
pub(crate) async fn run(choice: &Choice, args: &Args) -> anyhow::Result<ExitCode> {
    match &args.file {
        Some(file) => one(file, args.json),
        None => all(&Stack::find(choice).await?, args.json).await,
    }
}

fn one(file: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let verdict = verdict(&read(file)?);
    if as_json {
        output::json(&verdict.json())?;
    } else {
        print(&file.display().to_string(), &verdict)?;
    }
    Ok(output::exit_code(verdict.problems.is_empty()))
}

/// Checks the templates of the stack.
async fn all(stack: &Stack, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut found = Vec::new();
    for loaded in vod_aws::load_templates(&stack.s3(), &stack.bucket).await? {
        let mut verdict = loaded
            .template
            .map_or_else(Verdict::unreadable, |template| verdict_on(&template));
        if stack.outputs.is_none() {
            verdict.problems.append(&mut verdict.local);
        }
        found.push((loaded.name, verdict));
    }
    let good = found.iter().all(|(_, verdict)| verdict.problems.is_empty());
    if as_json {
        let list: Vec<_> = found
            .iter()
            .map(|(name, verdict)| {
                let mut json = verdict.json();
                json["template"] = name.as_str().into();
                json
            })
            .collect();
        output::json(&list)?;
        return Ok(output::exit_code(good));
    }
    if found.is_empty() {
        output::line("no templates under jobs/: the built-in template is used")?;
    }
    for (name, verdict) in &found {
        print(name, verdict)?;
    }
    Ok(output::exit_code(good))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return std::fs::read(file).with_context(|| format!("could not read `{}`", file.display()));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(mediaconvert_job::template::MAX_BYTES)? + 1;
    std::io::stdin()
        .take(limit)
        .read_to_end(&mut bytes)
        .context("could not read standard input")?;
    Ok(bytes)
}

fn print(name: &str, verdict: &Verdict) -> anyhow::Result<()> {
    for problem in &verdict.problems {
        output::line(&format!("{name}: {}", output::plain(problem)))?;
    }
    if verdict.problems.is_empty() {
        let on_aws = if verdict.local.is_empty() { "" } else { " on AWS" };
        output::line(&format!("{name}: valid{on_aws}"))?;
    }
    for problem in &verdict.local {
        output::line(&format!(
            "{name}: not supported by `vod up`: {}",
            output::plain(problem)
        ))?;
    }
    Ok(())
}

/// The problems of a template.
#[derive(Debug, Default, PartialEq)]
struct Verdict {
    /// Problems of the file, then of its job.
    problems: Vec<String>,
    /// Settings that AWS supports and the local engine does not.
    local: Vec<String>,
}

impl Verdict {
    fn unreadable(problem: String) -> Self {
        Self {
            problems: vec![problem],
            local: Vec::new(),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "ok": self.problems.is_empty(),
            "problems": self.problems,
            "local": {"ok": self.problems.is_empty() && self.local.is_empty(), "problems": self.local},
        })
    }
}

fn verdict(bytes: &[u8]) -> Verdict {
    match Template::parse(bytes) {
        Ok(template) => verdict_on(&template),
        Err(error) => Verdict::unreadable(error.to_string()),
    }
}

/// A source for trying any template: its tracks are never the problem.
fn any_source() -> MediaInfo {
    let mut streams = vec![
        serde_json::json!({"index": 0, "codec_type": "video", "codec_name": "h264",
        "width": 1920, "height": 1080, "pix_fmt": "yuv420p", "r_frame_rate": "30/1", "avg_frame_rate": "30/1"}),
    ];
    streams.extend((1..=8).map(|index| {
        serde_json::json!({"index": index, "codec_type": "audio", "codec_name": "aac", "channels": 2,
            "sample_rate": "48000"})
    }));
    transcode::probe::parse(&serde_json::json!({"streams": streams, "format": {"duration": "60"}}))
}

/// The first setting of a valid job that the local engine refuses, by the engine's own code: the same table and the same
/// plan.
fn refused_locally(body: &serde_json::Value) -> Option<String> {
    if body["accelerationSettings"]["mode"] == "ENABLED" {
        return Some(
            "/accelerationSettings/mode: ENABLED is not available locally, PREFERRED falls back".to_owned(),
        );
    }
    let refusal = transcode::plan::plan(&body["settings"], &any_source(), "20260101T000000").err()?;
    // Other codes are about the source.
    (refusal.code == mediaconvert_job::error_code::BAD_SETTING).then(|| refusal.to_string())
}

fn verdict_on(template: &Template) -> Verdict {
    let asset = AssetId::new("check", "input/video.mp4", None, "check");
    let target = Target {
        asset: &asset,
        template: "check",
        attempt: 1,
        input_bucket: "check",
        input_key: "input/video.mp4",
        output_bucket: "check",
        role_arn: "arn:aws:iam::000000000000:role/check",
        queue: None,
        application: "vod",
    };
    match job::build(template, &target, &Media::default(), Rules::all()) {
        Ok(request) => {
            let violations = mediaconvert_job::validate::settings(&request.body["settings"]);
            let problems: Vec<String> = violations
                .iter()
                .map(|violation| format!("{}: {}", violation.path, violation.message))
                .collect();
            let local = if problems.is_empty() {
                refused_locally(&request.body).into_iter().collect()
            } else {
                Vec::new()
            };
            Verdict { problems, local }
        }
        Err(error) => Verdict::unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_template_is_good() {
        let template = include_bytes!("../../job-templates/default.json");
        assert_eq!(verdict(template), Verdict::default());
    }

    #[test]
    fn refusals_of_the_local_engine_are_listed() {
        let mut template: serde_json::Value =
            serde_json::from_slice(include_bytes!("../../job-templates/default.json")).unwrap();
        template["Settings"]["Inputs"][0]["DenoiseFilter"] = "ENABLED".into();
        let verdict = verdict(template.to_string().as_bytes());
        assert_eq!(verdict.problems, Vec::<String>::new());
        assert!(
            verdict
                .local
                .iter()
                .any(|problem| problem.starts_with("/inputs/0/denoiseFilter: ")),
            "{verdict:?}"
        );
        assert_eq!(verdict.json()["ok"], true);
        assert_eq!(verdict.json()["local"]["ok"], false);
    }

    #[test]
    fn bad_templates_say_why() {
        for (text, word) in [
            ("{", "not JSON"),
            ("[]", "object"),
            ("{\"OutputGroups\":[]}", "/outputGroups"),
            (
                r#"{"OutputGroups":[{"OutputGroupSettings":{"Type":"FILE_GROUP_SETTINGS"},"Outputs":[{"VideoDescription":{"Width":641,"Height":360}}]}]}"#,
                "/outputGroups/0/outputs/0/videoDescription/width",
            ),
        ] {
            let problems = verdict(text.as_bytes()).problems;
            assert!(
                problems.iter().any(|problem| problem.contains(word)),
                "{text}: {problems:?}"
            );
        }
    }
}
