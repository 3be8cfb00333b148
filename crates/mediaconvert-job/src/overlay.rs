//! Applies job templates and presets to the settings of a job.
//!
//! MediaConvert does not document its rules. These are: objects are merged member by member, and the job's value counts.
//! `inputs` are merged index by index, so that a template's first input supplies its selectors. Any other list of the job
//! replaces the template's whole list, `outputGroups` included. Nulls of the job count as absent.

use serde_json::{Map, Value};

/// The most presets that the outputs of one job may name. The limit is ours.
pub const MAX_PRESETS: usize = 500;

/// An output that takes its settings from a preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// JSON pointer to the output.
    pub output: String,
    /// Name or ARN of the preset.
    pub preset: String,
}

/// Why presets cannot be applied. The path is a JSON pointer into the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    /// API reference, `Output.preset`: "You can specify either Preset or Container settings, but not both."
    #[error("{path}: Should match exactly one schema defined in \"oneOf\"")]
    Both { path: String },
    /// More than [`MAX_PRESETS`].
    #[error("/outputGroups: Should have at most {MAX_PRESETS} outputs with a preset")]
    TooMany,
    /// The preset does not exist.
    #[error("{0}")]
    Missing(String),
}

/// The settings of a job made with a template.
#[must_use]
pub fn job_over_template(template: &Value, job: &Value) -> Value {
    let (Value::Object(template), Value::Object(job)) = (template, job) else {
        return job.clone();
    };
    let mut merged = template.clone();
    for (name, value) in job {
        let below = merged.remove(name).unwrap_or_default();
        let value = match (name.as_str(), below, value) {
            (_, below, Value::Null) => below,
            ("inputs", Value::Array(below), Value::Array(inputs)) => by_index(&below, inputs),
            (_, below, value) => merge(below, value),
        };
        merged.insert(name.clone(), value);
    }
    Value::Object(merged)
}

/// The outputs of job settings that name a preset.
#[must_use]
pub fn references(settings: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    for (group, value) in list(&settings["outputGroups"]).iter().enumerate() {
        for (index, output) in list(&value["outputs"]).iter().enumerate() {
            if let Some(preset) = output["preset"].as_str().filter(|name| !name.is_empty()) {
                found.push(Reference {
                    output: format!("/outputGroups/{group}/outputs/{index}"),
                    preset: preset.to_owned(),
                });
            }
        }
    }
    found
}

/// Fills the outputs that name a preset with its settings; members of the output count. `find` returns the settings of a
/// preset, or the reason why there are none. On success no output names a preset any more.
pub fn apply_presets<'a>(
    settings: &mut Value,
    mut find: impl FnMut(&Reference) -> Result<&'a Value, String>,
) -> Result<(), OverlayError> {
    let references = references(settings);
    if references.len() > MAX_PRESETS {
        return Err(OverlayError::TooMany);
    }
    for reference in references {
        let Some(output) = settings.pointer_mut(&reference.output) else {
            continue;
        };
        if !output["containerSettings"].is_null() {
            return Err(OverlayError::Both {
                path: reference.output,
            });
        }
        let preset = find(&reference).map_err(OverlayError::Missing)?;
        let mut own = std::mem::take(output);
        if let Some(members) = own.as_object_mut() {
            members.remove("preset");
        }
        *output = merge(preset.clone(), &own);
    }
    Ok(())
}

/// `above` over `below`: objects member by member, anything else as a whole.
fn merge(below: Value, above: &Value) -> Value {
    match (below, above) {
        (below, Value::Null) => below,
        (Value::Object(mut members), Value::Object(above)) => {
            for (name, value) in above {
                let below = members.remove(name).unwrap_or_default();
                members.insert(name.clone(), merge(below, value));
            }
            Value::Object(members)
        }
        (_, above) => above.clone(),
    }
}

