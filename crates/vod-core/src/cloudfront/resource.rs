//! Decides whether the `Resource` of a policy covers a URL.
//!
//! CloudFront splits both into protocol, domain, path and query, and a wildcard stays inside its section, but
//! for a `*` at the very end, which covers all that follows. `*` is any number of characters, `?` exactly one,
//! and `\?` is the question mark that begins the query. A pattern may begin with `*` and omit the protocol.

use super::verify::Request;

/// Whether `pattern` covers the URL of a request, whose query is without CloudFront's own parameters.
pub(super) fn covers(pattern: &str, url: &Request<'_>) -> bool {
    let Some((scheme, rest)) = split_scheme(pattern) else {
        return false;
    };
    if !glob(&tokens(scheme), url.scheme.as_bytes(), None) {
        return false;
    }
    let (domain, path) = match rest.find(['/', '\\']) {
        Some(slash) => rest.split_at(slash),
        None if rest.ends_with('*') => return glob(&tokens(rest), url.host.as_bytes(), None),
        None => (rest, "/"),
    };
    let mut subject = url.path.to_owned();
    let boundary = (!url.query.is_empty()).then_some(subject.len());
    if boundary.is_some() {
        subject.push('?');
        subject.push_str(url.query);
    }
    glob(&tokens(domain), url.host.as_bytes(), None) && glob(&tokens(path), subject.as_bytes(), boundary)
}

fn split_scheme(pattern: &str) -> Option<(&str, &str)> {
    match pattern.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '\\']) => Some((scheme, rest)),
        _ if pattern.starts_with('*') => Some(("*", pattern)),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Many,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.bytes().peekable();
    while let Some(byte) = bytes.next() {
        tokens.push(match byte {
            b'*' => Token::Many,
            b'?' => Token::One,
            b'\\' if bytes.next_if_eq(&b'?').is_some() => Token::Byte(b'?'),
            other => Token::Byte(other),
        });
    }
    tokens
}

/// Matches the whole of `subject`. No `*` but the last token may take the byte at `boundary`.
///
/// All states at once rather than with backtracking: at most `tokens` times `subject` steps, whatever the
/// pattern. URLs are ASCII, so a byte is a character.
fn glob(tokens: &[Token], subject: &[u8], boundary: Option<usize>) -> bool {
    let plain = tokens
        .iter()
        .zip(subject)
        .take_while(|(token, byte)| **token == Token::Byte(**byte))
        .count();
    let (tokens, subject) = (&tokens[plain..], &subject[plain..]);
    let boundary = boundary.and_then(|at| at.checked_sub(plain));
    if tokens == [Token::Many] {
        return true;
    }

    let mut states = vec![false; tokens.len() + 1];
    states[0] = true;
    enter_stars(tokens, &mut states);
    for (at, byte) in subject.iter().enumerate() {
        let mut next = vec![false; states.len()];
        for (index, token) in tokens.iter().enumerate().filter(|(index, _)| states[*index]) {
            match token {
                Token::Byte(expected) => next[index + 1] |= expected == byte,
                Token::One => next[index + 1] = true,
                Token::Many => next[index] |= boundary != Some(at) || index + 1 == tokens.len(),
            }
        }
        enter_stars(tokens, &mut next);
        states = next;
    }
    states[tokens.len()]
}

