//! Reads the headers in which the edge describes the viewer.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::HOST;

use vod_http::Problem;

/// The host that the viewer used, which stands in every URL and policy. The edge overwrites `x-viewer-host`, so
/// that no function needs to know its distribution.
pub(crate) fn host(headers: &HeaderMap) -> Result<String, Problem> {
    let host = headers.get("x-viewer-host").or_else(|| headers.get(HOST));
    let host = host
        .and_then(|host| host.to_str().ok())
        .map(str::to_ascii_lowercase);
    host.filter(|host| is_host(host))
        .ok_or_else(|| Problem::bad_request("the host is missing or malformed"))
}

/// A DNS name or an address, with or without a port: nothing that could break out of a policy or a URL.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let port =
        port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            (1..=253).contains(&name.len())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
        }
    };
    port && name
}

/// The viewer's address of `CloudFront-Viewer-Address`, which ends in a port (IPv6 stands without brackets).
pub(crate) fn address(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get("cloudfront-viewer-address")?.to_str().ok()?;
    let (address, _port) = value.rsplit_once(':')?;
    address.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in [
            "d111111abcdef8.cloudfront.net",
            "127.0.0.1:8080",
            "localhost",
            "[::1]:8080",
            "[::1]",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "", ":80", "a b", "a/b", "a\"b", "a:b", "a:99999", "a:+1", "*", "a?b", "[x]", "::1", "a@b", "a#b",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        for (value, expected) in [
            ("198.51.100.10:46532", Some("198.51.100.10")),
            ("2001:db8::1:46532", Some("2001:db8::1")),
            ("[2001:db8::1]:46532", Some("2001:db8::1")),
            ("198.51.100.10", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("cloudfront-viewer-address", value.parse().unwrap());
            assert_eq!(
                address(&headers),
                expected.map(|text| text.parse().unwrap()),
                "{value}"
            );
        }
    }
}
