//! Derives an error from an exit status and the last messages, in `MediaConvert`'s terms.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use mediaconvert_job::error_code::{
    BAD_SETTING, DISK_FULL, INTERNAL, LIMIT, TRUNCATED, UNDECODABLE, UNREADABLE, UNSUPPORTED_CODEC,
};
use thiserror::Error;

use crate::Failure;

/// Lines of messages that go into an error.
const LINES: usize = 6;

/// A reason why a file could not be probed.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// Not a media file, or one that cannot be opened; with `MediaConvert`'s message if it has one.
    #[error("cannot open the input: {0}")]
    NotMedia(String),
    /// Common Encryption: the decoded pictures would be noise.
    #[error("the input is encrypted")]
    Encrypted,
    /// An index (`moov`) without the media that it lists.
    #[error("the input is an index without its media")]
    NoMedia,
    /// The input ends before it should.
    #[error("the input ends early, at {length} bytes")]
    Truncated { length: u64 },
    #[error("probing took longer than {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("the prober ran out of memory: the picture is too large")]
    OutOfMemory,
    #[error("the prober gave no answer")]
    NoAnswer,
    #[error("cannot run the prober")]
    Start(#[source] io::Error),
}

/// A reason why a plan did not produce its files.
#[derive(Debug, Error)]
pub enum TranscodeError {
    /// The input cannot be opened.
    #[error("cannot open the input: {0}")]
    Open(String),
    /// The input ends before it should.
    #[error("the input ends early, at {length} bytes")]
    Truncated { length: u64 },
    /// Nothing here decodes the input's codec.
    #[error("unsupported codec: {0}")]
    Codec(String),
    /// The input's content cannot be decoded.
    #[error("cannot decode the input: {0}")]
    Decode(String),
    /// Not one picture of the input can be decoded.
    #[error("no frame of the input could be decoded: {0}")]
    NoFrames(String),
    /// This build of ffmpeg lacks a filter or an encoder.
    #[error("this ffmpeg cannot do what the job needs: {0}")]
    Incapable(String),
    #[error("no space left on the disk")]
    DiskFull,
    /// The outputs take more than a job may have of the disk.
    #[error("the outputs need more than their share of the disk, {0} bytes")]
    DiskShare(u64),
    #[error("the video plays for {hours:.1} h; the limit is {limit} h")]
    TooLong { hours: f64, limit: f64 },
    #[error("the video becomes at least {pictures} pictures of {size} bytes; the limit is {limit}")]
    TooManyPictures { pictures: u64, size: u64, limit: u64 },
    #[error("the encoder ran out of memory")]
    OutOfMemory,
    #[error("the encoder took longer than {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("the encoder was killed by signal {signal}: {messages}")]
    Killed { signal: i32, messages: String },
    #[error("canceled")]
    Canceled,
    #[error("the encoder ended with {status}: {messages}")]
    Failed { status: String, messages: String },
    #[error("an output cannot be read back")]
    Unreadable(#[source] ProbeError),
    #[error("cannot start the encoder")]
    Start(#[source] io::Error),
    #[error("cannot use the work directory")]
    Files(#[source] io::Error),
}

impl ProbeError {
    /// The error of the job. `uri` is the input as the job names it.
    pub fn failure(&self, uri: &str) -> Failure {
        match self {
            Self::NotMedia(detail) => cannot_open(uri, detail),
            Self::Encrypted => cannot_open(uri, "the media is encrypted"),
            Self::NoMedia => Failure {
                code: TRUNCATED,
                message: format!(
                    "Unable to read input file [{uri}]: it is an index (moov) without its media"
                ),
            },
            Self::Truncated { length } => ends_early(*length),
            Self::OutOfMemory => Failure {
                code: LIMIT,
                message: self.to_string(),
            },
            other => Failure {
                code: INTERNAL,
                message: chain(other),
            },
        }
    }
}

impl TranscodeError {
    /// The error of the job. `uri` is the input as the job names it.
    pub fn failure(&self, uri: &str) -> Failure {
        let code = match self {
            Self::Open(detail) => return cannot_open(uri, detail),
            Self::Truncated { length } => return ends_early(*length),
            Self::Codec(_) => UNSUPPORTED_CODEC,
            Self::Decode(_) | Self::NoFrames(_) => UNDECODABLE,
            Self::Incapable(_) => BAD_SETTING,
            Self::DiskFull | Self::DiskShare(_) => DISK_FULL,
            Self::TooLong { .. } | Self::TooManyPictures { .. } => LIMIT,
            _ => INTERNAL,
        };
        Failure {
            code,
            message: chain(self),
        }
    }
}

fn ends_early(length: u64) -> Failure {
    Failure {
        code: TRUNCATED,
        message: format!(
            "Demuxer: [ReadPacketData File read failed - end of file hit at length [{length}]. Is file truncated?]"
        ),
    }
}

fn cannot_open(uri: &str, detail: &str) -> Failure {
    Failure {
        code: UNREADABLE,
        message: format!("Unable to open input file [{uri}]: [Failed probe/open: [{detail}]]"),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The last messages, joined to one line, without paths of this machine.
pub(crate) fn redacted(messages: &[u8], inputs: &[PathBuf], work: &Path) -> String {
    let text = String::from_utf8_lossy(messages);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join(" | ");
    let mut text = last;
    // The last first: the name of another may begin with that of the first.
    for input in inputs.iter().rev() {
        text = text
            .replace(&format!("file:{}", input.display()), "input")
            .replace(&*input.to_string_lossy(), "input");
    }
    let parent = inputs.first().and_then(|input| input.parent());
    for folder in [Some(work), parent]
        .into_iter()
        .flatten()
        .filter(|folder| folder.as_os_str().len() > 1)
    {
        text = text.replace(&*folder.to_string_lossy(), "[work]");
    }
    text
}

pub(crate) fn of_probe(status: ExitStatus, messages: &str) -> ProbeError {
    if messages.contains("Cannot allocate memory") {
        return ProbeError::OutOfMemory;
    }
    ProbeError::NotMedia(
        open_problem(messages).unwrap_or_else(|| format!("prober ended with {status}: {messages}")),
    )
}

pub(crate) fn of_encoder(status: ExitStatus, messages: &str) -> TranscodeError {
    let text = messages.to_owned();
    let says = |words: &[&str]| words.iter().any(|word| messages.contains(word));
    if let Some(signal) = signal(status) {
        return TranscodeError::Killed {
            signal,
            messages: text,
        };
    }
    if says(&["No space left on device", "Disk quota exceeded"]) {
        return TranscodeError::DiskFull;
    }
    if says(&["Cannot allocate memory", "malloc of size"]) {
        return TranscodeError::OutOfMemory;
    }
    if says(&[
        "No such filter",
        "Unknown encoder",
        "Unrecognized option",
        "Option not found",
    ]) {
        return TranscodeError::Incapable(text);
    }
    let no_decoder = messages.contains("Decoder (codec ") && messages.contains(") not found");
    if no_decoder || says(&["no decoder found", "Unknown decoder", "Decoding requested, but"]) {
        return TranscodeError::Codec(text);
    }
    // The filters never saw a picture.
    if says(&["Cannot determine format of input stream"]) {
        return TranscodeError::NoFrames(text);
    }
    if says(&["input: "])
        && let Some(problem) = open_problem(messages)
    {
        return TranscodeError::Open(problem);
    }
    if says(&[
        "Error while decoding",
        "Error submitting packet to decoder",
        "Conversion failed",
        "error rate",
    ]) {
        return TranscodeError::Decode(text);
    }
    TranscodeError::Failed {
        status: status.to_string(),
        messages: text,
    }
}

/// The reason why the input could not be opened, with `MediaConvert`'s message where it is known.
fn open_problem(messages: &str) -> Option<String> {
    for (found, words) in [
        ("moov atom not found", "no moov box found in file"),
        ("Format not on whitelist", "this kind of file is not accepted"),
        (
            "Protocol 'file' not on whitelist",
            "this kind of file is not accepted",
        ),
        (
            "Invalid data found when processing input",
            "this is no media file, or it is damaged",
        ),
        ("End of file", "the file is empty or ends too early"),
        ("No such file or directory", "no such file"),
    ] {
        if messages.contains(found) {
            return Some(words.to_owned());
        }
    }
    None
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal()
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "s3://vod/input/x.mp4";

    #[cfg(unix)]
    fn exit(code: i32) -> ExitStatus {
        use std::os::unix::process::ExitStatusExt as _;
        ExitStatus::from_raw(code << 8)
    }

    #[cfg(unix)]
    #[test]
    fn encoder_messages_become_codes() {
        for (messages, code) in [
            (
                "[mov] moov atom not found | input: Invalid data found when processing input",
                1010,
            ),
            ("av_interleaved_write_frame(): No space left on device", 1507),
            ("[libx264] malloc of size 3000 failed", 1999),
            ("No such filter: 'zscale'", 1040),
            ("Decoder (codec none) not found: no decoder found for: none", 1030),
            ("Decoder (codec vvc) not found for input stream #0:0", 1030),
            (
                "Cannot determine format of input stream 0:0 after EOF | Error marking filters as finished",
                1075,
            ),
            ("Error while decoding stream #0:0 | Conversion failed!", 1075),
            ("something else", 1999),
        ] {
            assert_eq!(
                of_encoder(exit(1), messages).failure(URI).code,
                code,
                "{messages}"
            );
        }
    }

    #[test]
    fn an_input_without_index_is_reported_as_mediaconvert_does() {
        let error = ProbeError::NotMedia(open_problem("[mov] moov atom not found").expect("is known"));
        let expected = "Unable to open input file [s3://vod/input/x.mp4]: [Failed probe/open: [no moov box found in file]]";
        assert_eq!(
            error.failure(URI),
            Failure {
                code: UNREADABLE,
                message: expected.to_owned()
            }
        );
    }

    #[test]
    fn messages_name_no_path_of_this_machine() {
        let messages = b"one\n\nfile:/srv/in/x.mp4: bad\n/srv/work/g0/o0.mp4: bad too\n";
        let text = redacted(messages, &["/srv/in/x.mp4".into()], Path::new("/srv/work"));
        assert_eq!(text, "one | input: bad | [work]/g0/o0.mp4: bad too");
        let many = "line\n".repeat(50);
        assert_eq!(
            redacted(many.as_bytes(), &["/a".into()], Path::new("/b"))
                .split(" | ")
                .count(),
            LINES
        );
    }
}
