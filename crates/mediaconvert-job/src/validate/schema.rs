//! Names, types, ranges, patterns and enumerations, from the API's own model.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;
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
    /// Least and greatest length in characters, and a pattern.
    String(usize, Option<usize>, Option<String>),
    /// Least and greatest value.
    Number(Option<i64>, Option<i64>),
    Boolean,
}

static SHAPES: LazyLock<BTreeMap<String, Shape>> = LazyLock::new(|| {
    // Cannot fail: the file is a part of this crate, and a test reads it.
    serde_json::from_str(include_str!("../../schema/job-settings.json")).unwrap_or_default()
});

/// The patterns of the model, compiled. A test compiles all of them.
static PATTERNS: LazyLock<BTreeMap<&'static str, Regex>> = LazyLock::new(|| {
    let patterns = SHAPES.values().filter_map(|shape| match shape {
        Shape::String(_, _, Some(pattern)) => Some(pattern.as_str()),
        _ => None,
    });
    patterns
        .filter_map(|pattern| Some((pattern, Regex::new(pattern).ok()?)))
        .collect()
});

/// Checks a value member by member against a shape of the model.
pub(super) fn check(value: &Value, shape: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    visit(value, shape, "", &mut violations);
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
                    None if value.is_null() => {}
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
        _ => {
            // A value of another type than the whole document's has the document's own path.
            let path = if path.is_empty() { "/" } else { path };
            violations.extend(scalar(shape, value).map(|message| Violation::new(path, message)));
        }
    }
}

/// The rule that a scalar breaks; a value of another type where a scalar, object or list is expected breaks one too.
fn scalar(shape: &Shape, value: &Value) -> Option<String> {
    match (shape, value) {
        (Shape::Enum(allowed), Value::String(text)) => {
            (!allowed.contains(text)).then(|| super::not_among(allowed.iter().map(String::as_str)))
        }
        (Shape::Integer(least, greatest), Value::Number(_)) => match value.as_i64() {
            None => Some("Should be integer".to_owned()),
            Some(number) => between(number, *least, *greatest),
        },
        (Shape::Number(least, greatest), Value::Number(number)) => {
            fraction(number.as_f64()?, *least, *greatest)
        }
        (Shape::String(least, greatest, pattern), Value::String(text)) => {
            length(text, *least, *greatest).or_else(|| mismatch(text, pattern.as_deref()?))
        }
        (Shape::Boolean, Value::Bool(_)) => None,
        (shape, _) => Some(format!("Should be {}", kind(shape))),
    }
}

fn length(text: &str, least: usize, greatest: Option<usize>) -> Option<String> {
    let length = text.chars().count();
    if length < least {
        return Some(format!("Should NOT be shorter than {least} characters"));
    }
    let greatest = greatest.filter(|greatest| length > *greatest)?;
    Some(format!("Should NOT be longer than {greatest} characters"))
}

/// The text of logged jobs: without the model's backslashes, and without an end that matches anything
/// (`Should match the pattern: /^s3:///`).
fn mismatch(text: &str, pattern: &str) -> Option<String> {
    let fits = PATTERNS.get(pattern).is_none_or(|regex| regex.is_match(text));
    let shown = pattern.strip_suffix(".*$").unwrap_or(pattern).replace(r"\/", "/");
    (!fits).then(|| format!("Should match the pattern: /{shown}/"))
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

/// The same for decimals. The bounds of the model are small integers, which a double holds exactly.
#[expect(clippy::cast_precision_loss, reason = "the bounds are below 2^53")]
fn fraction(number: f64, least: Option<i64>, greatest: Option<i64>) -> Option<String> {
    match (least, greatest) {
        (Some(least), _) if number < least as f64 => {
            Some(format!("Should be greater than or equal to {least}"))
        }
        (_, Some(greatest)) if number > greatest as f64 => {
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
        Shape::Number(..) => "number",
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

    #[test]
    fn each_pattern_of_the_model_compiles() {
        let patterns = SHAPES.values().filter_map(|shape| match shape {
            Shape::String(_, _, pattern) => pattern.as_deref(),
            _ => None,
        });
        let mut seen = 0;
        for pattern in patterns {
            assert!(PATTERNS.contains_key(pattern), "{pattern}");
            seen += 1;
        }
        assert!(seen > 30, "{seen}");
    }
}
