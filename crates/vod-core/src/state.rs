//! The one state machine: which event moves which attempt where.
//!
//! | attempt is \ event | progress | COMPLETE | ERROR | CANCELED |
//! |---|---|---|---|---|
//! | SUBMITTED   | PROGRESSING | COMPLETE | ERROR    | CANCELED |
//! | PROGRESSING | PROGRESSING | COMPLETE | ERROR    | CANCELED |
//! | CANCELED    | stays       | COMPLETE | ERROR    | stays    |
//! | ERROR       | stays       | COMPLETE | stays    | stays    |
//! | COMPLETE    | stays       | stays    | stays    | stays    |
//!
//! Every cell is the maximum of two ranks, and percentages and warnings are maxima and unions too: the end
//! depends on the set of events alone, whatever their order and however often each arrives.
//!
//! An attempt that was closed because its job was unknown opens again with the first event of its job: CreateJob may
//! have worked although its response was lost, and an attempt with a job must not be retried beside it.

use jiff::Timestamp;

use crate::record::{Job, JobError, JobState, Media, OutputSet, Record, State, Warning};

/// A change of one attempt, as an event reports it.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The attempt is in progress; with the percentage if the event has it.
    Progress(Option<u8>),
    /// The properties of the input that MediaConvert found.
    Input(Media),
    Warning(Warning),
    Complete {
        outputs: Box<OutputSet>,
        warnings: Vec<Warning>,
    },
    Error(JobError),
    Canceled,
}

/// Applies what an event at `at` says of (`template`, `attempt`) to the record. Returns whether anything
/// changed; times and derived fields are only touched then.
pub fn apply(
    record: &mut Record,
    template: &str,
    attempt: u32,
    job_id: &str,
    change: &Change,
    at: Timestamp,
) -> bool {
    let before = record.clone();
    if let Change::Input(media) = change {
        fill(&mut record.source.media, media);
    }
    let job = record.attempt_mut(template, attempt);
    if job.job_id.is_none() && !job_id.is_empty() {
        job.job_id = Some(job_id.to_owned());
        if job.state == JobState::Error {
            (job.state, job.error, job.finished_at) = (JobState::Submitted, None, None);
        }
    }
    let won = advance(job, change, at);
    if let (true, Change::Complete { outputs, .. }) = (won, change) {
        adopt(record, attempt, outputs);
    }
    refresh(record);
    *record != before
}

/// Moves one attempt. Returns whether it took the event's state.
fn advance(job: &mut Job, change: &Change, at: Timestamp) -> bool {
    let target = match change {
        Change::Progress(_) | Change::Input(_) => JobState::Progressing,
        // A warning may be about a job that still waits.
        Change::Warning(_) => job.state,
        Change::Complete { .. } => JobState::Complete,
        Change::Error(_) => JobState::Error,
        Change::Canceled => JobState::Canceled,
    };
    match change {
        Change::Progress(Some(percent)) => job.progress = job.progress.max((*percent).min(100)),
        Change::Warning(warning) => add_warning(job, warning),
        Change::Complete { warnings, .. } => warnings.iter().for_each(|warning| add_warning(job, warning)),
        _ => {}
    }
    if target.rank() <= job.state.rank() {
        return false;
    }
    job.state = target;
    if target.is_terminal() {
        job.finished_at = Some(at);
        job.error = None;
    }
    match change {
        Change::Complete { .. } => job.progress = 100,
        Change::Error(error) => job.error = Some(error.clone()),
        _ => {}
    }
    true
}

/// One entry per code; one that has a text wins over one that has none.
fn add_warning(job: &mut Job, warning: &Warning) {
    match job.warnings.iter_mut().find(|known| known.code == warning.code) {
        Some(known) if known.message < warning.message => known.message.clone_from(&warning.message),
        Some(_) => {}
        None => {
            job.warnings.push(warning.clone());
            job.warnings
                .sort_by(|a, b| (a.code, &a.message).cmp(&(b.code, &b.message)));
        }
    }
}

/// Fills in the properties that the probe at submission did not find; it keeps the others.
fn fill(known: &mut Media, found: &Media) {
    known.duration_ms = known.duration_ms.or(found.duration_ms);
    known.width = known.width.or(found.width);
    known.height = known.height.or(found.height);
    known.frame_rate = known.frame_rate.or(found.frame_rate);
    known.rotation = known.rotation.or(found.rotation);
    known.pixel_aspect = known.pixel_aspect.or(found.pixel_aspect);
    known.audio_tracks = known.audio_tracks.or(found.audio_tracks);
}

/// Makes an attempt's outputs the live ones, unless a later attempt's already are.
fn adopt(record: &mut Record, attempt: u32, outputs: &OutputSet) {
    let later = |job: &Job| {
        job.template == outputs.template && job.attempt > attempt && job.state == JobState::Complete
    };
    if record.jobs.iter().any(later) {
        return;
    }
    record.outputs.retain(|set| set.template != outputs.template);
    record.outputs.push(outputs.clone());
    record.outputs.sort_by(|a, b| a.template.cmp(&b.template));
    if record.poster_ms.is_some() {
        record.place_poster();
    }
}