/// A `*` may match nothing: a state before one is also a state after it.
fn enter_stars(tokens: &[Token], states: &mut [bool]) {
    for (index, token) in tokens.iter().enumerate() {
        states[index + 1] |= states[index] && *token == Token::Many;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> Request<'_> {
        crate::cloudfront::tests::vectors::request(text, "", "", 0)
    }

    #[test]
    fn a_resource_covers_matching_urls() {
        for (pattern, text) in [
            ("*", "https://e.com/a/b?c=d"),
            ("https://e.com/a.mp4", "https://e.com/a.mp4"),
            ("https://e.com/v/*", "https://e.com/v/a/b/c.ts"),
            ("https://e.com/v/*", "https://e.com/v/"),
            ("https://e.com/v/*", "https://e.com/v/a.ts?size=1"),
            ("https://e.com/hello*", "https://e.com/hello/world?x=y"),
            (
                "https://e.com/*game_download.zip*",
                "https://e.com/a/b/game_download.zip?license=yes",
            ),
            ("https://e.com/a?.ts", "https://e.com/a1.ts"),
            ("https://e.com/a.mp4?x=1", "https://e.com/a.mp4?x=1"),
            (r"https://e.com/a.mp4\?x=1", "https://e.com/a.mp4?x=1"),
            (r"https://e.com/a*\?x=*", "https://e.com/a/b/c?x=1&y=2"),
            (r"https://e.com/a\?x=?", "https://e.com/a?x=1"),
            ("*://e.com/a", "http://e.com/a"),
            ("http*://e.com/a", "http://e.com/a"),
            ("http*://e.com/a", "https://e.com/a"),
            ("https://*.e.com/a", "https://cdn.e.com/a"),
            ("https://*", "https://cdn.e.com/a?b"),
            ("https://e*", "https://e.com/a?b"),
            ("*example.com", "https://example.com/"),
            ("*example.com/v/*", "https://www.example.com/v/1"),
            (
                "http://127.0.0.1:8080/output/x/*",
                "http://127.0.0.1:8080/output/x/y",
            ),
            ("https://e.com/a*?*b", "https://e.com/axx?yyb"),
        ] {
            assert!(covers(pattern, &url(text)), "{pattern} should cover {text}");
        }
    }

    #[test]
    fn a_resource_does_not_cover_other_urls() {
        for (pattern, text) in [
            ("https://e.com/a.mp4", "http://e.com/a.mp4"),
            ("https://e.com/a.mp4", "https://f.com/a.mp4"),
            ("https://e.com/a.mp4", "https://e.com/a.mp4?x=1"),
            ("https://e.com/a.mp4", "https://e.com/a.mp44"),
            ("https://e.com/v/*", "https://e.com/w/a"),
            ("https://e.com/v/*", "https://e.com/v"),
            ("https://e.com/*.ts", "https://e.com/a.mp4?b=.ts"),
            ("https://e.com/*x=1", "https://e.com/a?x=1"),
            (r"https://e.com/a\?x=1", "https://e.com/abx=1"),
            (r"https://e.com/a\?x=1", "https://e.com/a?x=2"),
            ("https://e.com/a?.ts", "https://e.com/a.ts"),
            ("https://*.com/a", "https://e.com/b/f.com/a"),
            ("https://*/a", "https://e.com/b/a"),
            ("*example.com", "https://example.com/a"),
            ("*://example.com", "https://example.com/a"),
            ("https://e.com", "https://e.com/a"),
            ("e.com/a", "https://e.com/a"),
            ("", "https://e.com/"),
            ("ftp://e.com/a", "https://e.com/a"),
            ("*e.com/v/*", "https://x.org/?u=e.com/v/1"),
            ("https://e.com/V/*", "https://e.com/v/1"),
        ] {
            assert!(!covers(pattern, &url(text)), "{pattern} should not cover {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_in_time() {
        let pattern = format!("https://e.com/{}b", "*a".repeat(500));
        let path = format!("https://e.com/{}", "a".repeat(8_000));
        assert!(!covers(&pattern, &url(&path)));
    }

    proptest! {
        #[test]
        fn a_url_covers_itself_and_its_folder(path in "/[a-c/]{0,8}", query in "[a-c=&]{0,6}") {
            let text = format!("https://e.com{path}{}{query}", if query.is_empty() { "" } else { "?" });
            let url = url(&text);
            let own = if query.is_empty() { path.clone() } else { format!(r"{path}\?{query}") };
            let own = format!("https://e.com{own}");
            prop_assert!(covers(&own, &url));
            let folder = format!("https://e.com{}*", &path[..=path.rfind('/').unwrap()]);
            prop_assert!(covers(&folder, &url));
            let longer = format!("{own}x");
            prop_assert!(!covers(&longer, &url));
        }
    }
}