fn by_index(below: &[Value], above: &[Value]) -> Value {
    let empty = Value::Object(Map::new());
    let merged = above.iter().enumerate();
    merged
        .map(|(index, input)| merge(below.get(index).unwrap_or(&empty).clone(), input))
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_over_a_template() {
        let template = json!({
            "inputs": [{"audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT", "tracks": [2]}}, "filterStrength": 1}],
            "outputGroups": [{"name": "of the template"}],
            "timecodeConfig": {"source": "ZEROBASED", "start": "00:00:00:00"},
            "adAvailOffset": 1,
        });
        for (job, expected) in [
            // Real jobs give inputs alone.
            (
                json!({"inputs": [{"fileInput": "s3://b/x"}]}),
                json!({"inputs": [{"fileInput": "s3://b/x", "filterStrength": 1,
                    "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT", "tracks": [2]}}}],
                    "outputGroups": [{"name": "of the template"}],
                    "timecodeConfig": {"source": "ZEROBASED", "start": "00:00:00:00"}, "adAvailOffset": 1}),
            ),
            // Further inputs have nothing to inherit; lists inside of an input are the job's.
            (
                json!({"inputs": [{"audioSelectors": {"Audio Selector 1": {"tracks": [1]}}}, {"fileInput": "s3://b/y"}],
                    "outputGroups": [{"customName": "mine"}], "timecodeConfig": {"source": "EMBEDDED"}, "adAvailOffset": null}),
                json!({"inputs": [{"filterStrength": 1, "audioSelectors":
                    {"Audio Selector 1": {"defaultSelection": "DEFAULT", "tracks": [1]}}}, {"fileInput": "s3://b/y"}],
                    "outputGroups": [{"customName": "mine"}],
                    "timecodeConfig": {"source": "EMBEDDED", "start": "00:00:00:00"}, "adAvailOffset": 1}),
            ),
            (json!({}), template.clone()),
        ] {
            assert_eq!(job_over_template(&template, &job), expected, "{job}");
        }
    }

    fn job() -> Value {
        json!({"outputGroups": [{"outputs": [
            {"preset": "hd", "nameModifier": "_hd", "videoDescription": {"width": 1280}},
            {"nameModifier": "_own", "containerSettings": {"container": "MP4"}},
        ]}]})
    }

    #[test]
    fn a_preset_fills_an_output_and_the_output_counts() {
        let preset = json!({"containerSettings": {"container": "MP4"}, "videoDescription": {"width": 1920, "height": 1080}});
        let mut settings = job();
        apply_presets(&mut settings, |reference| {
            assert_eq!(
                (&*reference.output, &*reference.preset),
                ("/outputGroups/0/outputs/0", "hd")
            );
            Ok(&preset)
        })
        .unwrap();
        assert_eq!(
            settings["outputGroups"][0]["outputs"],
            json!([
                {"containerSettings": {"container": "MP4"}, "nameModifier": "_hd", "videoDescription": {"width": 1280, "height": 1080}},
                {"nameModifier": "_own", "containerSettings": {"container": "MP4"}},
            ])
        );
        assert!(references(&settings).is_empty());
    }

    #[test]
    fn presets_that_cannot_be_applied() {
        let preset = json!({});
        let mut both = job();
        both["outputGroups"][0]["outputs"][0]["containerSettings"] = json!({"container": "MP4"});
        let error = apply_presets(&mut both, |_| Ok(&preset)).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"/outputGroups/0/outputs/0: Should match exactly one schema defined in "oneOf""#
        );
        let error = apply_presets(&mut job(), |_| Err("gone".to_owned())).unwrap_err();
        assert_eq!(error, OverlayError::Missing("gone".to_owned()));
        let output = job()["outputGroups"][0]["outputs"][0].clone();
        let mut many = json!({"outputGroups": [{"outputs": vec![output; MAX_PRESETS + 1]}]});
        assert_eq!(
            apply_presets(&mut many, |_| Ok(&preset)),
            Err(OverlayError::TooMany)
        );
    }
}
