//! Manifests of some of the outputs of a group.

use mediaconvert_job::model;
use serde::{Deserialize, Serialize};

use crate::plan::Refusal;

/// A manifest beside that of the whole group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdditionalManifest {
    /// Between the base name and the suffix. Without one, the manifest replaces that of the whole group.
    pub modifier: String,
    /// Indices of outputs.
    pub outputs: Vec<usize>,
}

/// The additional manifests of a group. `path` is that of the group.
pub(crate) fn additional(
    settings: &[model::AdditionalManifest],
    outputs: &[model::Output],
    path: &str,
) -> Result<Vec<AdditionalManifest>, Refusal> {
    let modifier = |output: &model::Output| output.name_modifier.clone().unwrap_or_default();
    let mut manifests: Vec<AdditionalManifest> = Vec::new();
    for (index, manifest) in settings.iter().enumerate() {
        let path = format!("{path}/additionalManifests/{index}");
        let name = manifest.manifest_name_modifier.clone().unwrap_or_default();
        let is_taken = outputs.iter().any(|output| modifier(output) == name)
            || manifests.iter().any(|other| other.modifier == name);
        if is_taken {
            return Err(Refusal::setting(
                format!("{path}/manifestNameModifier"),
                "must differ from the names of the group's other manifests",
            ));
        }
        let mut selected = Vec::new();
        for (place, wanted) in manifest.selected_outputs.iter().enumerate() {
            let found = outputs.iter().position(|output| modifier(output) == *wanted);
            selected.push(found.ok_or_else(|| {
                Refusal::setting(
                    format!("{path}/selectedOutputs/{place}"),
                    format!("no output of the group has the name modifier `{wanted}`"),
                )
            })?);
        }
        if selected.is_empty() {
            return Err(Refusal::setting(
                format!("{path}/selectedOutputs"),
                "names no output",
            ));
        }
        manifests.push(AdditionalManifest {
            modifier: name,
            outputs: selected,
        });
    }
    Ok(manifests)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_are_named_by_their_modifiers() {
        let outputs: Vec<model::Output> =
            serde_json::from_value(json!([{"nameModifier": "_360"}, {"nameModifier": "_720"}]))
                .expect("fits");
        let of = |manifests| {
            let settings: Vec<model::AdditionalManifest> = serde_json::from_value(manifests).expect("fits");
            additional(&settings, &outputs, "/g")
        };
        let small = json!({"manifestNameModifier": "_small", "selectedOutputs": ["_360"]});
        let planned = of(json!([small])).expect("is planned");
        assert_eq!(planned[0].outputs, [0]);
        let unnamed = json!({"selectedOutputs": ["_720"]});
        let planned = of(json!([unnamed])).expect("is planned");
        assert_eq!(
            (planned[0].modifier.as_str(), &planned[0].outputs[..]),
            ("", &[1][..])
        );
        for (manifests, path) in [
            (
                json!([small, small]),
                "/g/additionalManifests/1/manifestNameModifier",
            ),
            (
                json!([unnamed, unnamed]),
                "/g/additionalManifests/1/manifestNameModifier",
            ),
            (
                json!([{"manifestNameModifier": "_360", "selectedOutputs": ["_360"]}]),
                "/g/additionalManifests/0/manifestNameModifier",
            ),
            (
                json!([{"manifestNameModifier": "x", "selectedOutputs": ["_360", "_1080"]}]),
                "/g/additionalManifests/0/selectedOutputs/1",
            ),
            (
                json!([{"manifestNameModifier": "x"}]),
                "/g/additionalManifests/0/selectedOutputs",
            ),
        ] {
            assert_eq!(of(manifests).expect_err("is refused").path, path);
        }
    }
}
