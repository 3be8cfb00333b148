//! What goes to the terminal: results to standard output, everything else to standard error.

use std::error::Error;
use std::io::{IsTerminal, Write};

use anyhow::{Context, anyhow};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_smithy_runtime_api::http::Response;
use serde::Serialize;

use crate::aws::{AwsError, Refusal};
use crate::wire::root;

/// Writes one line of a result.
///
/// A reader that has gone (`vod ls | head -1`) ends the command in peace, as it does for other tools.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.context("could not write the result"),
    }
}

/// Writes a value as JSON: indented for people, in one line for pipes.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = if std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    line(&text.context("could not write JSON")?)
}

/// Tells the user something that is not the result.
pub(crate) fn note(text: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes rows under their headings, each column as wide as its widest cell.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    for row in layout(headings, rows) {
        line(&row)?;
    }
    Ok(())
}

fn layout<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let format = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}", width = *width));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let body = rows
        .iter()
        .map(|row| format(std::array::from_fn(|i| row[i].as_str())));
    std::iter::once(format(headings)).chain(body).collect()
}

/// Text that others wrote (file names, messages of ffmpeg), safe to show: a terminal obeys control characters.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// An SDK error for people, like those of our own calls; `permission` is what such a call needs on AWS.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
pub(crate) fn sdk<E: SdkFailure>(
    what: &str,
    permission: &str,
    error: SdkError<E, Response>,
) -> anyhow::Error {
    match refusal(what, permission, &error) {
        Some(refusal) => anyhow::Error::new(refusal),
        None => anyhow!("{what}: {}", plain(&root(&error))),
    }
}

/// What the SDK's errors of single operations have in common.
pub(crate) trait SdkFailure: ProvideErrorMetadata + Error + Send + Sync + 'static {}
impl<E: ProvideErrorMetadata + Error + Send + Sync + 'static> SdkFailure for E {}

/// What AWS says in an SDK error, if it was AWS that failed the call.
fn refusal<E: SdkFailure>(what: &str, permission: &str, error: &SdkError<E, Response>) -> Option<AwsError> {
    let status = error.raw_response()?.status().as_u16();
    // An answer that cannot be read is none, whatever its status.
    if status < 300 || error.as_service_error().is_none() {
        return None;
    }
    let text = |word: Option<&str>| word.unwrap_or_default().to_owned();
    Some(AwsError::Refused(Box::new(Refusal {
        what: what.to_owned(),
        permission: permission.to_owned(),
        status,
        code: text(error.code()),
        message: text(error.message()),
    })))
}

/// An error with its causes, in one line. What our other crates pass on of the SDK is said in plain words.
pub(crate) fn error(error: &anyhow::Error) -> String {
    let mut told = Vec::new();
    for cause in error.chain() {
        if let Some(refusal) = s3(cause) {
            told.push(refusal.to_string());
            break;
        }
        told.push(cause.to_string());
    }
    told.join(": ")
}

/// The refusal in an error of S3, by the operations that those crates use.
fn s3(cause: &(dyn Error + 'static)) -> Option<AwsError> {
    fn of<E: SdkFailure>(cause: &(dyn Error + 'static), permission: &str) -> Option<AwsError> {
        refusal("S3", permission, cause.downcast_ref::<SdkError<E, Response>>()?)
    }
    of::<GetObjectError>(cause, "s3:GetObject")
        .or_else(|| of::<HeadObjectError>(cause, "s3:GetObject"))
        .or_else(|| of::<PutObjectError>(cause, "s3:PutObject"))
        .or_else(|| of::<ListObjectsV2Error>(cause, "s3:ListBucket"))
}

/// A size for people, in binary units.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A duration for people: `7.0 s`, `1:02:03`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_their_widest_cell() {
        let rows = [
            ["a".to_owned(), "한국".to_owned()],
            ["long cell".to_owned(), String::new()],
        ];
        assert_eq!(
            layout(["ASSET", "TITLE"], &rows),
            ["ASSET      TITLE", "a          한국", "long cell"]
        );
    }

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (1 << 40, "1.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn durations() {
        for (ms, text) in [
            (0, "0.0 s"),
            (6_999, "6.9 s"),
            (60_000, "1:00"),
            (3_723_000, "1:02:03"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn control_characters_cannot_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
