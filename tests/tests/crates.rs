//! The crates depend on each other as ARCHITECTURE.md's table of crates says, and on nothing that it rules out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Crates without I/O.
const PURE: [&str; 3] = ["captions", "mediaconvert-job", "vod-core"];
/// Prefixes of crates that do I/O, or need async.
const IO: [&str; 11] = [
    "async-",
    "aws-config",
    "aws-sdk-",
    "aws-smithy-",
    "futures",
    "hyper",
    "lambda_",
    "reqwest",
    "rusqlite",
    "tokio",
    "tower",
];
/// Outside crates, and the only crates that may link them.
const RESERVED: [(&str, &[&str]); 2] = [("aws-sdk-mediaconvert", &["vod-aws"]), ("aws-config", &["vod"])];

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What `cargo metadata` says of the workspace's own crates.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output();
    let output = output.expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// The folder of a package, from the root.
fn folder(package: &Value) -> String {
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    let root = root().canonicalize().expect("exists");
    let folder = manifest.parent().expect("a folder");
    let folder = folder.strip_prefix(root).unwrap_or(folder);
    folder.to_string_lossy().into_owned()
}

/// Path to allowed dependencies, from the table of crates: its first and third column.
fn table(document: &str) -> BTreeMap<String, BTreeSet<String>> {
    let names =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let rows = document
        .lines()
        .skip_while(|line| !line.starts_with("| path | purpose"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 6, "a row of four columns: {row}");
        let path = names(cells[1]).pop().expect("a path");
        (path, names(cells[3]).into_iter().collect())
    })
    .collect()
}

/// Every rule that is broken, in words.
fn broken(table: &BTreeMap<String, BTreeSet<String>>, packages: &[Value]) -> Vec<String> {
    let name = |package: &Value| package["name"].as_str().expect("a name").to_owned();
    let own: BTreeMap<String, String> = packages.iter().map(|it| (name(it), folder(it))).collect();
    let mut broken = Vec::new();
    let mut used = BTreeSet::new();
    for package in packages {
        let (from, at) = (name(package), folder(package));
        let wild = at.rsplit_once('/').map(|(parent, _)| format!("{parent}/*"));
        let row = [Some(at.clone()), wild]
            .into_iter()
            .flatten()
            .find(|path| table.contains_key(path));
        let Some(row) = row else {
            broken.push(format!("{at} is not in the table"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("a name");
            if let Some(there) = own.get(to) {
                if !table[&row].contains(to) {
                    broken.push(format!("{from} depends on {to}, which its row does not list"));
                }
                if at.starts_with("functions/") && there.starts_with("functions/") {
                    broken.push(format!("the function {from} depends on the function {to}"));
                }
            } else if PURE.contains(&&*from) && IO.iter().any(|prefix| to.starts_with(prefix)) {
                broken.push(format!("{from} is pure and depends on {to}"));
            }
            let is_linked = dependency["kind"].is_null();
            let reserved = RESERVED.iter().find(|(crate_name, _)| *crate_name == to);
            if let Some((_, may)) = reserved.filter(|(_, may)| is_linked && !may.contains(&&*from)) {
                broken.push(format!("{from} depends on {to}, which only {may:?} may"));
            }
        }
        used.insert(row);
    }
    let unused = table
        .keys()
        .filter(|path| !used.contains(*path) && *path != "fuzz");
    broken.extend(unused.map(|path| format!("the table lists {path}, which is no crate")));
    broken
}

#[test]
fn crates_depend_on_each_other_as_the_table_says() {
    let document = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a document");
    let (table, packages) = (table(&document), packages());
    assert!(table.len() > 8 && packages.len() > 8, "{table:?}");
    let broken = broken(&table, &packages);
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn each_broken_rule_of_the_table_is_found() {
    let document = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a document");
    let (table, packages) = (table(&document), packages());
    for (from, to, expected) in [
        ("vod-core", "vod-aws", "which its row does not list"),
        ("vod-core", "tokio", "is pure"),
        ("mediaconvert-job", "aws-sdk-s3", "is pure"),
        ("pipeline", "submit", "which its row does not list"),
        ("pipeline", "aws-sdk-mediaconvert", "only [\"vod-aws\"] may"),
        (
            "reconcile",
            "submit",
            "the function reconcile depends on the function submit",
        ),
        (
            "signer",
            "complete",
            "the function signer depends on the function complete",
        ),
        ("vod-tests", "vod-aws", "which its row does not list"),
    ] {
        let mut changed = packages.clone();
        let package = changed.iter_mut().find(|package| package["name"] == from);
        let dependencies = package.expect("a crate")["dependencies"].as_array_mut();
        dependencies
            .expect("dependencies")
            .push(json!({"name": to, "kind": null}));
        let broken = broken(&table, &changed);
        assert!(
            broken.iter().any(|rule| rule.contains(expected)),
            "{from} -> {to}: {broken:?}"
        );
    }
    let mut other = table.clone();
    other.remove("cli");
    other.insert("crates/gone".to_owned(), BTreeSet::new());
    let broken = broken(&other, &packages);
    assert_eq!(
        broken,
        [
            "cli is not in the table",
            "the table lists crates/gone, which is no crate"
        ]
    );
}
