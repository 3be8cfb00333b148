//! The list of all settings in `docs/semantics.md`, generated from the API's model and the support table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use crate::support::{self, Support};
use serde_json::Value;

const BEGIN: &str = "<!-- The list of settings begins: generated, see its test. -->\n";
const END: &str = "<!-- The list of settings ends. -->\n";
const REGENERATE: &str = "VOD_UPDATE_DOCS=1 cargo test -p transcode --lib the_list_of_settings";

/// Parts of a job that have a heading of their own. A setting is listed under the longest that it is below.
const PARTS: &[&str] = &[
    "",
    "inputs/*",
    "inputs/*/audioSelectors/*",
    "inputs/*/captionSelectors/*",
    "outputGroups/*",
    "outputGroups/*/outputGroupSettings/cmafGroupSettings",
    "outputGroups/*/outputGroupSettings/dashIsoGroupSettings",
    "outputGroups/*/outputGroupSettings/fileGroupSettings",
    "outputGroups/*/outputGroupSettings/hlsGroupSettings",
    "outputGroups/*/outputs/*",
    "outputGroups/*/outputs/*/audioDescriptions/*",
    "outputGroups/*/outputs/*/audioDescriptions/*/codecSettings",
    "outputGroups/*/outputs/*/captionDescriptions/*",
    "outputGroups/*/outputs/*/captionDescriptions/*/destinationSettings/burninDestinationSettings",
    "outputGroups/*/outputs/*/containerSettings",
    "outputGroups/*/outputs/*/videoDescription",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/av1Settings",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/frameCaptureSettings",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/gifSettings",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/h265Settings",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/mpeg2Settings",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/proresSettings",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/vp8Settings",
    "outputGroups/*/outputs/*/videoDescription/codecSettings/vp9Settings",
    "outputGroups/*/outputs/*/videoDescription/videoPreprocessors",
];

/// A setting, or all settings below a path, and its treatment.
type Row = (String, Treatment);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Treatment {
    Honored,
    /// These values are; others are refused.
    Values(Vec<&'static str>),
    Approximated(Vec<&'static str>, &'static str),
    Harmless(&'static str),
    Refused(&'static str),
}

struct Model(BTreeMap<String, Value>);

impl Model {
    fn read() -> Self {
        let text = include_str!("../../../mediaconvert-job/schema/job-settings.json");
        Self(serde_json::from_str(text).expect("is JSON"))
    }

    /// The settings below a path, where what is refused or harmless as a whole is one row.
    fn rows(&self, shape: &str, path: &str) -> Vec<Row> {
        let (kind, value) = self.0[shape]
            .as_object()
            .and_then(|shape| shape.iter().next())
            .expect("has a kind");
        let rows: Vec<Row> = match kind.as_str() {
            "members" => {
                let members = value.as_object().expect("has members").iter();
                members
                    .flat_map(|(name, shape)| self.rows(shape.as_str().expect("a name"), &join(path, name)))
                    .collect()
            }
            "item" | "value" => self.rows(value.as_str().expect("a name"), &join(path, "*")),
            _ => return vec![(path.to_owned(), treatment(path, value))],
        };
        let whole = matches!(
            rows.first(),
            Some((_, Treatment::Refused(_) | Treatment::Harmless(_)))
        );
        match rows.first() {
            Some((_, first)) if whole && rows.len() > 1 && rows.iter().all(|(_, other)| other == first) => {
                vec![(join(path, "**"), first.clone())]
            }
            _ => rows,
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else if name == "**" && path.ends_with('*') {
        // One row for the items and all below them.
        format!("{path}*").replace("***", "**")
    } else {
        format!("{path}/{name}")
    }
}

fn treatment(path: &str, model: &Value) -> Treatment {
    let path = format!("/{}", path.replace('*', "0"));
    match support::of(&path) {
        Some(Support::Supported) => Treatment::Honored,
        Some(Support::Only(values)) => {
            let all: BTreeSet<&str> = model
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let others = all.is_empty() || all.iter().any(|value| !values.contains(value));
            if others {
                Treatment::Values(values.to_vec())
            } else {
                Treatment::Honored
            }
        }
        Some(Support::Approximated(values, how)) => Treatment::Approximated(values.to_vec(), how),
        Some(Support::Harmless(reason)) => Treatment::Harmless(reason),
        Some(Support::Refused(reason)) => Treatment::Refused(reason),
        None => panic!("{path} is in no table"),
    }
}

fn list() -> String {
    let mut parts: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for (path, treatment) in Model::read().rows("JobSettings", "") {
        let part = PARTS
            .iter()
            .filter(|part| part.is_empty() || path.starts_with(&format!("{part}/")))
            .max_by_key(|part| part.len())
            .expect("the first is below every path");
        let name = path[part.len()..].trim_start_matches('/').to_owned();
        parts.entry(part).or_default().push((name, treatment));
    }
    let mut text = String::new();
    for (part, rows) in parts {
        let heading = if part.is_empty() {
            "The job".to_owned()
        } else {
            format!("`{part}`")
        };
        writeln!(text, "#### {heading}\n").expect("writes");
        for line in bullets(rows) {
            text.push_str(&wrapped(&line));
        }
        text.push('\n');
    }
    text
}

/// One bullet for each treatment, with all settings that have it.
fn bullets(rows: Vec<Row>) -> Vec<String> {
    let mut by_treatment: BTreeMap<Treatment, Vec<String>> = BTreeMap::new();
    for (name, treatment) in rows {
        by_treatment
            .entry(treatment)
            .or_default()
            .push(format!("`{name}`"));
    }
    let bullet = |(treatment, names): (Treatment, Vec<String>)| {
        let names = names.join(", ");
        match treatment {
            Treatment::Honored => format!("- Honored: {names}."),
            Treatment::Values(values) => format!("- Only {}: {names}.", values.join(", ")),
            Treatment::Approximated(values, how) if values.is_empty() => {
                format!("- Approximated: {names}: {how}.")
            }
            Treatment::Approximated(values, how) => {
                format!(
                    "- Approximated for {}, else honored: {names}: {how}.",
                    values.join(", ")
                )
            }
            Treatment::Harmless(reason) => format!("- No difference: {names}: {reason}."),
            Treatment::Refused(reason) => format!("- Refused: {names}: {reason}."),
        }
    };
    by_treatment.into_iter().map(bullet).collect()
}

/// A bullet in lines of at most 118 characters.
fn wrapped(bullet: &str) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for word in bullet.split(' ') {
        if line.len() + word.len() > 116 {
            text.push_str(line.trim_end());
            text.push('\n');
            line = "  ".to_owned();
        }
        line.push_str(word);
        line.push(' ');
    }
    text + line.trim_end() + "\n"
}

#[test]
fn the_list_of_settings_in_the_document_is_that_of_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/semantics.md");
    let document = std::fs::read_to_string(&file).expect("is readable");
    let (before, rest) = document.split_once(BEGIN).expect("has the line before the list");
    let (found, after) = rest.split_once(END).expect("has the line after the list");
    let expected = format!("\n{}", list());
    if std::env::var_os("VOD_UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{expected}{END}{after}")).expect("is writable");
    } else {
        assert!(
            found == expected,
            "docs/semantics.md does not list the settings as the support table has them. Regenerate: {REGENERATE}"
        );
    }
}
