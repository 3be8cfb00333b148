//! The catalog reports each outcome to its meter once, while many writers change one record.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::task::JoinSet;
use vod_aws::{Catalog, Meter};
use vod_core::asset::AssetId;
use vod_core::error_codes::explain;
use vod_core::metrics::{Encoded, Outcome, Registry, Resolution, What};
use vod_core::record::{Job, Record, Source};
use vod_core::state::{Change, apply};

use crate::server::{BUCKET, TestS3};

const WRITERS: u8 = 6;

fn record() -> Record {
    let id = AssetId::new(BUCKET, "input/a.mp4", None, "e");
    let mut record = Record::new(id, Source::default(), Timestamp::UNIX_EPOCH);
    for template in ["a", "b"] {
        record.jobs.push(Job::planned(template, None, 1));
    }
    record
}

/// Every writer brings its own progress and the same two ends, so that almost every put is in another's way.
async fn deliver(catalog: Catalog, id: AssetId, writer: u8) {
    let mut encoded = Encoded::default();
    encoded.add(Resolution::Sd, 60_000);
    let failed = Change::Error(explain(1010, "no moov"));
    for (template, change) in [
        ("a", Change::Progress(Some(writer))),
        ("b", failed),
        ("a", Change::Progress(Some(50 + writer))),
        ("a", Change::Canceled),
    ] {
        let apply = |record: &mut Record| apply(record, template, 1, "j", &change, Timestamp::UNIX_EPOCH);
        let changed = catalog.change_with(&id, encoded, apply).await;
        assert!(changed.unwrap().is_some(), "the record is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_one_record_only_winners_are_counted() {
    let server = TestS3::local().await;
    let counted: Arc<Mutex<(Vec<Outcome>, Registry)>> = Arc::default();
    let meter = Meter::new({
        let counted = Arc::clone(&counted);
        move |outcome| {
            let mut counted = counted.lock().unwrap();
            counted.0.push(outcome.clone());
            counted.1.count(outcome);
        }
    });
    let catalog = Catalog::new(server.client.clone(), BUCKET.to_owned()).metered(meter);
    let record = record();
    let mut claims = JoinSet::new();
    for _ in 0..WRITERS {
        let (catalog, record) = (catalog.clone(), record.clone());
        claims.spawn(async move { catalog.claim(&record).await.unwrap() });
    }
    let won = claims.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);

    let mut writers = JoinSet::new();
    for writer in 1..=WRITERS {
        writers.spawn(deliver(catalog.clone(), record.id.clone(), writer));
    }
    writers.join_all().await;
    let counted = counted.lock().unwrap();
    let count = |template: &str, wanted: fn(&What) -> bool| {
        let of = |outcome: &&Outcome| {
            let subject = outcome.subject.as_ref();
            wanted(&outcome.what) && subject.is_some_and(|subject| subject.template == template)
        };
        counted.0.iter().filter(of).count()
    };
    for template in ["a", "b"] {
        let submitted = count(template, |what| matches!(what, What::Submitted { .. }));
        assert_eq!(submitted, 1, "{template}: {:?}", counted.0);
    }
    assert_eq!(
        count("a", |what| matches!(what, What::Canceled)),
        1,
        "{:?}",
        counted.0
    );
    assert_eq!(
        count("b", |what| matches!(what, What::Failed { .. })),
        1,
        "{:?}",
        counted.0
    );
    assert_eq!(counted.0.len(), 4, "{:?}", counted.0);
    let text = counted.1.render();
    assert!(
        text.contains("vod_jobs_canceled_total{template=\"a\"} 1\n"),
        "{text}"
    );
}
