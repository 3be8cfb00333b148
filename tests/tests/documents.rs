//! Checks that the tests which the documents name exist, and lists what `make fuzz` would run, without building it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of all functions in Rust sources that stand under a test attribute, and of the red team's attempts.
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
        } else if path.extension().is_some_and(|suffix| suffix == "py") {
            python_tests_of(&fs::read_to_string(&path).expect("UTF-8"), found);
        }
    }
}

fn tests_of(source: &str, found: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if let Some(attempt) = line.strip_prefix("attempt!(") {
            found.extend(attempt.split(',').next().map(str::to_owned));
        }
        is_test |= line.starts_with("#[test") || line.starts_with("#[tokio::test");
        let function = line.trim_start_matches("async ").strip_prefix("fn ");
        if let (true, Some(function)) = (is_test, function) {
            found.extend(function.split(['(', '<']).next().map(str::to_owned));
            is_test = false;
        }
    }
}

/// Functions that pytest finds, and rules on a template, which `noticed` registers with their mutants.
fn python_tests_of(source: &str, found: &mut BTreeSet<String>) {
    let mut is_rule = false;
    for line in source.lines() {
        is_rule |= line.starts_with("@noticed(");
        let name = line
            .strip_prefix("def ")
            .and_then(|function| function.split('(').next());
        if let Some(name) = name {
            if is_rule || name.starts_with("test_") {
                found.insert(name.to_owned());
            }
            is_rule = false;
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
    for document in ["docs/semantics.md", "docs/signatures.md", "ARCHITECTURE.md"] {
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

/// Names of the files with this suffix, or of the folders if there is none, without the suffix.
fn stems(folder: &str, suffix: Option<&str>) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder of this repository");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.is_dir() == suffix.is_none())
        .filter(|path| path.extension().and_then(|found| found.to_str()) == suffix)
        .map(|path| {
            path.file_stem()
                .expect("has a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

/// `scripts/fuzz.sh` asks `cargo fuzz list`, which reads the manifest.
#[test]
fn every_fuzz_target_is_run_and_has_seeds() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("a manifest");
    let listed: BTreeSet<String> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|target| target.split('"').nth(1).map(str::to_owned))
        .collect();
    assert_eq!(listed, stems("fuzz/fuzz_targets", Some("rs")));
    assert_eq!(listed, stems("fuzz/seeds", None));
    for target in &listed {
        let seeds = fs::read_dir(root().join("fuzz/seeds").join(target)).expect("seeds");
        let sizes = seeds.map(|seed| seed.expect("a seed").metadata().expect("a size").len());
        let (least, most) = sizes.fold((u64::MAX, 0), |(least, most), size| {
            (least.min(size), most.max(size))
        });
        // `MAX_LEN` of the script cuts what is longer.
        assert!(
            least > 0 && most <= 4_096,
            "{target}: seeds of {least} to {most} bytes"
        );
    }
    let dictionaries = stems("fuzz/dictionaries", Some("dict"));
    assert!(dictionaries.is_subset(&listed), "{dictionaries:?}");
}

#[test]
fn every_vector_that_a_document_names_exists() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("a file of this repository");
    let vectors = read("crates/vod-core/testdata/cloudfront/vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(&vectors).expect("JSON");
    let there: Vec<_> = vectors["cases"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|case| case["name"].as_str())
        .collect();
    let document = read("docs/signatures.md");
    let named: Vec<_> = document
        .split('\u{201c}')
        .skip(1)
        .filter_map(|rest| rest.split('\u{201d}').next())
        .filter(|name| *name != "quotes")
        .collect();
    assert!(named.len() > 50, "it names only {named:?}");
    for name in named {
        let exists = there
            .iter()
            .any(|case| case == &name || case.ends_with(&format!(" {name}")));
        assert!(
            exists,
            "docs/signatures.md names a vector that does not exist: {name}"
        );
    }
}
