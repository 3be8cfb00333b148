//! Records and templates for the tables of the rules.

use jiff::Timestamp;

use super::{Invocation, JobSettings, first_attempts};
use crate::asset::AssetId;
use crate::job::{LoadedTemplate, Rules};
use crate::record::{Lease, Record, Source, State};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn lease(holder: &str, second: i64) -> Lease {
    Lease {
        holder: holder.to_owned(),
        until: at(second),
        ..Lease::default()
    }
}

/// A record without jobs of an upload at second 0.
pub(super) fn record(state: State) -> Record {
    let id = AssetId::new("vod", "input/a.mp4", None, "e");
    let mut record = Record::new(id, Source::default(), at(0));
    record.state = state;
    record
}

pub(super) fn templates<const N: usize>(names: [&str; N]) -> [LoadedTemplate; N] {
    names.map(|name| LoadedTemplate::parse(name, name, br#"{"OutputGroups":[{}]}"#))
}

/// A record claimed by `m1` until second 20, with an attempt at each template.
pub(super) fn claimed(templates: &[LoadedTemplate]) -> Record {
    let mut record = record(State::Queued);
    record.jobs = first_attempts(templates, at(0));
    record.lease = Some(lease("m1", 20));
    record
}

/// A delivery to `holder` that may act until second 60.
pub(super) fn delivery(holder: &str) -> Invocation {
    Invocation {
        holder: holder.to_owned(),
        deadline: at(60),
        repair: false,
    }
}

pub(super) fn settings() -> JobSettings {
    JobSettings {
        application: "vod".to_owned(),
        output_bucket: "vod".to_owned(),
        role_arn: "r".to_owned(),
        queue: None,
        rules: Rules::all(),
    }
}
