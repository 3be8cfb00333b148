//! Names, types, ranges and enumerations, from the API's own model.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::validate::Violation;

/// One shape of the model, as `schema/generate.py` writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Members(BTreeMap<String, String>),
    Item(String),
    Value(String),
    Enum(Vec<String>),
    /// Least and greatest value.
    Integer(Option<i64>, Option<i64>),
    /// Least and greatest length.
    String(usize, Option<usize>),
    Number,
    Boolean,
}

static SHAPES: LazyLock<BTreeMap<String, Shape>> = LazyLock::new(|| {
    // Cannot fail: the file is a part of this crate, and a test reads it.
    serde_json::from_str(include_str!("../../schema/job-settings.json")).unwrap_or_default()
});

/// Checks job settings member by member.
pub(super) fn check(settings: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    visit(settings, "JobSettings", "", &mut violations);
    violations
}

fn visit(value: &Value, name: &str, path: &str, violations: &mut Vec<Violation>) {
    let Some(shape) = SHAPES.get(name) else { return };
    // A null is a member that is not there.
    if value.is_null() {
        return;
    }
    match (shape, value) {
        (Shape::Members(members), Value::Object(object)) => {
            for (member, value) in object {
                let path = format!("{path}/{}", escaped(member));
                match members.get(member) {
                    Some(shape) => visit(value, shape, &path, violations),
                    None => violations.push(Violation::new(path, format!("Is not a property of {name}"))),
                }
            }
        }
        (Shape::Value(shape), Value::Object(object)) => {
            for (key, value) in object {
                visit(value, shape, &format!("{path}/{}", escaped(key)), violations);
            }
        }
        (Shape::Item(shape), Value::Array(items)) => {
            for (index, value) in items.iter().enumerate() {
                visit(value, shape, &format!("{path}/{index}"), violations);
            }
        }
        _ => violations.extend(scalar(shape, value).map(|message| Violation::new(path, message))),
    }
}

/// The rule that a scalar breaks; a value of another type where a scalar, object or list is expected breaks one too.
fn scalar(shape: &Shape, value: &Value) -> Option<String> {
    match (shape, value) {
        (Shape::Enum(allowed), Value::String(text)) => (!allowed.contains(text)).then(|| {
            let list: Vec<String> = allowed.iter().map(|name| format!("\"{name}\"")).collect();
            format!(
                "Should be equal to one of the allowed values in [{}]",
                list.join(",")
            )
        }),
        (Shape::Integer(least, greatest), Value::Number(_)) => match value.as_i64() {
            None => Some("Should be integer".to_owned()),
            Some(number) => between(number, *least, *greatest),
        },
        (Shape::String(least, greatest), Value::String(text)) => {
            let length = text.chars().count();
            if length < *least {
                return Some(format!("Should NOT be shorter than {least} characters"));
            }
            let greatest = (*greatest).filter(|greatest| length > *greatest)?;
            Some(format!("Should NOT be longer than {greatest} characters"))
        }
        (Shape::Number, Value::Number(_)) | (Shape::Boolean, Value::Bool(_)) => None,
        (shape, _) => Some(format!("Should be {}", kind(shape))),
    }
}

fn between(number: i64, least: Option<i64>, greatest: Option<i64>) -> Option<String> {
    match (least, greatest) {
        (Some(least), _) if number < least => Some(format!("Should be greater than or equal to {least}")),
        (_, Some(greatest)) if number > greatest => {
            Some(format!("Should be less than or equal to {greatest}"))
        }
        _ => None,
    }
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Members(_) | Shape::Value(_) => "object",
        Shape::Item(_) => "array",
        Shape::Enum(_) | Shape::String(..) => "string",
        Shape::Integer(..) => "integer",
        Shape::Number => "number",
        Shape::Boolean => "boolean",
    }
}

/// A name as a JSON pointer has it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_and_whole() {
        assert!(SHAPES.len() > 500, "{} shapes", SHAPES.len());
        for shape in SHAPES.values() {
            let named: Vec<&String> = match shape {
                Shape::Members(members) => members.values().collect(),
                Shape::Item(shape) | Shape::Value(shape) => vec![shape],
                _ => Vec::new(),
            };
            assert!(named.iter().all(|name| SHAPES.contains_key(*name)), "{shape:?}");
        }
    }
}
