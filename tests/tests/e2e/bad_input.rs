//! A file that is no video ends in a record that says why, and the pipeline goes on.

use anyhow::ensure;
use serde_json::Value;
use vod_tests::{LocalStack, clips};

struct Case {
    key: String,
    bytes: Vec<u8>,
    state: &'static str,
}

fn case(key: &str, bytes: &[u8], state: &'static str) -> Case {
    Case {
        key: key.to_owned(),
        bytes: bytes.to_owned(),
        state,
    }
}

/// A film whose end is missing: ffmpeg's mp4 has its index there.
fn truncated() -> anyhow::Result<Vec<u8>> {
    let whole = std::fs::read(clips::ordinary("320x180", 2.0)?)?;
    Ok(whole[..whole.len() / 2].to_vec())
}

fn noise() -> Vec<u8> {
    // Any bytes that are no known format: a linear congruential generator's.
    let mut state = 1_u32;
    let step = |()| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_n((), 65_536).map(step).collect()
}

#[test]
fn each_bad_upload_ends_in_a_record_with_its_reason() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let long = format!("input/{}.mp4", "k".repeat(1_000 - "input/.mp4".len()));
    let cases = [
        case("input/noise.bin", &noise(), "ERROR"),
        case("input/empty.mp4", b"", "IGNORED"),
        case("input/truncated.mp4", &truncated()?, "ERROR"),
        case("input/text.mp4", b"This is not a film.\n", "ERROR"),
        case("input/folder/", b"", "IGNORED"),
        case("input/gaps.mov", &std::fs::read(clips::long_gaps()?)?, "ERROR"),
        case("input/../x", b"climbing\n", "ERROR"),
        case(&long, b"long\n", "ERROR"),
    ];
    for case in &cases {
        stack.put(&case.key, &case.bytes)?;
    }
    for case in &cases {
        let record = stack.wait_for_end(&case.key)?;
        ensure!(record["state"] == case.state, "{}: {record:#}", case.key);
        ensure!(says_why(&record), "{record:#}");
    }
    let gaps = stack.wait_for_end("input/gaps.mov")?;
    let error = &gaps["jobs"][0]["error"];
    ensure!(
        error["code"] == 900_101 && error["retryable"] == false,
        "{gaps:#}"
    );
    let message = "the video plays for 200.0 h; the limit is 24 h";
    ensure!(error["message"] == message, "{gaps:#}");
    // Nothing is lost or deleted.
    let keys = stack.keys("input/")?;
    for case in &cases {
        ensure!(keys.contains(&case.key), "{} is gone", case.key);
    }
    ensure!(stack.keys("output/")?.is_empty(), "outputs of what is no video");

    // And the pipeline goes on, also with a key of 1,000 characters.
    let film = long.replace('k', "f");
    stack.upload(&clips::ordinary("320x180", 2.0)?, &film)?;
    stack.wait_for_complete(&film)?;
    Ok(())
}

fn says_why(record: &Value) -> bool {
    record["reason"].as_str().is_some_and(|reason| reason.len() > 10)
}
