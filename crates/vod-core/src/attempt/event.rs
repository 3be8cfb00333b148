//! Folds an event of MediaConvert into a record.

use jiff::Timestamp;

use crate::events::JobEvent;
use crate::keys::output_prefix;
use crate::record::Record;
use crate::state::{self, Change};

/// Applies an event's change to a record. Returns whether anything changed.
///
/// What events do not report comes from the attempt's entry (the interval between thumbnails) and from the layout of
/// the bucket (the folder of a COMPLETE that names no output). An event without a time happened `now`.
pub fn fold(record: &mut Record, event: &JobEvent, change: &Change, now: Timestamp) -> bool {
    let mut change = change.clone();
    if let Change::Complete { outputs, .. } = &mut change {
        let interval = record
            .attempt_mut(&event.template, event.attempt)
            .thumbnail_interval_ms;
        if let Some(thumbnails) = &mut outputs.thumbnails {
            thumbnails.interval_ms = interval;
        }
        if outputs.prefix.is_empty() {
            outputs.prefix = output_prefix(&event.asset, &event.template, event.attempt);
        }
    }
    let at = event.at.unwrap_or(now);
    state::apply(record, &event.template, event.attempt, &event.job_id, &change, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testing::{at, claimed, templates};
    use crate::metrics::Encoded;
    use crate::record::{JobState, OutputSet, Thumbnails};

    fn event(attempt: u32, time: Option<i64>) -> JobEvent {
        JobEvent {
            asset: claimed(&[]).id,
            template: "a".into(),
            attempt,
            job_id: "j".into(),
            status: String::new(),
            at: time.map(at),
            change: None,
            encoded: Encoded::default(),
        }
    }

    fn complete(prefix: &str) -> Change {
        let outputs = OutputSet {
            template: "a".into(),
            prefix: prefix.into(),
            thumbnails: Some(Thumbnails::default()),
            ..OutputSet::default()
        };
        Change::Complete {
            outputs: Box::new(outputs),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn details_that_events_do_not_report_are_added() {
        let id = claimed(&[]).id;
        let own = format!("output/{id}/a/");
        let later = format!("output/{id}/a/a2/");
        for (prefix, attempt, time, expected) in [
            ("output/x/", 1, Some(5), ("output/x/", Some(5000), 5)),
            ("", 1, Some(5), (&*own, Some(5000), 5)),
            // An attempt that the record does not know yet.
            ("", 2, None, (&*later, None, 9)),
        ] {
            let mut record = claimed(&templates(["a"]));
            record.jobs[0].thumbnail_interval_ms = Some(5000);
            assert!(fold(&mut record, &event(attempt, time), &complete(prefix), at(9)));
            let outputs = &record.outputs[0];
            let interval = outputs.thumbnails.as_ref().unwrap().interval_ms;
            assert_eq!((&*outputs.prefix, interval), (expected.0, expected.1));
            let job = record.attempt_mut("a", attempt);
            assert_eq!(
                (job.state, job.finished_at),
                (JobState::Complete, Some(at(expected.2)))
            );
        }
    }

    #[test]
    fn the_same_event_again_changes_nothing() {
        let mut record = claimed(&templates(["a"]));
        for (change, changed) in [
            (Change::Progress(Some(5)), true),
            (Change::Progress(Some(5)), false),
            (complete(""), true),
            (complete(""), false),
            (Change::Canceled, false),
        ] {
            assert_eq!(
                fold(&mut record, &event(1, None), &change, at(9)),
                changed,
                "{change:?}"
            );
        }
    }
}
