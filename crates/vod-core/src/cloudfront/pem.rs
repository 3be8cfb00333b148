//! PEM blocks, as `openssl` writes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key_error::KeyError;

/// The first block that is not `EC PARAMETERS` (which `openssl ecparam -genkey` puts before the key): its
/// label and its bytes.
pub(super) fn decode(text: &str) -> Result<(&str, Vec<u8>), KeyError> {
    let mut rest = text;
    loop {
        let (label, body, after) = block(rest).ok_or(KeyError::NotPem)?;
        if label == "EC PARAMETERS" {
            rest = after;
            continue;
        }
        if body.contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let body: String = body.split_ascii_whitespace().collect();
        return Ok((label, STANDARD.decode(body).map_err(|_| KeyError::NotPem)?));
    }
}

fn block(text: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    Some((label, body, rest.strip_prefix(label)?.strip_prefix("-----")?))
}
