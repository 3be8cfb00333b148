//! Parses faults: `PLACE.FAULT=WHEN`, one per argument or line of a file.

use vod_core::queues::{JOB_EVENTS, UPLOADS};

use crate::access::Operation;

/// All that can be written, for `vod up --help` and for errors.
pub const SYNTAX: &str = "\
A fault has the form PLACE.FAULT=WHEN. WHEN is a rate from 0 to 1, or @N for the Nth time only.

  events.drop=0.05              an event is lost; `uploads.` or `job-events.` names one of the two queues
  events.duplicate=0.1          an event is delivered twice
  events.delay=0.1:500-5000     an event is delayed by so many milliseconds
  events.reorder=0.1            an event is delivered after later ones
  s3.500=…  s3.503=…  s3.409=…  S3 refuses a call; 409 only for conditional writes
  mediaconvert.429=…  .500  .503
                                MediaConvert refuses a call
  s3.slow=0.1:100-2000          the response is delayed by so many milliseconds
  s3.lost=0.02                  the call is executed, and the connection closed without a response
  s3.crash-before=…  s3.crash-after=…
                                the function that makes the call crashes before or after the call
  s3.exit-before=…  s3.exit-after=…
                                the same for the whole process
  CreateJob.429=0.2             `s3` and `mediaconvert` mean all their operations; name one instead, such as
                                CreateJob, SearchJobs, GetObject, PutObject, UploadPart
  ffmpeg.kill=0.3:0-1000        SIGKILL for an encoder, so many milliseconds after its start
  disk.full=50M                 the state folder has a limit of so many bytes (with K, M or G)
  seed=42                       the same seed gives the same faults

An argument without `=` is a file with one fault per line and comments after #. It is read again when it changes.";

/// The two services that can be made to fail, as [`crate::access::classify`] names them.
pub(super) const S3: &str = "s3";
pub(super) const MEDIACONVERT: &str = "mediaconvert";

/// Operations that a fault can be bound to: those that this pipeline and its users call.
pub(super) const OPERATIONS: &[(&str, &str)] = &[
    (S3, "AbortMultipartUpload"),
    (S3, "CompleteMultipartUpload"),
    (S3, "CopyObject"),
    (S3, "CreateMultipartUpload"),
    (S3, "DeleteObject"),
    (S3, "DeleteObjects"),
    (S3, "GetObject"),
    (S3, "HeadObject"),
    (S3, "ListObjectsV2"),
    (S3, "PutObject"),
    (S3, "UploadPart"),
    (MEDIACONVERT, "CancelJob"),
    (MEDIACONVERT, "CreateJob"),
    (MEDIACONVERT, "GetJob"),
    (MEDIACONVERT, "GetJobTemplate"),
    (MEDIACONVERT, "GetPreset"),
    (MEDIACONVERT, "ListJobs"),
    (MEDIACONVERT, "Probe"),
    (MEDIACONVERT, "SearchJobs"),
];

/// Queues whose events can have faults.
const QUEUES: &[&str] = &[UPLOADS, JOB_EVENTS];

/// The place of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Events of this queue, or of both.
    Events(Option<&'static str>),
    /// Calls of this service, or of one operation of it.
    Calls(&'static str, Option<&'static str>),
    Ffmpeg,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Drop,
    Duplicate,
    /// Later than its turn.
    Delay,
    /// The service answers with this status.
    Answer(u16),
    Slow,
    Lost,
    Crash(Moment),
    Exit(Moment),
    Kill,
}

