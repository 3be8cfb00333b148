//! `vod check`: checks job templates, in a file or under `jobs/` in the bucket.
//!
//! It lists what MediaConvert refuses, what only `vod up` refuses, and what `vod up` does differently. A file must be usable by
//! both; the templates of a stack only by that stack.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use mediaconvert_job::{Template, overlay};

use self::verdict::{Scope, Verdict};
use crate::output;
use crate::stack::{Choice, Stack};

mod verdict;

/// Check a job template in a file, or the templates of a stack
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The template, or - for standard input (default: all templates under jobs/ in the stack's bucket)
    #[arg(value_name = "TEMPLATE")]
    file: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Fail also on settings that `vod up` only approximates
    #[arg(long)]
    strict: bool,
}

/// Runs `vod check`.
pub(crate) async fn run(choice: &Choice, args: &Args) -> anyhow::Result<ExitCode> {
    match &args.file {
        Some(file) => one(choice, file, args).await,
        None => all(&Stack::find(choice).await?, args).await,
    }
}

async fn one(choice: &Choice, file: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let scope = Scope {
        local: true,
        strict: args.strict,
    };
    let verdict = match Template::parse(&read(file)?) {
        Ok(template) => complete(choice, template).await?,
        Err(error) => Verdict::unreadable(error.to_string()),
    };
    if args.json {
        output::json(&verdict.json(scope))?;
    } else {
        print(&file.display().to_string(), &verdict, scope)?;
    }
    Ok(output::exit_code(verdict.is_usable(scope)))
}

/// The verdict on a template of a file. A stack is needed only for what the file does not contain.
async fn complete(choice: &Choice, mut template: Template) -> anyhow::Result<Verdict> {
    if template.job_template.is_none() && overlay::references(&template.settings).is_empty() {
        return Ok(verdict::judge(&template));
    }
    if choice.stack.is_some() {
        return on(&Stack::find(choice).await?, template).await;
    }
    let not_found = match Stack::find(choice).await {
        Ok(stack) => return on(&stack, template).await,
        Err(error) => error,
    };
    match verdict::apply_stand_ins(&mut template) {
        Ok(stand_ins) => {
            let mut verdict = verdict::judge(&template);
            verdict.approximations.extend(stand_ins);
            Ok(verdict)
        }
        Err(problem) => Ok(Verdict::unreadable(format!("{problem}: {not_found}"))),
    }
}

/// The verdict on a template with the job templates and presets of a stack.
async fn on(stack: &Stack, template: Template) -> anyhow::Result<Verdict> {
    let references = overlay::references(&template.settings);
    let job_template = template.job_template.clone();
    let completed = pipeline::complete_template(&stack.aws.mediaconvert(), template).await?;
    let mut verdict = match completed {
        Ok(template) => verdict::judge(&template),
        Err(problem) => return Ok(Verdict::unreadable(problem)),
    };
    if stack.outputs.is_none() {
        // The local stack has stand-ins for the resources of AWS.
        let is_system = |name: &str| name.starts_with("System-");
        let template = job_template.filter(|name| is_system(name));
        verdict
            .approximations
            .extend(template.map(|name| verdict::system_template(&name)));
        let presets = references.iter().filter(|reference| is_system(&reference.preset));
        verdict.approximations.extend(presets.map(verdict::stand_in));
    }
    Ok(verdict)
}

