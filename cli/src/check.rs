//! `vod check`: whether a job template will do, before it is put under `jobs/`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use mediaconvert_job::Template;
use vod_core::asset::AssetId;
use vod_core::job::{self, Rules, Target};
use vod_core::record::Media;

use crate::output;

/// Check a job template without uploading it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The template, or - for standard input
    #[arg(value_name = "TEMPLATE")]
    file: PathBuf,
    /// Print the verdict as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `vod check`.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.file.display();
    let bytes = if args.file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let limit = u64::try_from(mediaconvert_job::template::MAX_BYTES)? + 1;
        std::io::stdin()
            .take(limit)
            .read_to_end(&mut bytes)
            .context("could not read standard input")?;
        bytes
    } else {
        std::fs::read(&args.file).with_context(|| format!("could not read `{name}`"))?
    };
    let problems = problems(&bytes);
    if args.json {
        output::json(&serde_json::json!({"ok": problems.is_empty(), "problems": problems}))?;
    } else if problems.is_empty() {
        output::line(&format!("{name}: a usable template"))?;
    } else {
        for problem in &problems {
            output::line(&format!("{name}: {}", output::plain(problem)))?;
        }
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is wrong with a template, in words: first as a file, then as the job that would be made of it.
fn problems(bytes: &[u8]) -> Vec<String> {
    let template = match Template::parse(bytes) {
        Ok(template) => template,
        Err(error) => return vec![error.to_string()],
    };
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
    match job::build(&template, &target, &Media::default(), Rules::all()) {
        Ok(request) => {
            let faults = mediaconvert_job::validate::settings(&request.body["settings"]);
            faults
                .iter()
                .map(|fault| format!("{}: {}", fault.path, fault.message))
                .collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_template_is_good() {
        let template = include_bytes!("../../job-templates/default.json");
        assert_eq!(problems(template), Vec::<String>::new());
    }

    #[test]
    fn bad_templates_say_why() {
        for (text, word) in [
            ("{", "not JSON"),
            ("[]", "object"),
            ("{\"OutputGroups\":[]}", "/outputGroups"),
            (
                r#"{"OutputGroups":[{"OutputGroupSettings":{"Type":"FILE_GROUP_SETTINGS"},"Outputs":[{"VideoDescription":{"Width":641}}]}]}"#,
                "/outputGroups/0/outputs/0/videoDescription/width",
            ),
        ] {
            let problems = problems(text.as_bytes());
            assert!(
                problems.iter().any(|problem| problem.contains(word)),
                "{text}: {problems:?}"
            );
        }
    }
}