/// Before a call is made, or after it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// The name of a fault in its place, and the usual time where one belongs to it.
type Named = (&'static str, Fault, Option<Span>);

const OF_EVENTS: &[Named] = &[
    ("drop", Fault::Drop, None),
    ("duplicate", Fault::Duplicate, Some(span(100, 2000))),
    ("delay", Fault::Delay, Some(span(500, 5000))),
    ("reorder", Fault::Delay, Some(span(0, 3000))),
];
const OF_S3: &[Named] = &[
    ("409", Fault::Answer(409), None),
    ("500", Fault::Answer(500), None),
    ("503", Fault::Answer(503), None),
];
const OF_MEDIACONVERT: &[Named] = &[
    ("429", Fault::Answer(429), None),
    ("500", Fault::Answer(500), None),
    ("503", Fault::Answer(503), None),
];
const OF_CALLS: &[Named] = &[
    ("slow", Fault::Slow, Some(span(100, 2000))),
    ("lost", Fault::Lost, None),
    ("crash-before", Fault::Crash(Moment::Before), None),
    ("crash-after", Fault::Crash(Moment::After), None),
    ("exit-before", Fault::Exit(Moment::Before), None),
    ("exit-after", Fault::Exit(Moment::After), None),
];
const OF_FFMPEG: &[Named] = &[("kill", Fault::Kill, Some(span(0, 1000)))];

const fn span(from: u32, to: u32) -> Span {
    Span { from, to }
}

impl Place {
    /// Names are read in any case: `createjob.429` is what people type.
    fn read(text: &str) -> Option<Self> {
        let is = |name: &str| name.eq_ignore_ascii_case(text);
        if is("events") {
            return Some(Self::Events(None));
        }
        if is("ffmpeg") {
            return Some(Self::Ffmpeg);
        }
        if let Some(queue) = QUEUES.iter().find(|queue| is(queue)) {
            return Some(Self::Events(Some(queue)));
        }
        if let Some(service) = [S3, MEDIACONVERT].into_iter().find(|service| is(service)) {
            return Some(Self::Calls(service, None));
        }
        let operation = OPERATIONS.iter().find(|(_, operation)| is(operation));
        operation.map(|(service, operation)| Self::Calls(service, Some(operation)))
    }

    fn faults(self) -> Vec<Named> {
        let tables: &[&[_]] = match self {
            Self::Events(_) => &[OF_EVENTS],
            Self::Calls(S3, _) => &[OF_S3, OF_CALLS],
            Self::Calls(..) => &[OF_MEDIACONVERT, OF_CALLS],
            Self::Ffmpeg => &[OF_FFMPEG],
        };
        tables.concat()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Events(queue) => queue.unwrap_or("events"),
            Self::Calls(service, operation) => operation.unwrap_or(service),
            Self::Ffmpeg => "ffmpeg",
        }
    }

    /// Whether a call is one of this place.
    pub(super) fn covers(self, call: &Operation) -> bool {
        let Self::Calls(service, operation) = self else {
            return false;
        };
        service == call.service && operation.is_none_or(|name| name == call.operation)
    }
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum When {
    /// From 0 to 1.
    Rate(f64),
    /// Only the time of this number, from 1.
    Nth(u64),
}

/// From how many milliseconds to how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) from: u32,
    pub(super) to: u32,
}

/// One fault.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    /// `PLACE.FAULT` in one spelling: what is drawn depends on it.
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) fault: Fault,
    pub(super) when: When,
    pub(super) span: Span,
    /// As it was written.
    text: String,
}

/// All that was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rules {
    pub(super) list: Vec<Rule>,
    /// What the state folder may hold, in bytes.
    pub(super) disk: Option<u64>,
    pub(super) seed: Option<u64>,
}

/// Why a fault was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("it is not of the form PLACE.FAULT=WHEN")]
    Form,
    #[error("there is no place `{0}`; there are events, {queues}, s3, mediaconvert, ffmpeg, disk and the operations {operations}",
        queues = QUEUES.join(", "), operations = operations())]
    Place(String),
    #[error("`{place}` has no fault `{fault}`, but {known}")]
    Fault {
        place: &'static str,
        fault: String,
        known: String,
    },
    #[error("`{0}` does not write under a condition, so it never answers 409")]
    Unconditional(&'static str),
    #[error("`{0}` is neither a rate from 0 to 1 nor @N, the Nth time")]
    When(String),
    #[error("`{0}` is not a time in milliseconds, such as 500 or 100-2000")]
    Span(String),
    #[error("no time belongs to this fault")]
    NoSpan,
    #[error("`{0}` is not a number of bytes, such as 500000, 200K, 50M or 1G")]
    Size(String),
    #[error("`{0}` is not a number from 0 to 18446744073709551615")]
    Seed(String),
}

