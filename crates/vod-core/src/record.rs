//! The record of an asset, `catalog/<asset>.json`: a contract, see ARCHITECTURE.md.
//!
//! A field that does not apply is absent, never null. Times are RFC 3339 in UTC, durations milliseconds,
//! sizes bytes or pixels, paths bucket keys. Members that this version does not know are kept ([`Unknown`]).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::asset::AssetId;
use crate::error_codes::Class;

mod caption;
mod media;
mod poster;

pub use caption::{CAPTIONS_MAX, Caption, CaptionKind, TooManyCaptions};
pub use media::{Cover, Media, PixelAspect, Track, TrackKind};

/// The version of this format.
pub const SCHEMA: u32 = 1;

/// Members that this version does not know, written back as they were read: a version that is rolled back must
/// not erase what a newer one has stored.
pub type Unknown = Map<String, Value>;

/// The state of an asset; a pure function of the latest attempts of its jobs (see [`crate::state`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Claimed, no job yet.
    Queued,
    Submitted,
    Progressing,
    Complete,
    Error,
    Canceled,
    /// A directory marker, zero bytes, or gone before it could be read; the reason says which.
    Ignored,
    /// Reserved: waiting for the owner's decision on cost. No record is in it yet.
    Held,
}

impl State {
    /// Whether the asset is done: nothing more happens without an upload or a request.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Complete | Self::Error | Self::Canceled | Self::Ignored
        )
    }

    /// The name in records and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Submitted => "SUBMITTED",
            Self::Progressing => "PROGRESSING",
            Self::Complete => "COMPLETE",
            Self::Error => "ERROR",
            Self::Canceled => "CANCELED",
            Self::Ignored => "IGNORED",
            Self::Held => "HELD",
        }
    }
}

/// The state of one attempt: SUBMITTED → PROGRESSING → one of the three ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobState {
    #[default]
    Submitted,
    Progressing,
    Complete,
    Error,
    Canceled,
}

impl JobState {
    /// Whether the attempt has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Error | Self::Canceled)
    }

    /// If two events of one attempt disagree, the higher rank wins. Being a maximum, the result does not depend on
    /// the order in which events arrive.
    pub fn rank(self) -> u8 {
        match self {
            Self::Submitted => 0,
            Self::Progressing => 1,
            Self::Canceled => 2,
            Self::Error => 3,
            Self::Complete => 4,
        }
    }

    /// The name in records and in MediaConvert's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Progressing => "PROGRESSING",
            Self::Complete => "COMPLETE",
            Self::Error => "ERROR",
            Self::Canceled => "CANCELED",
        }
    }
}

/// Everything known about one version of one upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub schema: u32,
    pub id: AssetId,
    pub state: State,
    /// Percent over all templates, 0 to 100.
    pub progress: u8,
    /// The owner's title, or the file name without folder and suffix, as the user wrote it.
    pub title: String,
    /// The time in the film, in milliseconds, whose nearest captured frame is the poster. Absent: the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poster_ms: Option<u64>,
    pub source: Source,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputSet>,
    /// Captions that the owner has added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captions: Vec<Caption>,
    /// Tracks and renditions that the outputs do not contain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The reason in plain words; with IGNORED and ERROR only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often `reconcile` has continued the upload without producing a job, since it was last uploaded. Absent at 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repairs: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The uploaded object, and what probing it found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Source {
    pub bucket: String,
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    pub uploaded_at: Timestamp,
    /// S3's order of events of one key (see [`crate::events::is_newer`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    #[serde(flatten)]
    pub media: Media,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Source {
    /// The id of this upload.
    pub fn asset_id(&self) -> AssetId {
        AssetId::new(&self.bucket, &self.key, self.version.as_deref(), &self.etag)
    }

    /// Its URL as MediaConvert reads it: `s3://bucket/key`.
    pub fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// One attempt at one template.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Job {
    pub template: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_sha256: Option<String>,
    /// From 1.
    pub attempt: u32,
    /// Absent until CreateJob has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    pub state: JobState,
    /// Percent; never goes back within an attempt.
    pub progress: u8,
    /// Changes of the rules to the template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Interval between thumbnails in the template; events do not contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_interval_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Job {
    /// Whether its job has yet to be created.
    pub fn is_planned(&self) -> bool {
        self.job_id.is_none() && !self.state.is_terminal()
    }

    /// An attempt that is planned and not yet created.
    pub fn planned(template: &str, template_sha256: Option<String>, attempt: u32) -> Self {
        Self {
            template: template.to_owned(),
            template_sha256,
            attempt,
            ..Self::default()
        }
    }
}

