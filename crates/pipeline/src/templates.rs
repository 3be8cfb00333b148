//! Completes templates that refer to MediaConvert's own job templates and presets.

use std::collections::BTreeMap;

use mediaconvert_job::Template;
use mediaconvert_job::overlay;
use serde_json::Value;
use vod_aws::{MediaConvert, MediaConvertError};

/// Reads the job template and the presets that a template names, and applies them. The rules of `vod-core` look at outputs, so
/// this comes before them. The inner error says why the template cannot be used; a read that failed is the outer one.
pub async fn complete_template(
    mediaconvert: &MediaConvert,
    mut template: Template,
) -> Result<Result<Template, String>, MediaConvertError> {
    if let Some(name) = template.job_template.clone() {
        let found = match mediaconvert.job_template(&name).await? {
            Ok(found) => found,
            Err(problem) => return Ok(Err(format!("/jobTemplate: {problem}"))),
        };
        template = match template.over_job_template(&found) {
            Ok(template) => template,
            Err(error) => return Ok(Err(format!("job template {name}: {error}"))),
        };
    }
    let mut presets: BTreeMap<String, Value> = BTreeMap::new();
    let references = overlay::references(&template.settings);
    for reference in references.into_iter().take(overlay::MAX_PRESETS) {
        if presets.contains_key(&reference.preset) {
            continue;
        }
        match mediaconvert.preset(&reference.preset).await? {
            Ok(mut found) => presets.insert(reference.preset, found["settings"].take()),
            Err(problem) => return Ok(Err(format!("{}/preset: {problem}", reference.output))),
        };
    }
    let applied = overlay::apply_presets(&mut template.settings, |reference| {
        let found = presets.get(&reference.preset);
        found.ok_or_else(|| format!("{}/preset: was not read", reference.output))
    });
    Ok(applied.map(|()| template).map_err(|error| error.to_string()))
}
