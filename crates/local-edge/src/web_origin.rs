//! The origin of a web page, in the form that browsers send it.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// A web origin (RFC 6454 section 6.2): `https://example.org`, `http://localhost:3000`. Lower case, without a default port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// The text is not `http://host[:port]` or `https://host[:port]`.
#[derive(Debug, thiserror::Error)]
#[error("not an origin of the form https://host or http://host:port: `{0}`")]
pub struct NotAnOrigin(String);

impl WebOrigin {
    /// The text that is compared with an `Origin` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WebOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let bad = || NotAnOrigin(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(bad());
        };
        let path = uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let host = authority.host();
        if host.is_empty() || !matches!(path, "" | "/") || !authority.as_str().bytes().all(plain) {
            return Err(bad());
        }
        let port = match (authority.port_u16(), scheme) {
            (Some(80), "http") | (Some(443), "https") => String::new(),
            (Some(port), _) => format!(":{port}"),
            (None, _) if authority.as_str() == host => String::new(),
            // A port that is not a number up to 65535.
            (None, _) => return Err(bad()),
        };
        Ok(Self(format!("{scheme}://{}{port}", host.to_ascii_lowercase())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for (text, expected) in [
            ("https://example.org", Some("https://example.org")),
            ("HTTPS://Example.ORG/", Some("https://example.org")),
            ("https://example.org:443", Some("https://example.org")),
            ("http://example.org:80", Some("http://example.org")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("https://example.org:80", Some("https://example.org:80")),
            ("example.org", None),
            ("https://", None),
            ("https://example.org/app", None),
            ("https://example.org?x", None),
            ("https://user@example.org", None),
            ("https://*.example.org", None),
            ("https://example.org:99999", None),
            ("ftp://example.org", None),
            ("null", None),
            ("*", None),
            ("", None),
        ] {
            let origin = text.parse::<WebOrigin>().ok();
            assert_eq!(origin.as_ref().map(WebOrigin::as_str), expected, "{text}");
        }
    }
}
