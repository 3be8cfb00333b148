//! Checks by `cargo tree` which crates are linked into others.

use std::collections::BTreeSet;
use std::process::Command;

/// The library names of everything that `package` links, itself included.
fn linked(package: &str, options: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", package, "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{lib}"])
        .args(options)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        // It would add what other members of the workspace link.
        .env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION")
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    let text = String::from_utf8(tree.stdout).expect("names of crates");
    text.lines().map(|line| line.replace(" (*)", "")).collect()
}

#[test]
fn without_the_feature_local_no_part_of_the_local_stack_is_linked() {
    let (with, without) = (linked("vod", &[]), linked("vod", &["--no-default-features"]));
    for name in ["vod_local", "local_base", "libsqlite3_sys", "rusqlite", "s3s"] {
        assert!(with.contains(name), "{name} is not in {with:?}");
        assert!(!without.contains(name), "{name} is still linked");
    }
    assert!(without.contains("vod_core"), "{without:?}");
}

#[test]
fn the_local_services_do_not_know_each_other() {
    let services = ["local-s3", "local-edge", "local-mediaconvert", "local-lambda"];
    for service in services {
        let linked = linked(service, &[]);
        assert!(linked.contains("local_base"), "{linked:?}");
        for other in services.into_iter().chain(["vod-local", "vod-testkit"]) {
            let is_linked = other != service && linked.contains(&other.replace('-', "_"));
            assert!(!is_linked, "{service} links {other}");
        }
    }
}

#[test]
fn the_mediaconvert_service_links_no_database_no_encoder_and_no_sdk() {
    let linked = linked("mediaconvert-api", &[]);
    assert!(linked.contains("mediaconvert_job"), "{linked:?}");
    for name in linked {
        let forbidden = ["rusqlite", "libsqlite3_sys", "s3s", "transcode", "local_base"]
            .contains(&name.as_str())
            || name.starts_with("aws_sdk");
        assert!(!forbidden, "mediaconvert-api links {name}");
    }
}
