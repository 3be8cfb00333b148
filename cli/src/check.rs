//! `vod check`: whether a job template will do, before it is put under `jobs/` or where it lies there.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use mediaconvert_job::Template;
use vod_core::asset::AssetId;
use vod_core::job::{self, Rules, Target};
use vod_core::record::Media;

use crate::output;
use crate::stack::{Choice, Stack};

/// Check a job template without uploading it, or those that a stack has
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The template, or - for standard input (default: those under jobs/ in the stack's bucket)
    #[arg(value_name = "TEMPLATE")]
    file: Option<PathBuf>,
    /// Print the verdict as JSON
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
    let name = file.display();
    let problems = problems(&read(file)?);
    if as_json {
        output::json(&serde_json::json!({"ok": problems.is_empty(), "problems": problems}))?;
    } else {
        tell(&name.to_string(), &problems)?;
    }
    Ok(code(problems.is_empty()))
}

/// The templates that uploads are encoded by.
async fn all(stack: &Stack, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut found = Vec::new();
    for loaded in vod_aws::load_templates(&stack.s3(), &stack.bucket).await? {
        let problems = loaded
            .template
            .map_or_else(|problem| vec![problem], |template| problems_of(&template));
        found.push((loaded.name, problems));
    }
    let good = found.iter().all(|(_, problems)| problems.is_empty());
    if as_json {
        let list: Vec<_> = found
            .iter()
            .map(|(name, problems)| {
                serde_json::json!({"template": name, "ok": problems.is_empty(), "problems": problems})
            })
            .collect();
        output::json(&list)?;
        return Ok(code(good));
    }
    if found.is_empty() {
        output::line("no templates under jobs/: the built-in one is used")?;
    }
    for (name, problems) in &found {
        tell(name, problems)?;
    }
    Ok(code(good))
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

fn tell(name: &str, problems: &[String]) -> anyhow::Result<()> {
    if problems.is_empty() {
        return output::line(&format!("{name}: a usable template"));
    }
    for problem in problems {
        output::line(&format!("{name}: {}", output::plain(problem)))?;
    }
    Ok(())
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What is wrong with a template, in words: first as a file, then as the job that would be made of it.
fn problems(bytes: &[u8]) -> Vec<String> {
    match Template::parse(bytes) {
        Ok(template) => problems_of(&template),
        Err(error) => vec![error.to_string()],
    }
}

fn problems_of(template: &Template) -> Vec<String> {
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
