//! Finds the places of a document that a rule is about.

use serde_json::Value;

use crate::group::GroupType;

/// A value with its JSON pointer.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
}

/// An output with what its rules need to know about its group.
#[derive(Debug, Clone)]
pub(super) struct Output<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
    /// Absent in a preset.
    pub(super) group: Option<&'static GroupType>,
    /// Whether its group is made by automated ABR, which sets rates.
    pub(super) is_automated: bool,
    /// Whether it is a preset, in which captions have no selector.
    pub(super) is_preset: bool,
}

impl<'a> Output<'a> {
    pub(super) fn preset(settings: &'a Value) -> Self {
        Self {
            path: String::new(),
            value: settings,
            group: None,
            is_automated: false,
            is_preset: true,
        }
    }

    /// The places below the output that match a pattern.
    pub(super) fn places(&self, pattern: &str) -> Vec<Place<'a>> {
        places(self.value, &self.path, pattern)
    }
}

/// All outputs of job settings that have settings of their own.
pub(super) fn outputs(settings: &Value) -> Vec<Output<'_>> {
    let mut outputs = Vec::new();
    for group in places(settings, "", "outputGroups/*") {
        let kind = group.value["outputGroupSettings"]["type"].as_str();
        let kind = kind.and_then(GroupType::named);
        let own = places(group.value, &group.path, "outputs/*").into_iter();
        outputs.extend(
            own.filter(|output| output.value["preset"].is_null())
                .map(|output| Output {
                    path: output.path,
                    value: output.value,
                    group: kind,
                    is_automated: !group.value["automatedEncodingSettings"].is_null(),
                    is_preset: false,
                }),
        );
    }
    outputs
}

/// The places below `value` that match a pattern: names of members, and `*` for each item of a list or member of an object.
/// An empty pattern is the value itself. Nulls are not there.
pub(super) fn places<'a>(value: &'a Value, path: &str, pattern: &str) -> Vec<Place<'a>> {
    if value.is_null() {
        return Vec::new();
    }
    if pattern.is_empty() {
        return vec![Place {
            path: path.to_owned(),
            value,
        }];
    }
    let (name, rest) = pattern.split_once('/').unwrap_or((pattern, ""));
    let below = |(name, value): (String, &'a Value)| places(value, &format!("{path}/{name}"), rest);
    match (name, value) {
        ("*", Value::Array(items)) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| (index.to_string(), item))
                .flat_map(below)
                .collect()
        }
        ("*", Value::Object(members)) => {
            let members = members.iter();
            members
                .map(|(name, member)| (name.clone(), member))
                .flat_map(below)
                .collect()
        }
        (name, Value::Object(members)) => {
            let member = members.get(name);
            member
                .map(|member| (name.to_owned(), member))
                .map_or_else(Vec::new, below)
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns() {
        let document = json!({"a": [{"b": 1}, {"b": null}, {"c": {"x": 2, "y": 3}}]});
        for (pattern, expected) in [
            ("", vec![""]),
            ("a", vec!["/a"]),
            ("a/*", vec!["/a/0", "/a/1", "/a/2"]),
            ("a/*/b", vec!["/a/0/b"]),
            ("a/*/c/*", vec!["/a/2/c/x", "/a/2/c/y"]),
            ("a/*/b/c", vec![]),
            ("z/*", vec![]),
        ] {
            let found: Vec<String> = places(&document, "", pattern)
                .into_iter()
                .map(|place| place.path)
                .collect();
            assert_eq!(found, expected, "{pattern}");
        }
    }
}
