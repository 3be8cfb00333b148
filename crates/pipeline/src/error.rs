//! The errors of the steps.

use vod_aws::{BucketError, CreateJobError, MediaConvertError};
use vod_core::events::EventError;

/// Why a step failed and must be repeated. What repeating cannot change ends in the record instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("the event's options are malformed")]
    Options(#[source] serde_json::Error),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    MediaConvert(#[from] MediaConvertError),
    #[error("failed to create a job of `{asset}`")]
    CreateJob { asset: String, source: CreateJobError },
    /// A record is claimed before its job is created, so this one was deleted. The event goes to the dead
    /// letters, and reconcile rebuilds the record.
    #[error("there is no record of asset `{0}`")]
    NoRecord(String),
    #[error("too little time left to create a job safely; it is delivered again")]
    OutOfTime,
    #[error("the repair took longer than {0} s")]
    SlowRepair(u64),
    #[error("job {id} was canceled and is still {status}: repeat the removal in a while")]
    JobContinues { id: String, status: String },
    #[error("the record of asset `{0}` kept changing: repeat the removal")]
    RecordContended(String),
}

impl Error {
    /// A word for alarms and logs. It stays the same when the code is rearranged.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) | Self::Options(_) => "UnknownEvent",
            Self::Bucket(error) => error.error_type(),
            Self::MediaConvert(_) => "MediaConvertUnavailable",
            Self::CreateJob { .. } => "CreateJobFailed",
            Self::NoRecord(_) => "NoRecord",
            Self::OutOfTime => "OutOfTime",
            Self::SlowRepair(_) => "RepairFailed",
            Self::JobContinues { .. } | Self::RecordContended(_) => "RemovalFailed",
        }
    }
}
