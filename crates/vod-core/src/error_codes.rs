//! Explains MediaConvert's error codes: the meaning, the remedy, and whether another attempt can help.
//!
//! Source: the MediaConvert user guide, "MediaConvert error codes". An unknown code counts as permanent: another attempt
//! costs money, and the alarm notifies a person.

use mediaconvert_job::error_code::LIMIT;
pub use mediaconvert_job::error_code::UNDELIVERABLE;

use crate::record::JobError;

/// The class of a failure, by who can fix it. Metrics of failures are split by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Class {
    /// The file is at fault; its uploader can fix it.
    Input,
    /// A role or a policy is at fault; the owner can fix it.
    Permission,
    /// The template is at fault; the owner can fix it.
    Template,
    /// The upload or its outputs no longer exist.
    Gone,
    /// The service failed, mostly for a short time.
    Service,
    /// The message failed at every delivery.
    Delivery,
    /// The code is unknown.
    #[default]
    Other,
}

impl Class {
    pub const ALL: [Self; 7] = [
        Self::Input,
        Self::Permission,
        Self::Template,
        Self::Gone,
        Self::Service,
        Self::Delivery,
        Self::Other,
    ];

    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Permission => "permission",
            Self::Template => "template",
            Self::Gone => "gone",
            Self::Service => "service",
            Self::Delivery => "delivery",
            Self::Other => "other",
        }
    }
}

struct Entry {
    codes: &'static [u32],
    class: Class,
    meaning: &'static str,
    remedy: &'static str,
    retryable: bool,
}

const INPUT_UNREADABLE: Entry = Entry {
    codes: &[1010, 1075],
    class: Class::Input,
    meaning: "the file could not be opened as a video",
    remedy: "check that the file plays on your computer, and upload it again; a file cut off in mid-upload looks like this too",
    retryable: false,
};

const DENIED: Entry = Entry {
    codes: &[1401, 1432, 1433, 1434, 1515, 1091, 3401, 3403],
    class: Class::Permission,
    meaning: "MediaConvert was not allowed to read the upload or to write the outputs",
    remedy: "check the MediaConvert role: it must trust mediaconvert.amazonaws.com and may read input/ and write output/; then retry",
    retryable: false,
};

/// Entries that share a code and differ by the message: codes, a fragment of the message in lower case, the entry.
const BY_MESSAGE: &[(&[u32], &str, Entry)] = &[
    (&[1010, 1404], "access denied", DENIED),
    (
        &[1010, 1030, 1075],
        "encrypted",
        Entry {
            codes: &[],
            class: Class::Input,
            meaning: "the file is encrypted, so its pictures cannot be read",
            remedy: "upload a copy without copy protection (DRM)",
            retryable: false,
        },
    ),
    (
        &[1075],
        "no frame",
        Entry {
            codes: &[],
            class: Class::Input,
            meaning: "no frame of the file could be decoded",
            remedy: "check that the file plays on your computer, export it again, and upload the export",
            retryable: false,
        },
    ),
    (
        &[1076],
        "without its media",
        Entry {
            codes: &[],
            class: Class::Input,
            meaning: "the file has an index, but no video or audio data",
            remedy: "upload the file again: it was cut off before its media data",
            retryable: false,
        },
    ),
];

