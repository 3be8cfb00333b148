use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::*;
use crate::access::{Port, classify};

fn read(text: &str) -> Result<Rules, SpecError> {
    let mut rules = Rules::default();
    rules.add(text).map(|()| rules)
}

fn rule(text: &str) -> Rule {
    read(text).unwrap().list.remove(0)
}

#[test]
fn all_forms_of_faults_are_parsed() {
    let span = |from, to| Span { from, to };
    let none = Span::default();
    let s3 = |operation| Place::Calls(S3, operation);
    let mediaconvert = |operation| Place::Calls(MEDIACONVERT, operation);
    let table = [
        (
            "events.drop=0.05",
            Place::Events(None),
            Fault::Drop,
            When::Rate(0.05),
            none,
        ),
        (
            "uploads.duplicate=@2",
            Place::Events(Some("uploads")),
            Fault::Duplicate,
            When::Nth(2),
            span(100, 2000),
        ),
        (
            "job-events.delay=1:7-9",
            Place::Events(Some("job-events")),
            Fault::Delay,
            When::Rate(1.0),
            span(7, 9),
        ),
        (
            "events.reorder = 0.1",
            Place::Events(None),
            Fault::Delay,
            When::Rate(0.1),
            span(0, 3000),
        ),
        ("s3.503=0.2", s3(None), Fault::Answer(503), When::Rate(0.2), none),
        (
            "PutObject.409=0.2",
            s3(Some("PutObject")),
            Fault::Answer(409),
            When::Rate(0.2),
            none,
        ),
        (
            "createjob.429=0.2",
            mediaconvert(Some("CreateJob")),
            Fault::Answer(429),
            When::Rate(0.2),
            none,
        ),
        (
            "MediaConvert.slow=0.5:20",
            mediaconvert(None),
            Fault::Slow,
            When::Rate(0.5),
            span(20, 20),
        ),
        ("s3.lost=0", s3(None), Fault::Lost, When::Rate(0.0), none),
        (
            "CreateJob.crash-after=@1",
            mediaconvert(Some("CreateJob")),
            Fault::Crash(Moment::After),
            When::Nth(1),
            none,
        ),
        (
            "GetObject.exit-before=@3",
            s3(Some("GetObject")),
            Fault::Exit(Moment::Before),
            When::Nth(3),
            none,
        ),
        (
            "ffmpeg.kill=@1:0-10",
            Place::Ffmpeg,
            Fault::Kill,
            When::Nth(1),
            span(0, 10),
        ),
    ];
    for (text, place, fault, when, span) in table {
        let rule = rule(text);
        assert_eq!(
            (rule.place, rule.fault, rule.when, rule.span),
            (place, fault, when, span),
            "{text}"
        );
    }
    for (text, bytes) in [
        ("0", 0),
        ("7", 7),
        ("2k", 2048),
        ("50M", 50 << 20),
        ("1G", 1 << 30),
    ] {
        assert_eq!(
            read(&format!("disk.full={text}")).unwrap().disk,
            Some(bytes),
            "{text}"
        );
    }
    assert_eq!(read("seed=18446744073709551615").unwrap().seed, Some(u64::MAX));
}