fn operations() -> String {
    let names: Vec<&str> = OPERATIONS.iter().map(|(_, name)| *name).collect();
    names.join(", ")
}

impl Rules {
    /// Adds what `text` says. Of two of the same name the later one counts.
    pub(super) fn add(&mut self, text: &str) -> Result<(), SpecError> {
        let (name, value) = text.split_once('=').ok_or(SpecError::Form)?;
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("seed") {
            self.seed = Some(value.parse().map_err(|_| SpecError::Seed(value.to_owned()))?);
        } else if name.eq_ignore_ascii_case("disk.full") {
            self.disk = Some(bytes(value).ok_or_else(|| SpecError::Size(value.to_owned()))?);
        } else {
            let rule: Rule = Rule::read(name, value)?;
            self.list.retain(|known| known.name != rule.name);
            self.list.push(rule);
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.disk.is_none()
    }

    /// As it could be written again, without the seed.
    pub(super) fn text(&self) -> String {
        let disk = self.disk.map(|bytes| format!("disk.full={bytes}"));
        let rules = self.list.iter().map(|rule| rule.text.clone());
        rules.chain(disk).collect::<Vec<_>>().join(" ")
    }
}

impl Rule {
    fn read(name: &str, value: &str) -> Result<Self, SpecError> {
        let (place, fault) = name.split_once('.').ok_or(SpecError::Form)?;
        let place = Place::read(place).ok_or_else(|| SpecError::Place(place.to_owned()))?;
        let faults = place.faults();
        let found = faults.iter().find(|(name, ..)| name.eq_ignore_ascii_case(fault));
        let Some((fault_name, fault, usual)) = found.copied() else {
            let known: Vec<&str> = faults.iter().map(|(name, ..)| *name).collect();
            return Err(SpecError::Fault {
                place: place.name(),
                fault: fault.to_owned(),
                known: known.join(", "),
            });
        };
        if let (Place::Calls(_, Some(operation)), Fault::Answer(409)) = (place, fault)
            && !CONDITIONAL.contains(&operation)
        {
            return Err(SpecError::Unconditional(operation));
        }
        let (when, time) = match value.split_once(':') {
            Some((when, time)) => (when, Some(time)),
            None => (value, None),
        };
        let span = match (time, usual) {
            (None, usual) => usual.unwrap_or_default(),
            (Some(time), Some(_)) => Span::read(time)?,
            (Some(_), None) => return Err(SpecError::NoSpan),
        };
        let name = format!("{}.{fault_name}", place.name());
        Ok(Self {
            text: format!("{name}={value}"),
            when: When::read(when)?,
            name,
            place,
            fault,
            span,
        })
    }
}

/// Operations that write under `If-Match` or `If-None-Match`: the only ones whose race S3 answers with 409
/// ("How to prevent object overwrites with conditional writes", S3 user guide).
pub(super) const CONDITIONAL: &[&str] = &["PutObject", "CompleteMultipartUpload", "CopyObject"];

impl When {
    fn read(text: &str) -> Result<Self, SpecError> {
        let read = match text.strip_prefix('@') {
            Some(number) => number.parse().ok().filter(|number| *number > 0).map(Self::Nth),
            None => text
                .parse()
                .ok()
                .filter(|rate| (0.0..=1.0).contains(rate))
                .map(Self::Rate),
        };
        read.ok_or_else(|| SpecError::When(text.to_owned()))
    }
}

impl Span {
    fn read(text: &str) -> Result<Self, SpecError> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if from <= to => Ok(Self { from, to }),
            _ => Err(SpecError::Span(text.to_owned())),
        }
    }
}

/// `50M` and the like, in powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 10),
        (at, 'm' | 'M') => (&text[..at], 20),
        (at, 'g' | 'G') => (&text[..at], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests;