const TABLE: &[Entry] = &[
    INPUT_UNREADABLE,
    DENIED,
    Entry {
        codes: &[1020],
        class: Class::Input,
        meaning: "the file has no video track",
        remedy: "upload a file with a video track; for audio alone, use a template without video",
        retryable: false,
    },
    Entry {
        codes: &[1021],
        class: Class::Template,
        meaning: "the template requires audio, but the file has no audio track",
        remedy: "turn the rule drop-missing-audio on, or upload a file with an audio track",
        retryable: false,
    },
    Entry {
        codes: &[1030, 1022],
        class: Class::Input,
        meaning: "the file's codec is not supported",
        remedy: "export the video as H.264 or HEVC with AAC audio and upload it again",
        retryable: false,
    },
    Entry {
        codes: &[1076],
        class: Class::Input,
        meaning: "the file ends too early or is damaged",
        remedy: "upload the file again; if it happens again, repair or export it first",
        retryable: false,
    },
    Entry {
        codes: &[1092, 1093],
        class: Class::Input,
        meaning: "the audio could not be decoded",
        remedy: "export the video again with AAC audio and upload it",
        retryable: false,
    },
    Entry {
        codes: &[1040, 1043, 1060, 1080, 3457],
        class: Class::Template,
        meaning: "the job's settings do not fit this video",
        remedy: "correct the template at the setting that the message names, then upload again",
        retryable: false,
    },
    Entry {
        codes: &[1041, 1042],
        class: Class::Template,
        meaning: "the job's settings do not allow accelerated transcoding",
        remedy: "set AccelerationSettings.Mode to DISABLED or PREFERRED in the template",
        retryable: false,
    },
    Entry {
        codes: &[1404, 3404, 1056],
        class: Class::Gone,
        meaning: "the upload was not there when MediaConvert looked for it",
        remedy: "check that the object still exists; if it does, the next attempt will find it",
        retryable: true,
    },
    Entry {
        codes: &[3400],
        class: Class::Input,
        meaning: "the HLS input could not be read",
        remedy: "upload the video as one file",
        retryable: false,
    },
    Entry {
        codes: &[1050, 1507],
        class: Class::Service,
        meaning: "the encoder's disk was full",
        remedy: "free disk space (locally: on the disk of the state folder); the job is retried automatically",
        retryable: true,
    },
    // A code of `vod up`; MediaConvert's own codes have four digits.
    Entry {
        codes: &[LIMIT],
        class: Class::Input,
        meaning: "the video exceeds a limit of this machine",
        remedy: "upload a shorter or smaller video; `vod up --max-hours` sets the limit on duration",
        retryable: false,
    },
    Entry {
        codes: &[1517, 1522, 1550, 1999, 3408, 3450, 3451, 3999],
        class: Class::Service,
        meaning: "the encoder failed with an internal error",
        remedy: "wait: the job is retried automatically; if it keeps failing, read the message",
        retryable: true,
    },
];

const UNKNOWN: Entry = Entry {
    codes: &[],
    class: Class::Other,
    meaning: "MediaConvert failed with a code that is not in the table",
    remedy: "look up the code in the MediaConvert user guide",
    retryable: false,
};

const REFUSED: Entry = Entry {
    codes: &[400, 404, 409, 422],
    class: Class::Template,
    meaning: "MediaConvert refused the job",
    remedy: "correct the template at the setting that the message names (`vod check FILE` shows all problems), then upload again",
    retryable: false,
};

/// The longest message kept, in characters: messages can quote the input.
const MESSAGE_MAX: usize = 2000;

/// Returns a MediaConvert error with its class, meaning and remedy. Code 1010 also covers refusals by S3, so the
/// message counts as well.
pub fn explain(code: u32, message: &str) -> JobError {
    let text = message.to_ascii_lowercase();
    let by_message = BY_MESSAGE
        .iter()
        .find(|(codes, fragment, _)| codes.contains(&code) && text.contains(fragment))
        .map(|(_, _, entry)| entry);
    let entry = by_message.or_else(|| TABLE.iter().find(|entry| entry.codes.contains(&code)));
    error(code, message, entry.unwrap_or(&UNKNOWN))
}

/// A refusal by CreateJob itself; the code is the HTTP status.
pub fn refused(status: u16, message: &str) -> JobError {
    error(u32::from(status), message, &REFUSED)
}

/// An error because a template cannot be used; `message` names the template and the place in it.
pub fn unusable_template(message: &str) -> JobError {
    JobError {
        code: 400,
        class: Class::Template,
        message: shortened(message),
        meaning: format!("the job template cannot be used: {message}"),
        remedy: "correct or remove the template under jobs/ and upload the video again".to_owned(),
        ..JobError::default()
    }
}

/// An error because the upload no longer existed when its job was to be created; `reason` says why.
pub fn source_gone(reason: &str) -> JobError {
    JobError {
        code: 404,
        class: Class::Gone,
        message: reason.to_owned(),
        meaning: reason.to_owned(),
        remedy: "upload the video again".to_owned(),
        ..JobError::default()
    }
}

/// An error because the message of an upload failed at every delivery, so no job could be created.
pub fn undeliverable(deliveries: u32, message: &str) -> JobError {
    JobError {
        code: UNDELIVERABLE,
        class: Class::Delivery,
        message: shortened(message),
        meaning: format!("no job could be created in {deliveries} tries; the message is in the dead letters"),
        remedy: "fix the cause that the message names; then run `vod dead-letters redrive`, or wait: reconcile retries \
                 automatically"
            .to_owned(),
        retryable: true,
        ..JobError::default()
    }
}

