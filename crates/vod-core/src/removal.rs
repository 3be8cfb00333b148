//! The tombstone of a video that was taken down, `ops/removed/<asset>.json`. It keeps retries from bringing the video
//! back, and lets the same file start over when it is uploaded again.
//!
//! Unless the video was purged, its record and its outputs are kept under `ops/trash/<asset>/` for [`KEPT`].

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::asset::AssetId;
use crate::events::is_newer;
use crate::keys::{REMOVED, TRASH};
use crate::record::{JobState, Record, Source};
use crate::state;

/// The time for which a video that was taken down can be restored. A lifecycle rule of the bucket deletes the copies then.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The tombstone of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    pub asset: AssetId,
    /// The upload's key; absent if there was no record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub removed_at: Timestamp,
    /// The sequencer of the removed upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    /// The last attempt at each template: an upload that starts over continues the count, so that no output replaces
    /// an earlier one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts: BTreeMap<String, u32>,
}

/// The key of an asset's tombstone.
pub fn removal_key(id: &AssetId) -> String {
    format!("{REMOVED}{id}.json")
}

/// The folder of the copies of an asset.
pub fn trash_prefix(id: &AssetId) -> String {
    format!("{TRASH}{id}/")
}

/// The key of the copy of a record.
pub fn trash_record_key(id: &AssetId) -> String {
    format!("{TRASH}{id}/record.json")
}

/// The key of the copy of the output `key`.
pub fn trash_output_key(id: &AssetId, key: &str) -> String {
    format!("{TRASH}{id}/{key}")
}

/// The key of the output whose copy is `copy`.
pub fn output_of_trash<'a>(id: &AssetId, copy: &'a str) -> Option<&'a str> {
    let key = copy.strip_prefix(trash_prefix(id).as_str())?;
    key.starts_with(crate::keys::asset_prefix(id).as_str())
        .then_some(key)
}

/// The record of a video that comes back: its jobs have ended with the removal at the latest.
pub fn restored(mut record: Record, removed_at: Timestamp) -> Record {
    for job in record.jobs.iter_mut().filter(|job| !job.state.is_terminal()) {
        (job.state, job.finished_at) = (JobState::Canceled, Some(removed_at));
    }
    record.lease = None;
    state::refresh(&mut record);
    record
}

impl Removal {
    /// Takes an asset down at `now`. The attempts and the last upload of an `earlier` removal still count.
    pub fn new(id: &AssetId, record: Option<&Record>, earlier: Option<&Self>, now: Timestamp) -> Self {
        let mut attempts = earlier
            .map(|earlier| earlier.attempts.clone())
            .unwrap_or_default();
        for job in record.iter().flat_map(|record| &record.jobs) {
            let last = attempts.entry(job.template.clone()).or_default();
            *last = job.attempt.max(*last);
        }
        let source = record.map(|record| &record.source);
        let sequencers = [
            source.and_then(|source| source.sequencer.clone()),
            earlier.and_then(|earlier| earlier.sequencer.clone()),
        ];
        let newer = |a: String, b: String| if is_newer(&b, &a) { b } else { a };
        Self {
            asset: id.clone(),
            key: source
                .map(|source| source.key.clone())
                .or_else(|| earlier.and_then(|earlier| earlier.key.clone())),
            removed_at: now,
            sequencer: sequencers.into_iter().flatten().reduce(newer),
            attempts,
        }
    }

    /// Whether an upload is the one that was taken down. S3's own order of events decides; without an event (a
    /// listing), the time of the upload does.
    pub fn covers(&self, source: &Source) -> bool {
        match (&source.sequencer, &self.sequencer) {
            (Some(new), Some(removed)) => !is_newer(new, removed),
            _ => source.uploaded_at <= self.removed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Job;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    #[test]
    fn only_a_later_upload_starts_anew() {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let removal = |sequencer: Option<&str>| Removal {
            sequencer: sequencer.map(str::to_owned),
            ..Removal::new(&id, None, None, at(100))
        };
        for (removed, new, uploaded, covered) in [
            (Some("05"), Some("05"), 50, true),
            (Some("05"), Some("04"), 200, true),
            (Some("05"), Some("06"), 50, false),
            (Some("05"), None, 100, true),
            (Some("05"), None, 101, false),
            (None, Some("05"), 50, true),
            (None, Some("05"), 101, false),
        ] {
            let source = Source {
                sequencer: new.map(str::to_owned),
                uploaded_at: at(uploaded),
                ..Source::default()
            };
            let found = removal(removed).covers(&source);
            assert_eq!(found, covered, "{removed:?} {new:?} {uploaded}");
        }
    }

    #[test]
    fn a_restored_video_has_no_job_that_goes_on() {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let mut record = Record::new(id.clone(), Source::default(), at(1));
        record.jobs = vec![Job::planned("a", None, 1), Job::planned("b", None, 1)];
        record.jobs[1].state = JobState::Complete;
        record.lease = Some(crate::record::Lease::default());
        let restored = restored(record, at(5));
        let states: Vec<_> = restored
            .jobs
            .iter()
            .map(|job| (job.state, job.finished_at))
            .collect();
        assert_eq!(
            states,
            [(JobState::Canceled, Some(at(5))), (JobState::Complete, None)]
        );
        assert_eq!(
            (restored.state, restored.lease),
            (crate::record::State::Canceled, None)
        );
    }

    #[test]
    fn copies_are_under_the_key_of_what_they_copy() {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let key = format!("output/{id}/default/hls/video.m3u8");
        assert_eq!(
            output_of_trash(&id, &trash_output_key(&id, &key)),
            Some(key.as_str())
        );
        assert_eq!(output_of_trash(&id, &trash_record_key(&id)), None);
        let other = AssetId::new("vod", "input/b.mp4", None, "e");
        assert_eq!(output_of_trash(&other, &trash_output_key(&id, &key)), None);
    }

    #[test]
    fn attempts_go_on_counting_over_removals() {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let mut record = Record::new(id.clone(), Source::default(), at(1));
        record.jobs = vec![
            Job::planned("a", None, 1),
            Job::planned("a", None, 2),
            Job::planned("b", None, 1),
        ];
        let first = Removal::new(&id, Some(&record), None, at(2));
        record.jobs = vec![Job::planned("b", None, 2)];
        let second = Removal::new(&id, Some(&record), Some(&first), at(3));
        assert_eq!(
            second.attempts,
            BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 2)])
        );
        // A removal that was broken off is repeated without a record.
        assert_eq!(
            Removal::new(&id, None, Some(&second), at(4)).attempts,
            second.attempts
        );
    }
    #[test]
    fn a_removal_covers_what_an_earlier_one_covered() {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let record = |sequencer: &str| {
            let source = Source {
                sequencer: Some(sequencer.to_owned()),
                ..Source::default()
            };
            Record::new(id.clone(), source, at(1))
        };
        let first = Removal::new(&id, Some(&record("06")), None, at(2));
        for (sequencer, expected) in [("05", "06"), ("07", "07")] {
            let second = Removal::new(&id, Some(&record(sequencer)), Some(&first), at(3));
            assert_eq!(second.sequencer.as_deref(), Some(expected));
        }
    }
}
