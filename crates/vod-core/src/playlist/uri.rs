//! Resolves a URI against the key of its playlist, as browsers do (WHATWG URL).
//!
//! `%2e` is a dot in a `..` segment and a backslash is a slash. A URI that can be read in two ways is refused.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Characters that are percent-encoded in a path; non-ASCII characters are always encoded.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'^')
    .add(b'|');

/// The same for a key, in which `%` is a character like any other.
const KEY: &AsciiSet = &PATH.add(b'%').add(b'\\');

/// The target of a URI.
pub(super) enum Target<'a> {
    /// Another host, or none (`data:`).
    Foreign,
    /// An object of the same asset.
    Own {
        /// Percent-encoded, from `output/` on.
        path: String,
        query: Option<&'a str>,
        fragment: Option<&'a str>,
    },
}

/// The folder of a playlist, and that of its asset.
pub(super) struct Base {
    /// `output/<asset>/…/`, percent-encoded.
    folder: String,
    /// Bytes of `output/<asset>/`.
    asset: usize,
}

impl Base {
    /// The base of the playlist at `key`; `None` if that is not `output/<asset>/<file>`.
    pub(super) fn of(key: &str) -> Option<Self> {
        let folder = &key[..=key.rfind('/')?];
        let asset = folder
            .strip_prefix("output/")?
            .find('/')
            .filter(|length| *length > 0)?;
        let folder = utf8_percent_encode(folder, KEY).to_string();
        // Asset ids are ASCII without anything to encode, so the length is that of the key.
        let asset = "output/".len() + asset + 1;
        (!folder.contains("//") && folder.as_bytes().get(asset - 1) == Some(&b'/'))
            .then_some(Self { folder, asset })
    }

    /// Resolves `uri`; `None` if it is outside the asset's folder.
    pub(super) fn resolve<'a>(&self, uri: &'a str) -> Option<Target<'a>> {
        if uri.starts_with("//") || has_scheme(uri) {
            return Some(Target::Foreign);
        }
        if uri.contains(|c: char| c == '\\' || c.is_control()) {
            return None;
        }
        let (rest, fragment) = cut(uri, '#');
        let (path, query) = cut(rest, '?');
        let path = self.join(path)?;
        path.starts_with(&self.folder[..self.asset])
            .then_some(Target::Own {
                path,
                query,
                fragment,
            })
    }

    fn join(&self, relative: &str) -> Option<String> {
        let (mut joined, relative) = match relative.strip_prefix('/') {
            Some(absolute) => (String::new(), absolute),
            None => (self.folder.clone(), relative),
        };
        let mut segments = relative.split('/').peekable();
        while let Some(segment) = segments.next() {
            let lower = segment.to_ascii_lowercase();
            match lower.replace("%2e", ".").as_str() {
                "" | "." if segments.peek().is_none() => {}
                "." => {}
                ".." => {
                    joined.truncate(joined.strip_suffix('/')?.rfind('/').map_or(0, |slash| slash + 1));
                }
                "" => return None,
                _ if ["%2f", "%5c", "%00"].iter().any(|hidden| lower.contains(hidden)) => return None,
                _ => {
                    joined.extend(utf8_percent_encode(segment, PATH));
                    if segments.peek().is_some() {
                        joined.push('/');
                    }
                }
            }
        }
        Some(joined)
    }
}

/// Whether `path` ends in `suffix`, in any case.
pub(super) fn has_suffix(path: &str, suffix: &str) -> bool {
    path.len() > suffix.len()
        && path.as_bytes()[path.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
}

pub(super) fn has_scheme(uri: &str) -> bool {
    let Some((scheme, _)) = uri.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}