/// An error because `reconcile` could not continue an upload: `tries` counts its tries, `message` says why the last one
/// failed. It tries again if `tries_left`.
pub fn unrepaired(tries: u32, tries_left: bool, message: &str) -> JobError {
    let remedy = if tries_left {
        "fix the cause that the message names; reconcile retries automatically"
    } else {
        "fix the cause that the message names; then run `vod dead-letters redrive`, or upload the file again"
    };
    JobError {
        code: UNDELIVERABLE,
        class: Class::Delivery,
        message: shortened(message),
        meaning: format!("no job could be created, and reconcile has tried {tries} times"),
        remedy: remedy.to_owned(),
        retryable: tries_left,
        ..JobError::default()
    }
}

/// An error because MediaConvert does not know the job and there are no outputs of it.
pub fn job_unknown(job_id: &str) -> JobError {
    JobError {
        code: 404,
        class: Class::Service,
        message: format!("MediaConvert does not know the job {job_id}"),
        meaning: "the job no longer exists and has no result".to_owned(),
        remedy: "wait: the job is retried automatically".to_owned(),
        retryable: true,
        ..JobError::default()
    }
}

/// An error because outputs of a job that succeeded are missing: `key` is one of them.
pub fn outputs_gone(key: &str) -> JobError {
    JobError {
        code: 404,
        class: Class::Gone,
        message: format!("`{key}` is missing"),
        meaning: "the job succeeded, but its outputs have been removed since".to_owned(),
        remedy: "upload the video again, or restore the removed objects under output/".to_owned(),
        ..JobError::default()
    }
}

fn error(code: u32, message: &str, entry: &Entry) -> JobError {
    JobError {
        code,
        class: entry.class,
        message: shortened(message),
        meaning: entry.meaning.to_owned(),
        remedy: entry.remedy.to_owned(),
        retryable: entry.retryable,
        ..JobError::default()
    }
}

fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_code_is_in_the_table_once() {
        let mut seen = HashSet::new();
        for code in TABLE.iter().flat_map(|entry| entry.codes) {
            assert!(seen.insert(code), "{code} is in the table twice");
        }
    }

    #[test]
    fn errors_with_one_code_differ_by_their_message() {
        let mut meanings = HashSet::new();
        for (code, message) in [
            (
                1010,
                "Unable to open input file [s3://b/x.mp4]: [Failed probe/open: [no moov box found in file]]",
            ),
            (
                1010,
                "Unable to open input file [s3://b/x.mp4]: [Failed probe/open: [the media is encrypted]]",
            ),
            (1030, "unsupported codec: the video track cannot be decoded"),
            (
                1075,
                "no frame of the input could be decoded: Cannot determine format of input stream 0:0",
            ),
            (
                1076,
                "Unable to read input file [s3://b/x.mp4]: it is an index (moov) without its media",
            ),
            (
                1076,
                "Demuxer: [ReadPacketData File read failed - end of file hit at length [9]. Is file truncated?]",
            ),
        ] {
            let error = explain(code, message);
            assert!(!error.retryable, "{message}");
            assert_eq!(error.class, Class::Input, "{message}");
            assert!(meanings.insert(error.meaning), "{message}");
        }
    }

    #[test]
    fn a_refusal_by_s3_inside_1010_is_a_permission_error() {
        let text =
            "Unable to open input file [s3://b/x.mp4]: [Failed to read data: Access denied to s3://b/x.mp4]";
        assert_eq!(explain(1010, text).meaning, DENIED.meaning);
        assert_eq!(
            explain(1010, "no moov box found").meaning,
            INPUT_UNREADABLE.meaning
        );
    }

    #[test]
    fn each_error_has_its_class() {
        for (error, expected) in [
            (explain(1010, "no moov box found"), Class::Input),
            (explain(1010, "Access denied to s3://b/x.mp4"), Class::Permission),
            (explain(1404, "?"), Class::Gone),
            (explain(1999, "?"), Class::Service),
            (explain(7777, "?"), Class::Other),
            (refused(404, "no such queue"), Class::Template),
            (
                unusable_template("jobs/a.json: no output groups"),
                Class::Template,
            ),
            (source_gone("the upload was removed"), Class::Gone),
            (outputs_gone("output/a"), Class::Gone),
            (job_unknown("j"), Class::Service),
            (undeliverable(5, "no connection"), Class::Delivery),
            (unrepaired(8, false, "no connection"), Class::Delivery),
        ] {
            assert_eq!(error.class, expected, "{error:?}");
        }
    }

    #[test]
    fn unknown_codes_are_permanent() {
        assert!(!explain(7777, "?").retryable);
        assert!(explain(1999, "?").retryable);
    }
}
