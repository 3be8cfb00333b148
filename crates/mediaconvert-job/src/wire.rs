//! Two spellings of one document: the console, the CLI and most sample files write `UpperCamel` member
//! names, the wire has `lowerCamel`. Enum values and everything else are equal.

use serde_json::{Map, Value};

/// Maps whose keys are data and not member names, so that `Audio Selector 1` survives.
///
/// Checked against all shapes reachable from `CreateJobRequest` in botocore 1.44.5: these are the only maps,
/// and lower-casing the first letter is the whole rule for everything else.
const VERBATIM: [&str; 6] = [
    "audioSelectors",
    "audioSelectorGroups",
    "captionSelectors",
    "dynamicAudioSelectors",
    "tags",
    "userMetadata",
];

/// Rewrites member names as the wire wants them. Idempotent, so either spelling may come in.
pub fn to_wire(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(to_wire).collect(),
        Value::Object(members) => Value::Object(members.into_iter().map(member_to_wire).collect()),
        scalar => scalar,
    }
}

fn member_to_wire((name, value): (String, Value)) -> (String, Value) {
    let name = lower_first(&name);
    let value = match value {
        Value::Object(entries) if VERBATIM.contains(&name.as_str()) => Value::Object(values_to_wire(entries)),
        other => to_wire(other),
    };
    (name, value)
}

fn values_to_wire(entries: Map<String, Value>) -> Map<String, Value> {
    entries
        .into_iter()
        .map(|(key, value)| (key, to_wire(value)))
        .collect()
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn member_names_change_and_map_keys_do_not() {
        let console = json!({"Inputs": [{
            "AudioSelectors": {"Audio Selector 1": {"DefaultSelection": "DEFAULT", "Tracks": [1]}},
            "VideoSelector": {"Rotate": "AUTO"}
        }], "UserMetadata": {"Asset": "X"}});
        assert_eq!(
            to_wire(console),
            json!({"inputs": [{
                "audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT", "tracks": [1]}},
                "videoSelector": {"rotate": "AUTO"}
            }], "userMetadata": {"Asset": "X"}})
        );
    }

    fn documents() -> impl Strategy<Value = Value> {
        let name = prop_oneof![
            Just("AudioSelectors".to_owned()),
            Just("Tags".to_owned()),
            "[A-Ca-c]{0,3}"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[A-Z]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 3, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn doing_it_twice_changes_nothing(document in documents()) {
            let once = to_wire(document);
            prop_assert_eq!(to_wire(once.clone()), once);
        }
    }
}
