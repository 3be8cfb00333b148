//! From the path of a URL to the key of an object, once and without ambiguity.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What a key keeps as it is in a path: the unreserved characters and `/`, as SigV4 has it for S3.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// The key that `path` names, decoded once. `None` for what climbs (`..`), could mean two things (`//`, `.`,
/// backslashes, encoded slashes, control characters) or is not UTF-8.
pub(super) fn key(path: &str) -> Option<String> {
    let lower = path.to_ascii_lowercase();
    if lower.contains("%2f") || lower.contains("%5c") || !is_encoded_well(path) {
        return None;
    }
    let key = percent_decode_str(path.strip_prefix('/')?)
        .decode_utf8()
        .ok()?
        .into_owned();
    let bad = |segment: &str| segment == "." || segment == "..";
    if key.starts_with('/') || key.contains("//") || key.split('/').any(bad) {
        return None;
    }
    (!key.contains(|c: char| c == '\\' || c.is_control())).then_some(key)
}

/// Every `%` is followed by two hex digits.
fn is_encoded_well(path: &str) -> bool {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = path.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(at, _)| hex(bytes.get(at + 1)) && hex(bytes.get(at + 2)))
}

/// The path of a key in a URL.
pub(super) fn encode(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_paths() {
        for (path, expected) in [
            ("/", Some("")),
            ("/output/a/b.ts", Some("output/a/b.ts")),
            ("/output/a%20b+c.ts", Some("output/a b+c.ts")),
            ("/output/%ED%95%9C.ts", Some("output/\u{d55c}.ts")),
            ("/output/a/", Some("output/a/")),
            ("/output/a%252e%252e", Some("output/a%2e%2e")),
            ("/output/..a/...", Some("output/..a/...")),
            ("/output/../input/a", None),
            ("/output/%2e%2e/input/a", None),
            ("/output/%2E./input/a", None),
            ("/output/./a", None),
            ("/output/..%2finput/a", None),
            ("/output/a%5c..%5cb", None),
            ("/output/a\\b", None),
            ("/output//a", None),
            ("//output/a", None),
            ("/output/a%00", None),
            ("/output/a%0a", None),
            ("/output/a%", None),
            ("/output/a%g0", None),
            ("/output/a%ff", None),
            ("output/a", None),
            ("", None),
        ] {
            assert_eq!(key(path).as_deref(), expected, "{path}");
        }
        assert_eq!(
            encode("output/a b+c%\u{d55c}.ts"),
            "output/a%20b%2Bc%25%ED%95%9C.ts"
        );
    }
}
