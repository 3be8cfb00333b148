//! Times of caption files.

/// `HH:MM:SS.mmm` with the given character before the milliseconds. Hours have at least two digits.
pub(crate) fn clock(ms: u64, point: char) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!(
        "{:02}:{:02}:{seconds:02}{point}{ms:03}",
        minutes / 60,
        minutes % 60
    )
}

/// Reads `[HH:]MM:SS[.mmm]` in ms. Both `.` and `,` are taken before the fraction, of which three digits count.
pub(crate) fn read_clock(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let mut parts = whole.rsplit(':').map(|part| number(part, 4));
    let (seconds, minutes) = (parts.next()??, parts.next()??);
    let hours = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths(fraction)?)
}

/// Reads the times of a cue: `start --> end`, and the rest of the line.
pub(crate) fn read_arrow(line: &str) -> Option<(u64, u64, &str)> {
    let (start, rest) = line.split_once("-->")?;
    let rest = rest.trim_start();
    let (end, settings) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    Some((
        read_clock(start.trim())?,
        read_clock(end.trim())?,
        settings.trim(),
    ))
}

/// Reads a number of at most `digits` digits.
pub(crate) fn number(text: &str, digits: usize) -> Option<u64> {
    let fits = !text.is_empty() && text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// The digits after a decimal point in thousandths; none are 0.
pub(crate) fn thousandths(digits: &str) -> Option<u64> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded: String = digits.chars().chain("000".chars()).take(3).collect();
    padded.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_of_all_formats() {
        let table = [
            ("00:00:01,000", Some(1000)),
            ("00:01.5", Some(1500)),
            ("01:02:03.045", Some(3_723_045)),
            ("1:00:00,25", Some(3_600_250)),
            ("100:00:00.000", Some(360_000_000)),
            ("00:00:01", Some(1000)),
            ("00:00:01.0009", Some(1000)),
            ("00:60:00.000", None),
            ("00:00:61.000", None),
            ("-1:00:00.000", None),
            ("1", None),
            ("", None),
            ("00:00:00:01", None),
            ("00:00:+1.000", None),
            ("99999:00:00.000", None),
        ];
        for (text, ms) in table {
            assert_eq!(read_clock(text), ms, "{text}");
        }
        assert_eq!(clock(3_723_045, ','), "01:02:03,045");
        assert_eq!(clock(360_000_000, '.'), "100:00:00.000");
    }
}