#[test]
fn errors_list_the_alternatives() {
    let table = [
        ("events.drop", "not of the form PLACE.FAULT=WHEN"),
        ("drop=1", "not of the form PLACE.FAULT=WHEN"),
        ("", "not of the form PLACE.FAULT=WHEN"),
        (
            "sqs.503=1",
            "no place `sqs`; there are events, uploads, job-events, s3, mediaconvert, ffmpeg, disk and the operations AbortMultipartUpload,",
        ),
        (
            "s3.429=1",
            "`s3` has no fault `429`, but 409, 500, 503, slow, lost, crash-before, crash-after, exit-before, exit-after",
        ),
        (
            "CreateJob.409=1",
            "`CreateJob` has no fault `409`, but 429, 500, 503, slow,",
        ),
        ("GetObject.409=1", "`GetObject` does not write under a condition"),
        (
            "events.503=1",
            "`events` has no fault `503`, but drop, duplicate, delay, reorder",
        ),
        ("s3.503=1.1", "`1.1` is neither a rate from 0 to 1 nor @N"),
        ("s3.503=-0.1", "`-0.1` is neither"),
        ("s3.503=NaN", "`NaN` is neither"),
        ("s3.503=@0", "`@0` is neither"),
        ("s3.503=", "`` is neither"),
        ("s3.503=1:5", "no time belongs to this fault"),
        ("s3.slow=1:9-5", "`9-5` is not a time in milliseconds"),
        ("s3.slow=1:5s", "`5s` is not a time in milliseconds"),
        ("disk.full=much", "`much` is not a number of bytes"),
        (
            "disk.full=99999999999G",
            "`99999999999G` is not a number of bytes",
        ),
        ("disk.full=", "`` is not a number of bytes"),
        ("seed=x", "`x` is not a number from 0"),
    ];
    for (text, expected) in table {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn of_two_of_a_name_the_later_one_counts() {
    let mut rules = Rules::default();
    for text in [
        "s3.503=0.1",
        "createjob.429=0.5",
        "S3.503=0.2",
        "disk.full=1K",
        "seed=1",
        "seed=2",
    ] {
        rules.add(text).unwrap();
    }
    assert_eq!(rules.text(), "CreateJob.429=0.5 s3.503=0.2 disk.full=1024");
    assert_eq!(rules.seed, Some(2));
    let mut again = Rules {
        seed: Some(2),
        ..Rules::default()
    };
    rules.text().split(' ').for_each(|text| again.add(text).unwrap());
    assert_eq!(again, rules);
}

/// A fault whose operation the access log never names would never happen.
#[test]
fn every_operation_is_one_that_requests_are_known_by() {
    let requests = [
        ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload"),
        ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload"),
        ("PUT", "/b/k?x-copy", "CopyObject"),
        ("POST", "/b/k?uploads", "CreateMultipartUpload"),
        ("DELETE", "/b/k", "DeleteObject"),
        ("POST", "/b?delete", "DeleteObjects"),
        ("GET", "/b/k", "GetObject"),
        ("HEAD", "/b/k", "HeadObject"),
        ("GET", "/b?list-type=2", "ListObjectsV2"),
        ("PUT", "/b/k", "PutObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"),
        ("DELETE", "/2017-08-29/jobs/1", "CancelJob"),
        ("POST", "/2017-08-29/jobs", "CreateJob"),
        ("GET", "/2017-08-29/jobs/1", "GetJob"),
        ("GET", "/2017-08-29/jobTemplates/a", "GetJobTemplate"),
        ("GET", "/2017-08-29/presets/a", "GetPreset"),
        ("GET", "/2017-08-29/jobs", "ListJobs"),
        ("POST", "/2017-08-29/probe", "Probe"),
        ("GET", "/2017-08-29/search", "SearchJobs"),
    ];
    assert_eq!(requests.len(), OPERATIONS.len());
    for ((service, operation), (method, uri, name)) in OPERATIONS.iter().zip(requests) {
        let mut headers = HeaderMap::new();
        if uri.ends_with("x-copy") {
            headers.insert("x-amz-copy-source", http::HeaderValue::from_static("b/k"));
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let found = classify(Port::Api, &method, &uri.parse().unwrap(), &headers);
        assert_eq!((found.service, found.operation.as_str()), (*service, name));
        assert_eq!(*operation, name);
    }
}

#[test]
fn the_help_speaks_of_every_fault() {
    let places = [
        Place::Events(None),
        Place::Calls(S3, None),
        Place::Calls(MEDIACONVERT, None),
        Place::Ffmpeg,
    ];
    for (name, ..) in places.into_iter().flat_map(Place::faults) {
        assert!(SYNTAX.contains(&format!(".{name}")), "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        let _ = read(&text);
    }

    #[test]
    fn near_misses_are_refused(
        place in "(events|uploads|s3|CreateJob|ffmpeg|disk|seed|[a-z0-9é]{0,6})",
        fault in "(drop|delay|409|503|slow|full|kill|[a-z0-9.]{0,6})",
        value in "(@[0-9]{0,22}|[0-9.eE+-]{0,9}|[0-9]{0,22}[KMGé]?|0.5:[0-9-]{0,12})",
    ) {
        let text = format!("{place}.{fault}={value}");
        if let Ok(rules) = read(&text) {
            prop_assert!(!rules.is_empty());
            prop_assert!(rules.list.iter().all(|rule| rule.span.from <= rule.span.to));
        }
    }
}
