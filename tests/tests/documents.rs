//! What the documents claim, checked: the tests they name exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of all functions in Rust sources that stand under a test attribute.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            tests_of(&fs::read_to_string(&path).expect("UTF-8"), found);
        }
    }
}

fn tests_of(source: &str, found: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        is_test |= line.starts_with("#[test") || line.starts_with("#[tokio::test");
        let function = line.trim_start_matches("async ").strip_prefix("fn ");
        if let (true, Some(function)) = (is_test, function) {
            found.extend(function.split(['(', '<']).next().map(str::to_owned));
            is_test = false;
        }
    }
}

/// What looks like a test's name: lower case with at least two underscores.
fn names_in(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter(|word| word.matches('_').count() >= 2 && word.chars().all(is_name))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let mut tests = BTreeSet::new();
    for room in ["cli", "crates", "functions", "tests"] {
        tests_in(&root().join(room), &mut tests);
    }
    for document in ["docs/semantics.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        let named = names_in(&text);
        assert!(named.len() > 8, "{document} names only {named:?}");
        let missing: Vec<_> = named.difference(&tests).collect();
        assert!(
            missing.is_empty(),
            "{document} names tests that do not exist: {missing:?}"
        );
    }
}
