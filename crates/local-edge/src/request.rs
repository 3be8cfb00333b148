//! The facts that the edge knows about a viewer.

use std::net::SocketAddr;
use std::str::FromStr;

use axum::extract::ConnectInfo;
use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// The URL by which viewers reach the edge through a proxy: scheme and host, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: String,
    host: String,
}

impl PublicUrl {
    /// Its host, in lower case, with its port if it names one.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// Not `http://host[:port]` or `https://host[:port]`.
#[derive(Debug, thiserror::Error)]
#[error("not a url of the form https://host or http://host:port: `{0}`")]
pub struct NotAUrl(String);

impl FromStr for PublicUrl {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        let bad = || NotAUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        match (uri.scheme_str(), uri.authority(), uri.path_and_query()) {
            (Some(scheme @ ("http" | "https")), Some(host), path)
                if !host.as_str().contains('@') && path.is_none_or(|path| path == "/") =>
            {
                Ok(Self {
                    scheme: scheme.to_owned(),
                    host: host.as_str().to_ascii_lowercase(),
                })
            }
            _ => Err(bad()),
        }
    }
}

/// Where a request came from, and under which name it found us.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) scheme: String,
    /// In lower case, with its port if the viewer named one.
    pub(super) host: String,
    pub(super) address: Option<SocketAddr>,
}

impl Viewer {
    /// `None` if the request has no usable host.
    pub(super) fn of(request: &Parts, public: Option<&PublicUrl>) -> Option<Self> {
        let address = request
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0);
        if let Some(PublicUrl { scheme, host }) = public.cloned() {
            return Some(Self {
                scheme,
                host,
                address,
            });
        }
        // The host of an absolute-form target comes before the header (RFC 9112 section 3.2.2).
        let target = request.uri.authority().map(Authority::as_str);
        let mut hosts = request.headers.get_all(HOST).iter();
        let host = match (target, hosts.next(), hosts.next()) {
            (_, _, Some(_)) => return None,
            (Some(target), ..) => target,
            (None, host, None) => host?.to_str().ok()?,
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        let fine = !host.is_empty() && host.len() <= 255 && host.bytes().all(plain);
        fine.then(|| Self {
            scheme: "http".to_owned(),
            host: host.to_ascii_lowercase(),
            address,
        })
    }
}

/// All cookies of a request: HTTP allows them in several headers.
pub(super) fn cookies(headers: &HeaderMap) -> String {
    let values = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls() {
        for (text, expected) in [
            ("https://video.example.org", Some(("https", "video.example.org"))),
            (
                "http://Video.Example.org:8080/",
                Some(("http", "video.example.org:8080")),
            ),
            ("video.example.org", None),
            ("ftp://video.example.org", None),
            ("https://video.example.org/vod", None),
            ("https://user@video.example.org", None),
            ("", None),
        ] {
            let url = text.parse::<PublicUrl>().ok();
            assert_eq!(
                url.as_ref().map(|url| (url.scheme.as_str(), url.host.as_str())),
                expected,
                "{text}"
            );
        }
    }
}
