//! MediaConvert's events: what is ours changes a record once, however often it comes, and leaves a record that
//! can be written and read.
#![no_main]

use std::sync::LazyLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use vod_core::events::{JobEvent, parse_job_event};
use vod_core::record::{JobState, Record, Source};
use vod_core::state;
use vod_fuzz::{edits, keys};

static COMPLETE: LazyLock<Value> = LazyLock::new(|| {
    let prefix = format!("s3://vod/output/{}/default", keys::film());
    json!({"version": "0", "detail-type": "MediaConvert Job State Change", "source": "aws.mediaconvert", "detail": {
        "timestamp": 1_767_225_600_000_i64, "jobId": "1625859001514-vvqfwj", "status": "COMPLETE",
        "userMetadata": {"application": "vod", "asset": keys::film(), "template": "default", "attempt": "1"},
        "outputGroupDetails": [
            {"type": "HLS_GROUP", "playlistFilePaths": [format!("{prefix}/hls/video.m3u8")], "outputDetails": [
                {"outputFilePaths": [format!("{prefix}/hls/video_360.m3u8")], "durationInMs": 7000,
                 "videoDetails": {"widthInPx": 640, "heightInPx": 360}}]},
            {"type": "FILE_GROUP", "outputDetails": [
                {"outputFilePaths": [format!("{prefix}/thumbnails/video.0000001.jpg")], "durationInMs": 7000}]}]}})
});

fuzz_target!(|text: &str| {
    let Some(event) = edits::apply(&COMPLETE, text) else {
        return;
    };
    let Ok(Some(event)) = parse_job_event(&event, "vod") else {
        return;
    };
    let mut record = Record::new(event.asset.clone(), Source::default(), Timestamp::UNIX_EPOCH);
    apply(&mut record, &event);
    let once = record.clone();
    assert!(!apply(&mut record, &event), "the same event twice");
    assert_eq!(record, once);

    let written = serde_json::to_string(&record).expect("a record can be written");
    assert_eq!(
        serde_json::from_str::<Record>(&written).ok(),
        Some(record),
        "a record reads back"
    );
    for job in &once.jobs {
        assert!(job.progress <= 100);
        assert_eq!(job.state == JobState::Complete, event.status == "COMPLETE");
    }
});

fn apply(record: &mut Record, event: &JobEvent) -> bool {
    let Some(change) = &event.change else { return false };
    state::apply(
        record,
        &event.template,
        event.attempt,
        &event.job_id,
        change,
        event.at.unwrap_or(Timestamp::UNIX_EPOCH),
    )
}
