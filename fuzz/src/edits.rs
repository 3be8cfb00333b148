//! Documents as edits of a good one: random bytes are hardly ever JSON, and random JSON is hardly ever a job.
//!
//! One edit per line. `/a/0/b = 12` puts a value at a JSON pointer, and makes what is missing on the way;
//! `-/a/0` takes one away; `*/a/0` puts a copy of a list's item behind it. A text that begins with `{` or `[`
//! is a document of its own.

use serde_json::{Map, Value};

/// Longest list that an edit makes.
const ITEMS_MAX: usize = 64;

/// The document that `text` says, starting from `base`. `None` if it is no document.
pub fn apply(base: &Value, text: &str) -> Option<Value> {
    if text.trim_start().starts_with(['{', '[']) {
        return serde_json::from_str(text).ok();
    }
    let mut document = base.clone();
    for line in text.lines().take(32) {
        edit(&mut document, line);
    }
    Some(document)
}

fn edit(document: &mut Value, line: &str) {
    if let Some(pointer) = line.strip_prefix('-') {
        remove(document, pointer.trim());
    } else if let Some(pointer) = line.strip_prefix('*') {
        repeat(document, pointer.trim());
    } else if let Some((pointer, value)) = line.split_once(" = ") {
        // What is no JSON is meant as a string.
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        set(document, pointer, value);
    }
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    let Some(path) = pointer.strip_prefix('/') else {
        return;
    };
    let mut at = document;
    for segment in path.split('/').take(32) {
        let segment = unescaped(segment);
        at = match at {
            Value::Array(items) => {
                let Ok(index) = segment.parse::<usize>() else {
                    return;
                };
                if index >= ITEMS_MAX {
                    return;
                }
                while items.len() <= index {
                    items.push(Value::Null);
                }
                &mut items[index]
            }
            other => {
                if !other.is_object() {
                    *other = Value::Object(Map::new());
                }
                let Value::Object(members) = other else { return };
                members.entry(segment).or_insert(Value::Null)
            }
        };
    }
    *at = value;
}

fn split(pointer: &str) -> Option<(&str, String)> {
    let (parent, last) = pointer.rsplit_once('/')?;
    Some((parent, unescaped(last)))
}

fn remove(document: &mut Value, pointer: &str) {
    let Some((parent, last)) = split(pointer) else {
        return;
    };
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.remove(&last);
        }
        Some(Value::Array(items)) => {
            if let Some(index) = last.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn repeat(document: &mut Value, pointer: &str) {
    let Some((parent, last)) = split(pointer) else {
        return;
    };
    if let (Some(Value::Array(items)), Ok(index)) = (document.pointer_mut(parent), last.parse::<usize>())
        && items.len() < ITEMS_MAX
        && let Some(item) = items.get(index).cloned()
    {
        items.push(item);
    }
}
