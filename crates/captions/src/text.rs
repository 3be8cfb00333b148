//! Bytes of a file into text.

use crate::Error;

/// The largest caption file, in bytes: 8 MiB.
pub const MAX_BYTES: usize = 8 << 20;

/// Decodes UTF-8, or UTF-16 with a byte order mark. Line ends become `\n`.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::new(1, "the file is larger than 8 MiB"));
    }
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))?,
    };
    if let Some(at) = text.find('\0') {
        return Err(Error::new(
            line_of(&text[..at]),
            "a zero byte: this is no text file",
        ));
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn utf8(bytes: &[u8]) -> Result<String, Error> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        Error::new(
            line_of(&before),
            "the text is not UTF-8. Save the file with the encoding UTF-8, and upload it again",
        )
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    match String::from_utf16(&units) {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(Error::new(
            1,
            "the text begins as UTF-16, and is not. Save the file with the encoding UTF-8",
        )),
    }
}

fn line_of(before: &str) -> usize {
    before.matches('\n').count() + 1
}
