use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::asset::AssetId;
use crate::error_codes::{self, Class};
use crate::record::{Job, Record, Source, State};
use crate::state::{self, Change};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Uploaded at second 10, one attempt planned.
fn record() -> Record {
    let source = Source {
        key: "input/a.mp4".into(),
        uploaded_at: at(10),
        ..Source::default()
    };
    let mut record = Record::new(AssetId::new("vod", "input/a.mp4", None, "e"), source, at(11));
    record.jobs.push(Job::planned("default", None, 1));
    record
}

fn encoded() -> Encoded {
    let mut encoded = Encoded::default();
    for (resolution, ms) in [
        (Resolution::of(640, 360), 60_001),
        (Resolution::of(960, 540), 60_001),
        (Resolution::of(1280, 720), 60_001),
        // Upright, and too short to be billed as it is.
        (Resolution::of(1080, 1920), 4_000),
        (Resolution::of(3840, 2160), 1),
        (Resolution::Audio, 60_000),
    ] {
        encoded.add(resolution, ms);
    }
    encoded
}

fn subject() -> Subject {
    Subject {
        asset: "a-0123456789abcdef-01234567".into(),
        key: "input/a.mp4".into(),
        template: "default".into(),
        attempt: Some(1),
        job_id: Some("1625859001514-vvqfwj".into()),
    }
}

fn every_outcome() -> Vec<Outcome> {
    let (class, code) = (Class::Input, 1010);
    let reconciled = |passed| What::Reconciled {
        lost: 3,
        mended: 2,
        passed,
    };
    let of_an_upload = [
        What::Submitted { queue_age: Some(1.5) },
        What::Submitted { queue_age: None },
        What::Completed(encoded()),
        What::Failed { class, code },
        What::Canceled,
        What::Ignored,
    ];
    let passed = Passed {
        given_up: 1,
        failed: 4,
    };
    let of_all = [reconciled(None), reconciled(Some(passed))].map(|what| Outcome { what, subject: None });
    let of_an_upload = of_an_upload.map(|what| Outcome {
        what,
        subject: Some(subject()),
    });
    of_an_upload.into_iter().chain(of_all).collect()
}

/// The rules of the specification, "Embedded metric format document structure" and its schema, word for word.
fn check_emf(line: &str) -> BTreeMap<String, f64> {
    const UNITS: &str = "Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits \
        Megabits Gigabits Terabits Percent Count None";
    assert!(!line.contains(['\n', '\r']) && line.len() < 256 * 1024, "{line}");
    let root: Value = serde_json::from_str(line).unwrap();
    let metadata = root["_aws"].as_object().unwrap();
    assert_eq!(metadata.len(), 2, "no additional members");
    assert!(metadata["Timestamp"].is_i64() && metadata["Timestamp"].as_i64().unwrap() > 1_000_000_000_000);
    let named = |text: &Value| {
        let text = text.as_str().unwrap();
        assert!((1..=255).contains(&text.len()), "{text}");
        text.to_owned()
    };
    let mut values = BTreeMap::new();
    for directive in metadata["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive.as_object().unwrap().len(), 3, "no additional members");
        assert!(!named(&directive["Namespace"]).starts_with("AWS/"), "AWS's own");
        let sets = directive["Dimensions"].as_array().unwrap();
        assert!(!sets.is_empty());
        for set in sets {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 9);
            for dimension in set {
                let value = root[named(dimension)]
                    .as_str()
                    .expect("a dimension's target is a string");
                assert!((1..=1024).contains(&value.len()));
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            assert_eq!(metric.as_object().unwrap().len(), 2, "no additional members");
            let unit = metric["Unit"].as_str().unwrap();
            assert!(UNITS.split_whitespace().any(|known| known == unit), "{unit}");
            let name = named(&metric["Name"]);
            let value = root[&name].as_f64().expect("a metric's target is a number");
            assert!(values.insert(name, value).is_none(), "named twice");
        }
    }
    values
}

