//! MediaConvert's error codes in plain words: what happened, what to do, whether trying again can help.
//!
//! Source: the MediaConvert user guide, "MediaConvert error codes". A code we do not know counts as permanent: trying
//! again costs money, and the alarm tells a person.

use crate::record::{JobError, Unknown};

/// Whose business a failure is: what a graph of failures is split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The uploader's: the file.
    Input,
    /// The owner's: a role or a policy.
    Permission,
    /// The owner's: the template.
    Template,
    /// Something was no longer there: the upload, or what had been made of it.
    Gone,
    /// The service's: mostly it passes.
    Service,
    /// The queue has given up on the message.
    Delivery,
    /// A code that we do not know.
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

/// What one code covers and its message tells apart: codes, a fragment of the message in lower case, the entry.
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
            meaning: "not one picture of the file could be decoded",
            remedy: "check that the file plays on your computer, export it anew and upload that",
            retryable: false,
        },
    ),
    (
        &[1076],
        "without its media",
        Entry {
            codes: &[],
            class: Class::Input,
            meaning: "the file has an index and no pictures or sound behind it",
            remedy: "upload the file again: it was cut off before its media",
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
        meaning: "the file holds no video track",
        remedy: "upload a file with a picture; for sound alone use a template without video",
        retryable: false,
    },
    Entry {
        codes: &[1021],
        class: Class::Template,
        meaning: "the template asks for sound and the file has none",
        remedy: "leave the rule drop-missing-audio on, or upload a file with an audio track",
        retryable: false,
    },
    Entry {
        codes: &[1030, 1022],
        class: Class::Input,
        meaning: "the file's codec is not supported",
        remedy: "export the video as H.264 or HEVC with AAC sound and upload it again",
        retryable: false,
    },
    Entry {
        codes: &[1076],
        class: Class::Input,
        meaning: "the file ends too early or is damaged",
        remedy: "upload the file again; if it happens again, repair or export it anew",
        retryable: false,
    },
    Entry {
        codes: &[1092, 1093],
        class: Class::Input,
        meaning: "the sound could not be decoded",
        remedy: "export the video again with AAC sound and upload it",
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
        remedy: "make room (locally: on the disk of the state folder); it is tried again",
        retryable: true,
    },
    // Of the one-machine stack; MediaConvert's own codes have four digits.
    Entry {
        codes: &[900_101],
        class: Class::Input,
        meaning: "the video goes beyond a limit of this machine",
        remedy: "upload a shorter or smaller video; the limit of play time is `vod up --max-hours`",
        retryable: false,
    },
    Entry {
        codes: &[1517, 1522, 1550, 1999, 3408, 3450, 3451, 3999],
        class: Class::Service,
        meaning: "the encoder failed for a reason of its own",
        remedy: "nothing to do at first: it is tried again; if it keeps failing, look at the message",
        retryable: true,
    },
];

const UNKNOWN: Entry = Entry {
    codes: &[],
    class: Class::Other,
    meaning: "MediaConvert gave up for a reason we have no words for",
    remedy: "look up the code in the MediaConvert user guide",
    retryable: false,
};

const REFUSED: Entry = Entry {
    codes: &[400, 404, 409, 422],
    class: Class::Template,
    meaning: "MediaConvert refused the job",
    remedy: "correct the template at the setting that the message names (vod check FILE tells more), then upload again",
    retryable: false,
};

/// The longest message kept, in characters: messages can quote the input.
const MESSAGE_MAX: usize = 2000;

/// A MediaConvert error with its meaning and remedy. Code 1010 also wraps S3's refusals, so the message
/// counts as well.
pub fn explain(code: u32, message: &str) -> JobError {
    let text = message.to_ascii_lowercase();
    let told_apart = BY_MESSAGE
        .iter()
        .find(|(codes, fragment, _)| codes.contains(&code) && text.contains(fragment))
        .map(|(_, _, entry)| entry);
    let entry = told_apart.or_else(|| TABLE.iter().find(|entry| entry.codes.contains(&code)));
    error(code, message, entry.unwrap_or(&UNKNOWN))
}

/// Whose business an error of this catalogue is.
pub fn class(error: &JobError) -> Class {
    let known = TABLE
        .iter()
        .chain(BY_MESSAGE.iter().map(|(_, _, entry)| entry))
        .chain([&UNKNOWN, &REFUSED])
        .find(|entry| entry.meaning == error.meaning);
    match (known, error.code) {
        (Some(entry), _) => entry.class,
        (None, UNDELIVERABLE) => Class::Delivery,
        (None, 400) => Class::Template,
        (None, 404) if error.retryable => Class::Service,
        (None, 404) => Class::Gone,
        (None, _) => Class::Other,
    }
}

