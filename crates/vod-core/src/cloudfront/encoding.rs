//! CloudFront's own base64: the standard alphabet and padding, then `+` `=` `/` become `-` `_` `~`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A text that is not CloudFront's base64.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not base64 in the alphabet of CloudFront")]
pub struct NotEncoded;

/// Encodes `bytes` for a query parameter or a cookie.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = STANDARD.encode(bytes).into_bytes();
    for byte in &mut text {
        *byte = match *byte {
            b'+' => b'-',
            b'=' => b'_',
            b'/' => b'~',
            other => other,
        };
    }
    // The standard alphabet is ASCII, and so are its three stand-ins.
    String::from_utf8(text).unwrap_or_default()
}

/// Decodes what [`encode`] made. The standard alphabet's own `+`, `=` and `/` are refused.
pub fn decode(text: &str) -> Result<Vec<u8>, NotEncoded> {
    let mut standard = text.as_bytes().to_vec();
    for byte in &mut standard {
        *byte = match *byte {
            b'-' => b'+',
            b'_' => b'=',
            b'~' => b'/',
            b'+' | b'=' | b'/' => return Err(NotEncoded),
            other => other,
        };
    }
    STANDARD.decode(standard).map_err(|_| NotEncoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_characters_are_replaced() {
        assert_eq!(encode(&[0xfb, 0xef, 0xff, 0xfe]), "--~~~g__");
        assert_eq!(decode("--~~~g__"), Ok(vec![0xfb, 0xef, 0xff, 0xfe]));
    }

    #[test]
    fn other_alphabets_and_bad_lengths_are_refused() {
        for bad in ["++//", "YQ==", "YQ", "Y", "a b_", "YQ__YQ__", "Y\u{e9}__"] {
            assert_eq!(decode(bad), Err(NotEncoded), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
        }
    }
}