#[test]
fn emf_lines_are_as_aws_specifies() {
    let mut lines = String::new();
    for outcome in every_outcome() {
        let line = emf_line(&outcome, "film", at(1_795_255_200));
        let values = check_emf(&line);
        let dimensions =
            serde_json::from_str::<Value>(&line).unwrap()["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
                .take();
        assert_eq!(
            dimensions,
            serde_json::json!([["Application"]]),
            "each more costs money"
        );
        assert!(!values.is_empty());
        lines.push_str(&line);
        lines.push('\n');
    }
    insta::assert_snapshot!(lines);
}

#[test]
fn prometheus_text_of_every_outcome() {
    let mut registry = Registry::default();
    for outcome in every_outcome() {
        registry.count(&outcome);
    }
    registry.add(&QUEUE_MESSAGES, vec!["uploads".into(), "visible".into()], 2.0);
    insta::assert_snapshot!(registry.render());
    let empty = Registry::default().render();
    assert!(
        empty.contains("vod_queue_age_seconds_bucket{le=\"+Inf\"} 0\n"),
        "{empty}"
    );
}

#[test]
fn names_are_as_prometheus_and_cloudwatch_want_them() {
    let mut names = BTreeSet::new();
    for metric in METRICS {
        assert!(
            names.insert(metric.name)
                && names.insert(metric.cloudwatch.map_or(metric.help, |known| known.name))
        );
        let valid = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(
            metric.name.starts_with("vod_") && metric.name.chars().all(valid),
            "{}",
            metric.name
        );
        assert_eq!(
            metric.kind == Kind::Counter,
            metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
        assert!(!metric.help.is_empty() && !metric.help.contains(['\n', '\\']));
        assert!(
            !metric
                .labels
                .iter()
                .any(|label| ["asset", "key", "job_id", "le"].contains(label))
        );
        if let Kind::Histogram(bounds) = metric.kind {
            assert!(bounds.is_sorted());
        }
    }
    // Whatever an outcome can say is listed.
    for point in every_outcome().iter().flat_map(Outcome::points) {
        assert!(METRICS.contains(point.metric), "{}", point.metric.name);
        assert_eq!(
            point.labels.len(),
            point.metric.labels.len(),
            "{}",
            point.metric.name
        );
    }
}

#[test]
fn both_formats_add_up_to_the_same() {
    let (mut registry, mut sums) = (Registry::default(), BTreeMap::<String, f64>::new());
    for outcome in every_outcome().iter().chain(&every_outcome()) {
        registry.count(outcome);
        for (name, value) in check_emf(&emf_line(outcome, "film", at(1_795_255_200))) {
            *sums.entry(name).or_default() += value;
        }
    }
    let text = registry.render();
    for metric in METRICS {
        let Some(known) = metric.cloudwatch else { continue };
        let name = match metric.kind {
            Kind::Histogram(_) => format!("{}_sum", metric.name),
            Kind::Counter => metric.name.to_owned(),
            Kind::Gauge => continue,
        };
        let of_metric = |line: &&str| line.split(['{', ' ']).next() == Some(&name);
        let values = text
            .lines()
            .filter(of_metric)
            .map(|line| line.rsplit(' ').next().unwrap());
        let total: f64 = values.map(|value| value.parse::<f64>().unwrap()).sum();
        assert!(
            (sums[known.name] * known.scale - total).abs() < 1e-6,
            "{name}: {total}"
        );
    }
}

#[test]
fn outputs_are_billed_by_the_second_and_ten_at_least() {
    let seconds: Vec<_> = encoded().seconds().collect();
    assert_eq!(seconds, [("audio", 60), ("sd", 122), ("hd", 71), ("uhd", 10)]);
}

#[test]
fn a_job_counts_when_the_record_first_knows_it() {
    let planned = record();
    let mut submitted = planned.clone();
    submitted.jobs[0].job_id = Some("j".into());
    submitted.jobs[0].submitted_at = Some(at(12));
    let reported = |before, after| outcomes(before, after, Encoded::default(), at(13));
    let all = reported(Some(&planned), &submitted);
    let whats: Vec<_> = all.iter().map(|outcome| outcome.what).collect();
    assert_eq!(whats, [What::Submitted { queue_age: Some(2.0) }]);
    assert_eq!(reported(Some(&submitted), &submitted), []);
    assert_eq!(reported(None, &planned), [], "a claim is no job yet");

    // An event may be faster than submit's own word.
    let mut faster = planned.clone();
    state::apply(&mut faster, "default", 1, "j", &Change::Progress(None), at(12));
    assert_eq!(reported(Some(&planned), &faster).len(), 1);
    let mut later = faster.clone();
    later.jobs[0].submitted_at = Some(at(14));
    assert_eq!(reported(Some(&faster), &later), []);
}

#[test]
fn a_retry_has_no_queue_age_and_a_new_upload_has_one() {
    let mut failed = record();
    let error = Change::Error(error_codes::explain(1999, "?"));
    state::apply(&mut failed, "default", 1, "j", &error, at(20));
    let mut again = failed.clone();
    again.jobs.push(Job::planned("default", None, 2));
    let mut submitted = again.clone();
    submitted.jobs[1].job_id = Some("k".into());
    let age = |uploaded: i64| {
        let (mut before, mut after) = (again.clone(), submitted.clone());
        (before.source.uploaded_at, after.source.uploaded_at) = (at(uploaded), at(uploaded));
        outcomes(Some(&before), &after, Encoded::default(), at(1000))[0].what
    };
    assert_eq!(age(10), What::Submitted { queue_age: None });
    assert_eq!(
        age(900),
        What::Submitted {
            queue_age: Some(100.0)
        }
    );
}

#[test]
fn a_rebuilt_record_counts_nothing_again() {
    let mut rebuilt = record();
    rebuilt.jobs[0].job_id = Some("j".into());
    for change in [Change::Error(error_codes::explain(1010, "?")), Change::Canceled] {
        let mut rebuilt = rebuilt.clone();
        state::apply(&mut rebuilt, "default", 1, "j", &change, at(20));
        assert_eq!(outcomes(None, &rebuilt, Encoded::default(), at(30)), []);
    }
}

#[test]
fn uploads_without_a_job_are_counted() {
    let reported = |before: Option<&Record>, after: &Record| {
        let all = outcomes(before, after, Encoded::default(), at(30));
        all.into_iter().map(|outcome| outcome.what).collect::<Vec<_>>()
    };
    let (class, code) = (Class::Template, 400);
    let mut refused = record();
    refused.jobs[0].error = Some(error_codes::refused(400, "/settings: no"));
    refused.jobs[0].state = crate::record::JobState::Error;
    state::refresh(&mut refused);
    assert_eq!(
        reported(Some(&record()), &refused),
        [What::Failed { class, code }]
    );
    // A template that is no JSON fails with the claim.
    assert_eq!(reported(None, &refused), [What::Failed { class, code }]);

    let mut ignored = record();
    (ignored.jobs, ignored.state) = (vec![], State::Ignored);
    assert_eq!(reported(None, &ignored), [What::Ignored]);
    assert_eq!(reported(Some(&ignored), &ignored), []);
    let mut given_up = ignored.clone();
    given_up.state = State::Error;
    let (class, code) = (Class::Delivery, error_codes::UNDELIVERABLE);
    assert_eq!(reported(None, &given_up), [What::Failed { class, code }]);
}

fn change(number: u8) -> Change {
    match number {
        0 => Change::Progress(Some(5)),
        1 => Change::Error(error_codes::explain(1010, "no moov")),
        2 => Change::Canceled,
        _ => Change::Complete {
            outputs: Box::new(crate::record::OutputSet {
                template: "default".into(),
                prefix: "p".into(),
                ..crate::record::OutputSet::default()
            }),
            warnings: vec![],
        },
    }
}

proptest! {
    /// Each event any number of times, in any order, between other writers' puts: one line per outcome.
    #[test]
    fn one_line_per_outcome_whatever_duplicates_come(
        events in prop::collection::vec((0u8..4, 1u32..3), 1..30),
    ) {
        let mut record = record();
        let mut reported = BTreeMap::<(String, u32, &str), u32>::new();
        for (number, attempt) in events {
            let before = record.clone();
            if !state::apply(&mut record, "default", attempt, "j", &change(number), at(20)) {
                continue;
            }
            for outcome in outcomes(Some(&before), &record, Encoded::default(), at(20)) {
                let what = match outcome.what {
                    What::Submitted { .. } => "submitted",
                    What::Completed(_) => "completed",
                    What::Failed { .. } => "failed",
                    What::Canceled => "canceled",
                    What::Ignored | What::Reconciled { .. } => "other",
                };
                let subject = outcome.subject.unwrap();
                *reported.entry((subject.template, subject.attempt.unwrap(), what)).or_default() += 1;
            }
        }
        prop_assert!(reported.values().all(|count| *count == 1), "{:?}", reported);
        for job in &record.jobs {
            let end = match job.state {
                crate::record::JobState::Complete => "completed",
                crate::record::JobState::Error => "failed",
                crate::record::JobState::Canceled => "canceled",
                _ => continue,
            };
            prop_assert!(reported.contains_key(&(job.template.clone(), job.attempt, end)));
        }
    }

    #[test]
    fn hostile_names_stay_within_their_line(
        key in any::<String>(),
        template in any::<String>(),
        seconds in 0.0..1e9_f64,
    ) {
        let key = format!("input/\n\"}}{key}\u{2028}\r\\");
        let mut subject = subject();
        (subject.key, subject.template) = (key.clone(), template.clone());
        let what = What::Submitted { queue_age: Some(seconds) };
        let outcome = Outcome { what, subject: Some(subject) };
        let line = emf_line(&outcome, "film", at(1_795_255_200));
        let values = check_emf(&line);
        prop_assert_eq!(values.keys().collect::<Vec<_>>(), ["JobsSubmitted", "QueueAge"]);
        let line: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(line["key"].as_str(), Some(key.as_str()));
        prop_assert_eq!(line["template"].as_str(), Some(template.as_str()));
        prop_assert_eq!(line.as_object().unwrap().len(), 12);

        let mut registry = Registry::default();
        let lines = registry.render().split('\n').count();
        registry.count(&outcome);
        let text = registry.render();
        // Submitted, completed, canceled, and failed by seven classes.
        prop_assert_eq!(text.split('\n').count(), lines + 10, "{}", text);
        let sample = text
            .lines()
            .find(|line| line.starts_with("vod_jobs_submitted_total{"))
            .unwrap();
        let label = sample.strip_prefix("vod_jobs_submitted_total{template=\"").and_then(|rest| rest.strip_suffix("\"} 1"));
        prop_assert_eq!(unescaped(label.unwrap()), template);
    }
}

/// As Prometheus's own lexer reads a label's value.
fn unescaped(text: &str) -> String {
    let (mut plain, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        assert!(c != '"' && c != '\n', "{text}");
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some(c @ ('\\' | '"')) => c,
                other => panic!("\\{other:?}"),
            },
            c => c,
        });
    }
    plain
}