/// One thing that a named rule changed in the user's template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Change {
    pub rule: String,
    /// JSON pointer into the template's settings.
    pub path: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A track or rendition that was not taken over, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftOut {
    /// For example `subtitle track 2 (deu)`.
    pub what: String,
    pub why: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl LeftOut {
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            unknown: Unknown::new(),
        }
    }
}

/// A warning of MediaConvert.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Warning {
    pub code: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The error of a failed attempt, with a remedy (see [`crate::error_codes`]).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobError {
    /// MediaConvert's error code; the HTTP status where CreateJob itself was refused.
    pub code: u32,
    /// Not on record: metrics count a failure when it is written. An error that was read is of the class `Other`.
    #[serde(skip)]
    pub class: Class,
    pub message: String,
    pub meaning: String,
    pub remedy: String,
    pub retryable: bool,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The outputs of one template.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OutputSet {
    pub template: String,
    /// The live attempt's folder.
    pub prefix: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hls: Option<Hls>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dash: Option<Dash>,
    /// Progressive files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mp4: Vec<Rendition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnails: Option<Thumbnails>,
    /// Manifests of CMAF and DASH groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Hls {
    /// The multivariant playlist.
    pub master: String,
    pub variants: Vec<Rendition>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What DASH players play.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dash {
    pub manifest: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// One file or variant playlist, with what MediaConvert says of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rendition {
    /// Absent for variants of a CMAF group: MediaConvert's events do not name them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Thumbnails {
    /// Key with a printf field for the number, e.g. `…/video.%07d.jpg`.
    pub pattern: String,
    pub first: u32,
    pub count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// The image to show before playing: not the first, which is black so often.
    pub poster: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The holder of the claim, and the time limit of the lease.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lease {
    pub holder: String,
    pub until: Timestamp,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Record {
    /// A fresh record, claimed and without jobs.
    pub fn new(id: AssetId, source: Source, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            title: title(&source.key),
            poster_ms: None,
            id,
            state: State::Queued,
            progress: 0,
            source,
            jobs: Vec::new(),
            outputs: Vec::new(),
            captions: Vec::new(),
            left_out: Vec::new(),
            reason: None,
            repairs: 0,
            created_at: now,
            updated_at: now,
            lease: None,
            unknown: Unknown::new(),
        }
    }

    /// The latest attempt of each template.
    pub fn latest_attempts(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| {
            !self
                .jobs
                .iter()
                .any(|other| other.template == job.template && other.attempt > job.attempt)
        })
    }

    /// Whether an attempt has this job.
    pub fn has_job(&self, id: &str) -> bool {
        self.jobs.iter().any(|job| job.job_id.as_deref() == Some(id))
    }

    /// The entry of one attempt, made if it is missing: events may come before the job id is stored.
    pub fn attempt_mut(&mut self, template: &str, attempt: u32) -> &mut Job {
        let position = self
            .jobs
            .iter()
            .position(|job| job.template == template && job.attempt == attempt);
        let index = position.unwrap_or_else(|| {
            self.jobs.push(Job::planned(template, None, attempt));
            self.jobs.len() - 1
        });
        &mut self.jobs[index]
    }

    /// Adds what one job does not take over; two jobs may leave out the same.
    pub fn add_left_out(&mut self, entries: Vec<LeftOut>) {
        for entry in entries {
            if !self.left_out.contains(&entry) {
                self.left_out.push(entry);
            }
        }
    }

    /// The longest duration known, in milliseconds: of the outputs, else of the source.
    pub fn duration_ms(&self) -> Option<u64> {
        let outputs = self.outputs.iter().flat_map(|set| {
            let variants = set.hls.iter().flat_map(|hls| &hls.variants);
            variants
                .chain(&set.mp4)
                .filter_map(|rendition| rendition.duration_ms)
        });
        outputs.max().or(self.source.media.duration_ms)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A title for people: the file name without its suffix.
pub(crate) fn title(key: &str) -> String {
    let name = key.trim_end_matches('/').rsplit('/').next().unwrap_or(key);
    let stem = match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    };
    stem.to_owned()
}

#[cfg(test)]
mod tests;