/// Checks the templates of the stack.
async fn all(stack: &Stack, args: &Args) -> anyhow::Result<ExitCode> {
    let is_local = stack.outputs.is_none();
    let scope = Scope {
        local: is_local,
        strict: args.strict && is_local,
    };
    let mut found = Vec::new();
    for loaded in vod_aws::load_templates(&stack.s3(), &stack.bucket).await? {
        let verdict = match loaded.template {
            Ok(template) => on(stack, template).await?,
            Err(problem) => Verdict::unreadable(problem),
        };
        found.push((loaded.name, verdict));
    }
    let good = found.iter().all(|(_, verdict)| verdict.is_usable(scope));
    if args.json {
        let list: Vec<_> = found
            .iter()
            .map(|(name, verdict)| {
                let mut json = verdict.json(scope);
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
        print(name, verdict, scope)?;
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

fn print(name: &str, verdict: &Verdict, scope: Scope) -> anyhow::Result<()> {
    for problem in &verdict.problems {
        output::line(&format!("{name}: {}", output::plain(problem)))?;
    }
    for problem in &verdict.local {
        output::line(&format!(
            "{name}: not supported by `vod up`: {}",
            output::plain(problem)
        ))?;
    }
    for approximation in &verdict.approximations {
        output::line(&format!(
            "{name}: warning: approximated by `vod up`: {}",
            output::plain(approximation)
        ))?;
    }
    if verdict.problems.is_empty() {
        let where_valid = match (verdict.local.is_empty(), scope.local) {
            (true, _) => "valid",
            (false, true) => "valid on AWS only",
            (false, false) => "valid on AWS",
        };
        output::line(&format!("{name}: {where_valid}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BOTH: Scope = Scope {
        local: true,
        strict: false,
    };
    const STRICT: Scope = Scope {
        local: true,
        strict: true,
    };

    fn verdict(bytes: &[u8]) -> Verdict {
        match Template::parse(bytes) {
            Ok(template) => verdict::judge(&template),
            Err(error) => Verdict::unreadable(error.to_string()),
        }
    }

    fn default() -> Value {
        serde_json::from_slice(include_bytes!("../../job-templates/default.json")).unwrap()
    }

    #[test]
    fn the_default_template_is_good() {
        let verdict = verdict(default().to_string().as_bytes());
        assert_eq!(verdict, Verdict::default());
        assert!(verdict.is_usable(STRICT));
    }

    #[test]
    fn refusals_of_the_local_engine_are_listed() {
        let mut template = default();
        template["Settings"]["Inputs"][0]["AdvancedInputFilter"] = "ENABLED".into();
        template["Settings"]["Inputs"][0]["DolbyVisionMetadataXml"] = "s3://bucket/film.xml".into();
        let verdict = verdict(template.to_string().as_bytes());
        assert_eq!(verdict.problems, Vec::<String>::new());
        for path in [
            "/inputs/0/advancedInputFilter: ",
            "/inputs/0/dolbyVisionMetadataXml: ",
        ] {
            assert!(
                verdict.local.iter().any(|problem| problem.starts_with(path)),
                "{verdict:?}"
            );
        }
        let on_aws = Scope {
            local: false,
            strict: false,
        };
        assert!(!verdict.is_usable(BOTH) && verdict.is_usable(on_aws));
        assert_eq!(verdict.json(BOTH)["local"]["ok"], false);
    }

    #[test]
    fn an_approximation_is_a_warning_unless_strict() {
        let mut template = default();
        let h264 = "/Settings/OutputGroups/0/Outputs/0/VideoDescription/CodecSettings/H264Settings";
        template.pointer_mut(h264).unwrap()["QualityTuningLevel"] = "MULTI_PASS_HQ".into();
        let verdict = verdict(template.to_string().as_bytes());
        assert!(!verdict.approximations.is_empty(), "{verdict:?}");
        assert!(verdict.is_usable(BOTH) && !verdict.is_usable(STRICT));
        assert_eq!(
            (&verdict.json(BOTH)["ok"], &verdict.json(STRICT)["ok"]),
            (&json!(true), &json!(false))
        );
    }

    #[test]
    fn a_system_preset_is_checked_without_a_stack() {
        let group = |preset: &str| {
            json!({"OutputGroups": [{"OutputGroupSettings": {"Type": "HLS_GROUP_SETTINGS", "HlsGroupSettings": {"MinSegmentLength": 0}},
                "Outputs": [{"Preset": preset, "NameModifier": "_hd"}]}]})
        };
        let parse = |preset: &str| Template::parse(group(preset).to_string().as_bytes()).unwrap();
        let mut template = parse("System-Ott_Hls_Ts_Avc_Aac_16x9_1280x720p_30Hz_3.5Mbps");
        let stand_ins = verdict::apply_stand_ins(&mut template).unwrap();
        assert_eq!(stand_ins.len(), 1);
        assert!(
            stand_ins[0].starts_with("/outputGroups/0/outputs/0/preset: "),
            "{stand_ins:?}"
        );
        assert_eq!(verdict::judge(&template), Verdict::default());
        let unknown = verdict::apply_stand_ins(&mut parse("mine")).unwrap_err();
        assert!(
            unknown.starts_with("/outputGroups/0/outputs/0/preset: mine"),
            "{unknown}"
        );
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
            (
                r#"{"Priority":99,"Settings":{"OutputGroups":[{}]}}"#,
                "/priority: Should be less than or equal to 50",
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
