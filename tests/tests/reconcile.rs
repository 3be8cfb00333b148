//! `vod reconcile` on a stack in which something has gone missing.

use anyhow::Context;
use serde_json::{Value, json};
use vod_tests::{LocalStack, clips, wait};

/// The records in the bucket, by key.
fn records(stack: &LocalStack) -> anyhow::Result<Vec<(String, Value)>> {
    let mut keys = stack.keys("catalog/")?;
    keys.sort();
    let read = |key: String| {
        let file = stack.scratch().join("record.json");
        let (source, target) = (
            format!("s3://{}/{key}", stack.endpoints.bucket),
            file.to_string_lossy(),
        );
        stack.aws(&["s3", "cp", "--only-show-errors", &source, &target])?;
        Ok((key, serde_json::from_slice(&std::fs::read(&file)?)?))
    };
    keys.into_iter().map(read).collect()
}

fn jobs(stack: &LocalStack) -> anyhow::Result<usize> {
    let answer = stack.aws_json(&["mediaconvert", "list-jobs"])?;
    Ok(answer["Jobs"].as_array().context("no jobs")?.len())
}

/// The parts of a record that a rebuilt one must have as well; only S3's events know the rest.
fn essence(record: &Value) -> Value {
    let mut essence = record.clone();
    for pointer in ["", "/source", "/jobs/0"] {
        if let Some(members) = essence.pointer_mut(pointer).and_then(Value::as_object_mut) {
            members.retain(|name, _| !name.ends_with("_at") && name != "sequencer");
        }
    }
    essence
}

fn figures(summary: &Value) -> [u64; 4] {
    ["lost", "mended", "given_up", "failed"].map(|name| summary[name].as_u64().unwrap_or(u64::MAX))
}

#[test]
fn a_catalog_that_was_deleted_whole_is_rebuilt_and_nothing_is_encoded_again() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let (one, two) = (clips::ordinary("320x180", 2.0)?, clips::ordinary("320x180", 3.0)?);
    let uploads = [
        (&one, "input/a.mp4"),
        (&one, "input/한국 b.mp4"),
        (&two, "input/a.mp4"),
    ];
    for (count, (file, key)) in (1..).zip(uploads) {
        stack.upload(file, key)?;
        wait::until(key, wait::ENCODE, || {
            let records = records(&stack)?;
            let done = records
                .iter()
                .filter(|(_, record)| record["state"] == "COMPLETE")
                .count();
            Ok((done == count).then_some(()))
        })?;
    }
    let before = records(&stack)?;
    assert_eq!((before.len(), jobs(&stack)?), (3, 3));
    let bucket = format!("s3://{}/catalog/", stack.endpoints.bucket);
    stack.aws(&["s3", "rm", "--only-show-errors", "--recursive", &bucket])?;

    let summary = stack.vod_json(&["reconcile", "--dry-run"])?;
    assert_eq!(figures(&summary), [3, 0, 0, 0], "{summary}");
    assert!(records(&stack)?.is_empty(), "a dry run changes nothing");
    let summary = stack.vod_json(&["reconcile"])?;
    assert_eq!(figures(&summary), [3, 3, 0, 0], "{summary}");

    let after = records(&stack)?;
    assert_eq!(jobs(&stack)?, 3, "nothing is encoded again");
    for ((key, old), (again, new)) in before.iter().zip(&after) {
        assert_eq!(key, again);
        let (mut old, mut new) = (essence(old), essence(new));
        // The file of the replaced upload is gone; its job tells key and outputs, and nothing of the source.
        if new["source"]["size"] == 0 {
            old["jobs"][0].as_object_mut().map(|job| job.remove("changes"));
            old.as_object_mut().map(|record| record.remove("left_out"));
            (old["source"], new["source"]) = (old["source"]["key"].take(), new["source"]["key"].take());
        }
        assert_eq!(old, new);
    }
    let summary = stack.vod_json(&["reconcile"])?;
    assert_eq!(figures(&summary), [0, 0, 0, 0], "{summary}");
    Ok(())
}

#[test]
fn an_entry_that_is_missing_is_written() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    stack.put("input/empty.mp4", b"")?;
    let entries = || stack.keys("ops/newest/");
    let written = wait::until("an entry", wait::SOON, || {
        Ok(Some(entries()?).filter(|entries| entries.len() == 1))
    })?;
    // In the first pass, and in a later one while the record is new.
    for _ in 0..2 {
        let folder = format!("s3://{}/ops/newest/", stack.endpoints.bucket);
        stack.aws(&["s3", "rm", "--only-show-errors", "--recursive", &folder])?;
        assert!(entries()?.is_empty());
        let summary = stack.vod_json(&["reconcile"])?;
        assert_eq!(figures(&summary), [0, 0, 0, 0], "{summary}");
        assert_eq!(entries()?, written);
    }
    Ok(())
}

/// Writes a record as a fault would have left it.
fn spoil(stack: &LocalStack, spoil: impl FnOnce(&mut Value)) -> anyhow::Result<Value> {
    let (key, record) = records(stack)?.pop().context("no record")?;
    let mut spoiled = record.clone();
    spoil(&mut spoiled);
    stack.put(&key, &serde_json::to_vec(&spoiled)?)?;
    Ok(record)
}

fn forget_the_end(record: &mut Value) {
    record["state"] = "SUBMITTED".into();
    record["progress"] = 0.into();
    record["outputs"] = json!([]);
    let job = &mut record["jobs"][0];
    job["state"] = "SUBMITTED".into();
    job["progress"] = 0.into();
}

#[test]
fn missed_events_are_recovered() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    stack.upload(&clips::ordinary("320x180", 2.0)?, "input/a.mp4")?;
    stack.wait_for_complete("input/a.mp4")?;

    // The event of the job's end was lost: GetJob and a listing tell the same.
    let whole = spoil(&stack, forget_the_end)?;
    let summary = stack.vod_json(&["reconcile"])?;
    assert_eq!(figures(&summary), [1, 1, 0, 0], "{summary}");
    assert_eq!(essence(&records(&stack)?[0].1), essence(&whole));

    // MediaConvert has forgotten the job as well: the outputs tell.
    spoil(&stack, |record| {
        forget_the_end(record);
        record["jobs"][0]["job_id"] = "1-gone00".into();
    })?;
    let summary = stack.vod_json(&["reconcile"])?;
    assert_eq!(figures(&summary), [1, 1, 0, 0], "{summary}");
    let record = records(&stack)?.remove(0).1;
    assert_eq!(
        (&record["state"], &record["outputs"][0]["hls"]["master"]),
        (&json!("COMPLETE"), &whole["outputs"][0]["hls"]["master"])
    );

    // Whoever had claimed it died between CreateJob and the record: the job is found, not made again.
    spoil(&stack, |record| {
        forget_the_end(record);
        record["state"] = "QUEUED".into();
        record["jobs"][0].as_object_mut().map(|job| job.remove("job_id"));
        record["lease"] = json!({ "holder": "someone", "until": "2026-01-01T00:00:00Z" });
    })?;
    let summary = stack.vod_json(&["reconcile"])?;
    assert_eq!(figures(&summary), [1, 1, 0, 0], "{summary}");
    stack.vod_json(&["reconcile"])?;
    assert_eq!(essence(&records(&stack)?[0].1), essence(&whole));
    assert_eq!(jobs(&stack)?, 1, "nothing is encoded again");
    Ok(())
}
