//! Compares the calls of a stack's parts to S3 and MediaConvert with `tests/infra/calls.json`.
//!
//! From that file `tests/infra/test_policies.py` shows that the roles of `infra/template.yaml` allow each call. A
//! call that is not in it would be "access denied" on AWS, so it fails the test that made it, whichever that is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

/// Where calls are written to instead of failing; `tests/infra/record.sh` sets it.
const RECORD: &str = "VOD_CALLS";

/// The calls that access logs tell of, as `submit s3:GetObject input/`.
fn made(state: &Path) -> BTreeSet<String> {
    ["access.log.1", "access.log"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(state.join(name)).ok())
        .flat_map(|text| text.lines().filter_map(call).collect::<Vec<_>>())
        .collect()
}

/// One line's call; none of people's own.
fn call(line: &str) -> Option<String> {
    // The last line of a stack that was killed may be half a line.
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| line[name].as_str();
    let (caller, service, operation) = (text("caller")?, text("service")?, text("operation")?);
    // Below `ops/` each folder is a matter of its own, and has all that is below it.
    let folder = text("key").and_then(|key| {
        let mut ends = key.match_indices('/').map(|(at, _)| at);
        let first = ends.next()?;
        let own = ends.next().filter(|_| key.starts_with("ops/"));
        Some(&key[..own.unwrap_or(first)])
    });
    let versioned = text("path").is_some_and(|path| path.contains("versionId"));
    Some(format!(
        "{caller} {service}:{operation}{}{}",
        if versioned { "Version" } else { "" },
        folder.map_or(String::new(), |folder| format!(" {folder}/")),
    ))
}

/// What is written down.
fn known() -> BTreeSet<String> {
    let parts: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("../infra/calls.json")).expect("tests/infra/calls.json is no JSON");
    parts
        .iter()
        .flat_map(|(part, calls)| calls.iter().map(move |call| format!("{part} {call}")))
        .collect()
}

/// Fails if the stack in this folder has made a call that is not written down.
pub(crate) fn check(state: &Path) {
    let made = made(state);
    if let Some(file) = std::env::var_os(RECORD) {
        let lines: Vec<String> = made.into_iter().collect();
        let lines = lines.join("\n") + "\n";
        let file = std::fs::File::options().create(true).append(true).open(file);
        return file
            .and_then(|mut file| file.write_all(lines.as_bytes()))
            .expect("could not write down the calls");
    }
    let new: Vec<String> = made.difference(&known()).cloned().collect();
    assert!(
        new.is_empty(),
        "calls that tests/infra/calls.json does not have: {new:?}. If they are right, give the role in \
         infra/template.yaml what they need and run tests/infra/record.sh"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_who_what_and_where() {
        let table = [
            (
                r#"{"caller":"submit","service":"s3","operation":"HeadObject","key":"input/a/b.mp4","path":"/vod/input/a/b.mp4?versionId"}"#,
                Some("submit s3:HeadObjectVersion input/"),
            ),
            (
                r#"{"caller":"signer","service":"s3","operation":"ListObjectsV2","path":"/vod?prefix"}"#,
                Some("signer s3:ListObjectsV2"),
            ),
            (
                r#"{"caller":"submit","service":"mediaconvert","operation":"CreateJob","path":"/2017-08-29/jobs"}"#,
                Some("submit mediaconvert:CreateJob"),
            ),
            (
                r#"{"caller":"submit","service":"s3","operation":"GetObject","key":"ops/removed/a.json","path":"/vod/ops/removed/a.json"}"#,
                Some("submit s3:GetObject ops/removed/"),
            ),
            (
                r#"{"caller":"owner","service":"s3","operation":"CopyObject","key":"ops/trash/a/output/b.ts","path":"/vod/x"}"#,
                Some("owner s3:CopyObject ops/trash/"),
            ),
            (
                r#"{"caller":"submit","service":"s3","operation":"GetObject","key":"ops/reconcile.json","path":"/vod/x"}"#,
                Some("submit s3:GetObject ops/"),
            ),
            (
                r#"{"service":"s3","operation":"PutObject","key":"input/a.mp4","path":"/vod/input/a.mp4"}"#,
                None,
            ),
            (r#"{"caller":"submit","serv"#, None),
        ];
        for (line, expected) in table {
            assert_eq!(call(line).as_deref(), expected, "{line}");
        }
    }
}
