//! The judgment on one template: what MediaConvert refuses, what the local engine refuses, and what it approximates.

use mediaconvert_job::{Template, overlay, system_preset, validate};
use serde_json::{Value, json};
use transcode::probe::MediaInfo;
use vod_core::asset::AssetId;
use vod_core::job::{self, Rules, Target};
use vod_core::record::Media;

/// Refusals of the local engine that are listed.
const REFUSALS_MAX: usize = 100;

/// The problems of a template, each with its path.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// The refusals of the pipeline and of MediaConvert.
    pub(super) problems: Vec<String>,
    /// Settings that MediaConvert supports and the local engine does not.
    pub(super) local: Vec<String>,
    /// The settings that the local engine approximates.
    pub(super) approximations: Vec<String>,
}

/// The refusals and approximations that make a template unusable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// The local engine's as well as those of MediaConvert.
    pub(super) local: bool,
    /// Approximations as well.
    pub(super) strict: bool,
}

impl Verdict {
    pub(super) fn unreadable(problem: String) -> Self {
        Self {
            problems: vec![problem],
            ..Self::default()
        }
    }

    pub(super) fn is_usable(&self, scope: Scope) -> bool {
        self.problems.is_empty()
            && (!scope.local || self.local.is_empty())
            && (!scope.strict || self.approximations.is_empty())
    }

    pub(super) fn json(&self, scope: Scope) -> Value {
        json!({
            "ok": self.is_usable(scope),
            "problems": self.problems,
            "local": {
                "ok": self.problems.is_empty() && self.local.is_empty(),
                "problems": self.local,
                "approximations": self.approximations,
            },
        })
    }
}

/// Applies the stand-ins of system presets to a template that names no others, for a check without a stack. Returns the names
/// of the presets.
pub(super) fn apply_stand_ins(template: &mut Template) -> Result<Vec<String>, String> {
    let mut stand_ins = Vec::new();
    if let Some(name) = template.job_template.clone() {
        let unread = format!("/jobTemplate: {name} can only be read from a stack");
        if !system_preset::is_system_template(&name) || template.settings["outputGroups"].is_null() {
            return Err(unread);
        }
        let empty = json!({ "settings": {} });
        *template = template.clone().over_job_template(&empty).map_err(|_| unread)?;
        stand_ins.push(system_template(&name));
    }
    let references = overlay::references(&template.settings);
    let mut presets = std::collections::BTreeMap::new();
    for reference in &references {
        let settings = system_preset::stand_in(&reference.preset).ok_or_else(|| {
            format!(
                "{}/preset: {} can only be read from a stack",
                reference.output, reference.preset
            )
        })?;
        presets.insert(reference.preset.clone(), settings);
    }
    overlay::apply_presets(&mut template.settings, |reference| {
        presets
            .get(&reference.preset)
            .ok_or_else(|| reference.preset.clone())
    })
    .map_err(|error| error.to_string())?;
    stand_ins.extend(references.iter().map(stand_in));
    Ok(stand_ins)
}

/// The warning that a system job template adds nothing.
pub(super) fn system_template(name: &str) -> String {
    format!("/jobTemplate: the settings of {name} are not public; `vod up` uses only those of this file")
}

/// The warning that an output is made by a stand-in.
pub(super) fn stand_in(reference: &overlay::Reference) -> String {
    format!(
        "{}/preset: the settings of {} are not public; `vod up` takes container, codecs, size, frame rate and bitrate from its \
         name",
        reference.output, reference.preset
    )
}

/// Judges a template whose job template and presets have been applied.
pub(super) fn judge(template: &Template) -> Verdict {
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
    let mut body = match job::build(template, &target, &Media::default(), Rules::all()) {
        Ok(request) => request.body,
        Err(error) => return Verdict::unreadable(error.to_string()),
    };
    let settings = body["settings"].take();
    let mut violations = validate::request(&body, "CreateJobRequest");
    violations.extend(validate::all(&settings));
    violations.extend(validate::run_time(&settings));
    let problems: Vec<String> = violations.iter().map(ToString::to_string).collect();
    if !problems.is_empty() {
        return Verdict {
            problems,
            ..Verdict::default()
        };
    }
    let mut verdict = by_the_engine(&settings);
    if body["accelerationSettings"]["mode"] == "ENABLED" {
        let message = "/accelerationSettings/mode: ENABLED: the job runs without acceleration";
        verdict.approximations.insert(0, message.to_owned());
    }
    verdict
}

/// The judgment of the local engine on a valid job, by its own code: the same table and the same plan.
fn by_the_engine(settings: &Value) -> Verdict {
    let mut verdict = Verdict::default();
    let mut rest = settings.clone();
    while let Err(refusal) = transcode::support::check(&rest) {
        let removed = remove(&mut rest, &refusal.path);
        verdict.local.push(refusal.to_string());
        if !removed || verdict.local.len() == REFUSALS_MAX {
            break;
        }
    }
    if !verdict.local.is_empty() {
        return verdict;
    }
    match transcode::plan::plan(settings, &any_source(), "20260101T000000") {
        Ok(plan) => verdict
            .approximations
            .extend(plan.warnings.into_iter().map(|warning| warning.message)),
        // Other codes are about the source.
        Err(refusal) if refusal.code == mediaconvert_job::error_code::BAD_SETTING => {
            verdict.local.push(refusal.to_string());
        }
        Err(_) => {}
    }
    verdict
}

/// Sets a value to null, so that the next refusal is about another one.
fn remove(settings: &mut Value, path: &str) -> bool {
    settings
        .pointer_mut(path)
        .is_some_and(|value| !std::mem::take(value).is_null())
}

/// A source for trying any template: its tracks are never the problem.
fn any_source() -> MediaInfo {
    let mut streams = vec![json!({"index": 0, "codec_type": "video", "codec_name": "h264",
        "width": 1920, "height": 1080, "pix_fmt": "yuv420p", "r_frame_rate": "30/1", "avg_frame_rate": "30/1"})];
    streams.extend((1..=8).map(|index| {
        json!({"index": index, "codec_type": "audio", "codec_name": "aac", "channels": 2,
            "sample_rate": "48000"})
    }));
    transcode::probe::parse(&json!({"streams": streams, "format": {"duration": "60"}}))
}