/// A refusal by CreateJob itself; the code is the HTTP status.
pub fn refused(status: u16, message: &str) -> JobError {
    error(u32::from(status), message, &REFUSED)
}

/// A template that could not be used; `message` names the template and the place in it.
pub fn unusable_template(message: &str) -> JobError {
    JobError {
        code: 400,
        message: message.chars().take(MESSAGE_MAX).collect(),
        meaning: format!("the job template cannot be used: {message}"),
        remedy: "correct or remove the template under jobs/ and upload the video again".to_owned(),
        retryable: false,
        unknown: Unknown::new(),
    }
}

/// An upload that was no longer there when its job was to be created; `reason` says why.
pub fn source_gone(reason: &str) -> JobError {
    JobError {
        code: 404,
        message: reason.to_owned(),
        meaning: reason.to_owned(),
        remedy: "upload the video again".to_owned(),
        retryable: false,
        unknown: Unknown::new(),
    }
}

/// The code of [`undeliverable`]; none of MediaConvert's or HTTP's.
pub const UNDELIVERABLE: u32 = 900_503;

/// An upload whose message was delivered as often as the queue allows and failed each time: no job could be created.
pub fn undeliverable(deliveries: u32, message: &str) -> JobError {
    JobError {
        code: UNDELIVERABLE,
        message: message.chars().take(MESSAGE_MAX).collect(),
        meaning: format!("no job could be created in {deliveries} tries, and its message lies in the dead letters"),
        remedy: "mend what the message names; then `vod dead-letters redrive` tries again at once, and the reconcile \
                 function does by and by"
            .to_owned(),
        retryable: true,
        unknown: Unknown::new(),
    }
}

/// An upload that `reconcile` could not go on with: `tries` says how often it tried, `message` why it failed the last
/// time. It tries again while it has `tries_left`.
pub fn unrepaired(tries: u32, tries_left: bool, message: &str) -> JobError {
    let remedy = if tries_left {
        "mend what the message names; the reconcile function tries again by and by"
    } else {
        "mend what the message names; then bring the upload again: `vod dead-letters redrive`, or upload it again"
    };
    JobError {
        code: UNDELIVERABLE,
        message: message.chars().take(MESSAGE_MAX).collect(),
        meaning: format!("no job could be created, and reconcile has tried {tries} times"),
        remedy: remedy.to_owned(),
        retryable: tries_left,
        unknown: Unknown::new(),
    }
}

/// A job that MediaConvert does not know and that has left no outputs.
pub fn job_unknown(job_id: &str) -> JobError {
    JobError {
        code: 404,
        message: format!("MediaConvert does not know the job {job_id}"),
        meaning: "the job has vanished without a result".to_owned(),
        remedy: "nothing to do at first: it is tried again".to_owned(),
        retryable: true,
        unknown: Unknown::new(),
    }
}

/// A job that succeeded and whose outputs are not there: `key` for one.
pub fn outputs_gone(key: &str) -> JobError {
    JobError {
        code: 404,
        message: format!("`{key}` is missing"),
        meaning: "the job succeeded and its outputs have been removed since".to_owned(),
        remedy: "upload the video again, or restore what was removed under output/".to_owned(),
        retryable: false,
        unknown: Unknown::new(),
    }
}

fn error(code: u32, message: &str, entry: &Entry) -> JobError {
    JobError {
        code,
        message: message.chars().take(MESSAGE_MAX).collect(),
        meaning: entry.meaning.to_owned(),
        remedy: entry.remedy.to_owned(),
        retryable: entry.retryable,
        unknown: Unknown::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_code_stands_once() {
        let mut seen = HashSet::new();
        for code in TABLE.iter().flat_map(|entry| entry.codes) {
            assert!(seen.insert(code), "{code} stands twice");
        }
    }

    #[test]
    fn what_one_code_covers_is_told_apart_by_its_message() {
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
            assert_eq!(class(&error), Class::Input, "{message}");
            assert!(meanings.insert(error.meaning), "{message}");
        }
    }

    #[test]
    fn s3_denial_inside_1010_is_a_matter_of_permission() {
        let text =
            "Unable to open input file [s3://b/x.mp4]: [Failed to read data: Access denied to s3://b/x.mp4]";
        assert_eq!(explain(1010, text).meaning, DENIED.meaning);
        assert_eq!(
            explain(1010, "no moov box found").meaning,
            INPUT_UNREADABLE.meaning
        );
    }

    #[test]
    fn each_error_is_somebodys_business() {
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
            assert_eq!(class(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn unknown_codes_are_permanent() {
        assert!(!explain(7777, "?").retryable);
        assert!(explain(1999, "?").retryable);
    }
}
