//! Writes to the terminal: results to standard output, everything else to standard error.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Writes one line of a result.
///
/// If the reader has gone (`vod ls | head -1`), the command ends without an error, like other tools.
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

/// The exit code of a command that has found whether all is well.
pub(crate) fn exit_code(is_well: bool) -> ExitCode {
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints a message that is not part of the result.
pub(crate) fn note(text: &str) {
    // There is no way to report that standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Spaces between two columns.
pub(crate) const GAP: usize = 2;

/// Writes rows under their headings, each column as wide as its widest cell.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    for row in layout(headings, rows) {
        line(&row)?;
    }
    Ok(())
}

fn layout<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.chain([headings[column].width()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let format = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        padded
            .collect::<Vec<_>>()
            .join(&" ".repeat(GAP))
            .trim_end()
            .to_owned()
    };
    let body = rows
        .iter()
        .map(|row| format(std::array::from_fn(|i| row[i].as_str())));
    std::iter::once(format(headings)).chain(body).collect()
}

/// Makes text of unknown origin (file names, messages of ffmpeg) safe to show, by replacing control characters.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// The beginning of a text that takes at most so many columns, with `…` if something was cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let rest = left.checked_sub(c.width().unwrap_or(0));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// A word of a command for pasting into a shell, quoted if necessary.
pub(crate) fn pasted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", plain(word).replace('\'', r"'\''"))
}

/// Waits for Ctrl-C, or for SIGTERM, which process managers send.
pub(crate) async fn interrupted() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
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

/// A duration for people: `7.0 s`, `1:02:03`. Never rounded up, as on the page: a film of 59.99 s has no minute.
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
            ["한국".to_owned(), "b".to_owned()],
            ["long cell".to_owned(), String::new()],
        ];
        // Each of the two characters is as wide as two others.
        assert_eq!(
            layout(["ASSET", "TITLE"], &rows),
            ["ASSET      TITLE", "한국       b", "long cell"]
        );
    }

    #[test]
    fn long_text_is_cut_to_columns() {
        for (text, columns, expected) in [
            ("film", 4, "film"),
            ("films", 4, "fil…"),
            ("한국", 4, "한국"),
            ("한국 여행", 4, "한…"),
            ("film", 0, "…"),
        ] {
            assert_eq!(cut(text, columns), expected);
        }
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
            (59_999, "59.9 s"),
            (60_000, "1:00"),
            (3_723_000, "1:02:03"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn words_survive_a_shell() {
        for (word, expected) in [
            ("input/film-1.mp4", "input/film-1.mp4"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(pasted(word), expected);
        }
    }

    #[test]
    fn control_characters_cannot_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
