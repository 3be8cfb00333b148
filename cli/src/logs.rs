//! Writes log lines to standard error. Control characters are escaped, because uploaders choose the file names in them.

use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{FormatFields, Writer, debug_fn};

/// Starts logging to standard error, with the levels of `VOD_LOG` (`debug`, `local_s3=trace`), or of `default`.
pub(crate) fn init(default: &str) {
    let filter = EnvFilter::try_from_env("VOD_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .fmt_fields(fields())
        .init();
}

/// Fields as `name=value`, with control characters escaped.
fn fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    debug_fn(|writer: &mut Writer<'_>, field, value: &dyn fmt::Debug| {
        if field.name() != "message" {
            write!(writer, "{}=", field.name())?;
        }
        write!(Escaped(writer), "{value:?}")
    })
    .delimited(" ")
}

/// Writes text with its control characters as `\n` or `\u{1b}`.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(is_obeyed) {
            let mut characters = piece.chars();
            match characters.next_back() {
                Some(last) if is_obeyed(last) => {
                    write!(self.0, "{}{}", characters.as_str(), last.escape_default())?;
                }
                _ => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
}

/// Whether a character is a control character, a line end, or changes the direction of text.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_uploader_does_not_write_to_the_terminal() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .fmt_fields(fields())
            .finish();
        let key = "input/\u{1b}]0;owned\u{7}\r\n2026-11-28 ERROR forged \u{9b}31m\u{202e}4pm.é.mp4";
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("submit", %key, plain = 1);
            span.in_scope(|| tracing::warn!(%key, text = key, error = ?key, "probe failed for {key}"));
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(
            text.ends_with('\n') && !text.trim_end().contains(is_obeyed),
            "{text:?}"
        );
        assert_eq!(text.matches("owned").count(), 5, "{text}");
        assert!(
            text.contains(r"input/\u{1b}]0;owned\u{7}\r\n2026-11-28 ERROR"),
            "{text}"
        );
        assert!(text.contains(".é.mp4") && text.contains("plain=1"), "{text}");
    }
}