/// Recomputes what follows from the jobs: state, progress, reason.
pub fn refresh(record: &mut Record) {
    record
        .jobs
        .sort_by(|a, b| (&a.template, a.attempt).cmp(&(&b.template, b.attempt)));
    let latest: Vec<&Job> = record.latest_attempts().collect();
    if latest.is_empty() {
        return;
    }
    let state = state_of(&latest);
    let total: usize = latest.iter().map(|job| usize::from(job.progress)).sum();
    let progress = u8::try_from(total / latest.len()).unwrap_or(100);
    let reason = latest
        .iter()
        .find_map(|job| job.error.as_ref())
        .map(|error| error.meaning.clone());
    record.progress = progress;
    record.reason = if state == State::Error { reason } else { None };
    record.state = state;
    if state.is_terminal() {
        // No work is left, even if the holder died before it could release the lease.
        record.lease = None;
    }
    if state == State::Complete {
        // The repairs did produce a job, even if only its end is on record.
        record.repairs = 0;
    }
}

/// The record's state as a function of its latest attempts (the contract's rule, in its order).
fn state_of(latest: &[&Job]) -> State {
    let any = |state: JobState| latest.iter().any(|job| job.state == state);
    let all = |state: JobState| latest.iter().all(|job| job.state == state);
    if latest
        .iter()
        .all(|job| job.job_id.is_none() && !job.state.is_terminal())
    {
        return State::Queued;
    }
    if latest.iter().any(|job| !job.state.is_terminal()) {
        return if all(JobState::Submitted) {
            State::Submitted
        } else {
            State::Progressing
        };
    }
    if all(JobState::Complete) {
        State::Complete
    } else if any(JobState::Error) {
        State::Error
    } else {
        State::Canceled
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::asset::AssetId;
    use crate::error_codes;
    use crate::record::Source;

    fn record() -> Record {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let mut record = Record::new(id, Source::default(), Timestamp::UNIX_EPOCH);
        record.jobs.push(Job::planned("default", None, 1));
        record
    }

    fn outputs(prefix: &str) -> Box<OutputSet> {
        Box::new(OutputSet {
            template: "default".into(),
            prefix: prefix.into(),
            ..OutputSet::default()
        })
    }

    fn failure() -> Change {
        Change::Error(error_codes::explain(1010, "no moov"))
    }

    fn complete(prefix: &str) -> Change {
        Change::Complete {
            outputs: outputs(prefix),
            warnings: vec![Warning {
                code: 240_000,
                ..Warning::default()
            }],
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn every_cell_of_the_table() {
        use JobState::{Canceled, Complete, Error, Progressing, Submitted};
        let cases = [
            (Submitted, [Progressing, Complete, Error, Canceled]),
            (Progressing, [Progressing, Complete, Error, Canceled]),
            (Canceled, [Canceled, Complete, Error, Canceled]),
            (Error, [Error, Complete, Error, Error]),
            (Complete, [Complete, Complete, Complete, Complete]),
        ];
        let events = [
            Change::Progress(Some(5)),
            complete("p"),
            failure(),
            Change::Canceled,
        ];
        for (from, row) in cases {
            for (event, to) in events.iter().zip(row) {
                let mut record = record();
                record.jobs[0].state = from;
                record.jobs[0].job_id = Some("j".into());
                apply(&mut record, "default", 1, "j", event, at(1));
                assert_eq!(record.jobs[0].state, to, "{from:?} + {event:?}");
            }
        }
    }

    #[test]
    fn a_second_template_keeps_the_record_open() {
        let mut record = record();
        record.jobs.push(Job::planned("hd", None, 1));
        apply(&mut record, "default", 1, "j", &complete("p"), at(1));
        assert_eq!(record.state, State::Progressing);
        apply(&mut record, "hd", 1, "k", &failure(), at(2));
        assert_eq!(record.state, State::Error);
        assert!(record.reason.is_some());
    }

    #[test]
    fn a_new_attempt_reopens_and_its_outputs_become_live() {
        let mut record = record();
        apply(&mut record, "default", 1, "j", &failure(), at(1));
        record.jobs.push(Job::planned("default", None, 2));
        refresh(&mut record);
        assert_eq!((record.state, record.reason.clone()), (State::Queued, None));
        apply(&mut record, "default", 2, "k", &complete("a2"), at(2));
        // A late COMPLETE of the first attempt is noted and does not take its place.
        apply(&mut record, "default", 1, "j", &complete("a1"), at(3));
        assert_eq!(record.outputs[0].prefix, "a2");
        assert_eq!(record.state, State::Complete);
    }

    /// CreateJob may have worked without our hearing of it: the attempt is given up, and its job goes on.
    #[test]
    fn an_attempt_given_up_before_its_job_was_known_is_what_its_job_says() {
        let explained = error_codes::explain(1010, "no moov");
        for (event, state, error) in [
            (Change::Progress(Some(5)), JobState::Progressing, None),
            (Change::Input(Media::default()), JobState::Progressing, None),
            (failure(), JobState::Error, Some(explained)),
            (Change::Canceled, JobState::Canceled, None),
            (complete("p"), JobState::Complete, None),
        ] {
            let mut record = record();
            record.jobs[0].state = JobState::Error;
            record.jobs[0].error = Some(error_codes::undeliverable(5, "no connection"));
            record.jobs[0].finished_at = Some(at(1));
            refresh(&mut record);
            apply(&mut record, "default", 1, "j", &event, at(2));
            let job = &record.jobs[0];
            assert_eq!((job.state, &job.error), (state, &error), "{event:?}");
            assert_eq!(job.finished_at, state.is_terminal().then(|| at(2)), "{event:?}");
            // From here on it has ended, or not, as any other.
            apply(&mut record, "default", 1, "j", &Change::Progress(None), at(3));
            assert_eq!(record.jobs[0].state, state, "{event:?}");
        }
    }

    #[test]
    fn repeating_an_event_changes_nothing() {
        let mut record = record();
        assert!(apply(&mut record, "default", 1, "j", &complete("p"), at(1)));
        assert!(!apply(&mut record, "default", 1, "j", &complete("p"), at(2)));
    }

    fn any_change() -> impl Strategy<Value = Change> {
        prop_oneof![
            (0u8..=100).prop_map(|p| Change::Progress(Some(p))),
            Just(Change::Input(Media {
                width: Some(640),
                ..Media::default()
            })),
            (1u32..3).prop_map(|code| Change::Warning(Warning {
                code,
                message: Some("w".into()),
                ..Warning::default()
            })),
            Just(complete("p")),
            Just(failure()),
            Just(Change::Canceled),
        ]
    }

    /// An event of one of two attempts. Every kind of event has one time per attempt, however often it comes.
    fn any_event() -> impl Strategy<Value = (Change, u32)> {
        (any_change(), 1u32..3)
    }

    fn play(events: &[(Change, u32)]) -> Record {
        let mut record = record();
        for (change, attempt) in events {
            let kind = match change {
                Change::Progress(_) => 1,
                Change::Input(_) => 2,
                Change::Warning(_) => 3,
                Change::Canceled => 4,
                Change::Error(_) => 5,
                Change::Complete { .. } => 6,
            };
            let (job, folder) = (format!("j{attempt}"), format!("a{attempt}"));
            let change = match change {
                Change::Complete { .. } => complete(&folder),
                other => other.clone(),
            };
            let at = at(kind * 10 + i64::from(*attempt));
            apply(&mut record, "default", *attempt, &job, &change, at);
        }
        record
    }

    /// Events in the order of their arrival, each with the attempt that it is about.
    type Course = Vec<(Change, u32)>;

    /// A course of the same events: any order, and some of them again.
    fn course(events: Course) -> impl Strategy<Value = Course> {
        let again = prop::sample::subsequence(events.clone(), 0..=events.len());
        again.prop_flat_map(move |again| {
            let all: Vec<_> = events.iter().cloned().chain(again).collect();
            Just(all).prop_shuffle()
        })
    }

    /// Some events, and two courses that they could take.
    fn two_courses() -> impl Strategy<Value = (Course, Course)> {
        prop::collection::vec(any_event(), 1..12)
            .prop_flat_map(|events| (course(events.clone()), course(events)))
    }

    /// The state that an event alone gives to an attempt.
    fn target(change: &Change) -> JobState {
        match change {
            Change::Progress(_) | Change::Input(_) => JobState::Progressing,
            Change::Warning(_) => JobState::Submitted,
            Change::Complete { .. } => JobState::Complete,
            Change::Error(_) => JobState::Error,
            Change::Canceled => JobState::Canceled,
        }
    }

    proptest! {
        #[test]
        fn only_the_set_of_events_counts((one, other) in two_courses()) {
            prop_assert_eq!(play(&one), play(&other));
        }

        /// With gaps as well: whatever arrives, an attempt is where the farthest of its events has put it.
        #[test]
        fn an_attempt_is_where_its_farthest_event_put_it(events in prop::collection::vec(any_event(), 1..12)) {
            let record = play(&events);
            for job in &record.jobs {
                let own = events.iter().filter(|(_, attempt)| *attempt == job.attempt);
                let farthest = own.map(|(change, _)| target(change)).max_by_key(|state| state.rank());
                prop_assert_eq!(job.state, farthest.unwrap_or(JobState::Submitted));
            }
            let latest: Vec<&Job> = record.latest_attempts().collect();
            prop_assert_eq!(record.state, state_of(&latest));
        }

        #[test]
        fn progress_never_goes_back_and_what_has_ended_stays(
            events in prop::collection::vec(any_change(), 1..12),
        ) {
            let mut record = record();
            let (mut progress, mut rank, mut ended) = (0, 0, false);
            for change in &events {
                apply(&mut record, "default", 1, "j", change, at(7));
                let job = &record.jobs[0];
                prop_assert!(job.progress >= progress);
                prop_assert!(job.state.rank() >= rank);
                prop_assert!(job.state.is_terminal() || !ended);
                (progress, rank, ended) = (job.progress, job.state.rank(), job.state.is_terminal());
            }
        }
    }
}
