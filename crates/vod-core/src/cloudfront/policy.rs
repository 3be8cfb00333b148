//! Policies: writes the byte-exact strings that are signed, and parses policies that others wrote.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// The last second that CloudFront takes in a policy (19 January 2038). A value above it, such as a time in
/// milliseconds, makes the policy malformed.
pub const LATEST_EPOCH: i64 = 2_147_483_647;

/// A policy that CloudFront would call malformed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Not the JSON of a policy with one statement.
    #[error("not a policy: {0}")]
    Shape(String),
    /// A time outside `0..=LATEST_EPOCH`.
    #[error("time out of range (seconds since the epoch are expected): {0}")]
    Time(i64),
    /// `AWS:SourceIp` is no IPv4 address or range.
    #[error("not an ipv4 address or range: `{0}`")]
    Network(String),
}

/// The policy string of a URL signed with `Expires`: CloudFront rebuilds it from the request, so every byte
/// and the order of the keys count, and the URL cannot hold wildcards.
pub fn canned(url: &str, expires: i64) -> String {
    Policy {
        resource: Some(url.to_owned()),
        expires,
        not_before: None,
        source: None,
    }
    .to_json()
}

/// A custom policy: what may be fetched, until when, and optionally from when and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// URL with wildcards; `None` is everything that the key's distributions serve.
    pub resource: Option<String>,
    /// First second, since the epoch, at which access ends (`DateLessThan`).
    pub expires: i64,
    /// First second at which access begins (`DateGreaterThan`).
    pub not_before: Option<i64>,
    /// The viewers' addresses (`IpAddress`).
    pub source: Option<Network>,
}

impl Policy {
    /// The JSON that is signed and sent: no white space, and the order of keys that botocore uses.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(192);
        json.push_str(r#"{"Statement":[{"#);
        if let Some(resource) = &self.resource {
            let _ = write!(
                json,
                r#""Resource":{},"#,
                serde_json::Value::from(resource.as_str())
            );
        }
        let _ = write!(
            json,
            r#""Condition":{{"DateLessThan":{{"AWS:EpochTime":{}}}"#,
            self.expires
        );
        if let Some(source) = &self.source {
            let _ = write!(json, r#","IpAddress":{{"AWS:SourceIp":"{source}"}}"#);
        }
        if let Some(not_before) = self.not_before {
            let _ = write!(json, r#","DateGreaterThan":{{"AWS:EpochTime":{not_before}}}"#);
        }
        json.push_str("}}]}");
        json
    }

    /// Reads a policy. Whatever it holds that is not understood makes it malformed: to ignore a condition
    /// would be to grant more than was signed.
    pub fn parse(json: &[u8]) -> Result<Self, PolicyError> {
        let document: Document =
            serde_json::from_slice(json).map_err(|error| PolicyError::Shape(error.to_string()))?;
        let Statements(statement) = document.statement;
        let condition = statement.condition;
        Ok(Self {
            resource: statement.resource,
            expires: condition.date_less_than.checked()?,
            not_before: condition.date_greater_than.map(EpochTime::checked).transpose()?,
            source: condition
                .ip_address
                .map(|address| address.source_ip.parse())
                .transpose()?,
        })
    }
}

/// One IPv4 address or a range of them. CloudFront's policies know no IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: Ipv4Addr,
    prefix: u8,
}

impl Network {
    /// Whether the network holds `address`; an IPv6 address is in none, unless it wraps an IPv4 address.
    pub fn contains(self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address.to_canonical() else {
            return false;
        };
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
        (address.to_bits() ^ self.address.to_bits()) & mask == 0
    }
}

impl From<Ipv4Addr> for Network {
    fn from(address: Ipv4Addr) -> Self {
        Self { address, prefix: 32 }
    }
}

impl FromStr for Network {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let bad = || PolicyError::Network(text.to_owned());
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let digits = !prefix.is_empty() && prefix.len() <= 2 && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix = prefix
            .parse()
            .ok()
            .filter(|prefix| digits && *prefix <= 32)
            .ok_or_else(bad)?;
        Ok(Self {
            address: address.parse().map_err(|_| bad())?,
            prefix,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "Statement")]
    statement: Statements,
}

/// The documentation shows both the object and the array of one. By hand, because serde's untagged enums read all
/// twice, and each verification parses a policy.
struct Statements(Statement);

impl<'de> Deserialize<'de> for Statements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneStatement).map(Self)
    }
}

struct OneStatement;

impl<'de> Visitor<'de> for OneStatement {
    type Value = Statement;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("one statement")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Statement, A::Error> {
        Statement::deserialize(MapAccessDeserializer::new(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Statement, A::Error> {
        <[Statement; 1]>::deserialize(SeqAccessDeserializer::new(list)).map(|[statement]| statement)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Statement {
    resource: Option<String>,
    condition: Condition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Condition {
    date_less_than: EpochTime,
    date_greater_than: Option<EpochTime>,
    ip_address: Option<IpAddress>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochTime {
    #[serde(rename = "AWS:EpochTime")]
    seconds: i64,
}

impl EpochTime {
    fn checked(self) -> Result<i64, PolicyError> {
        match self.seconds {
            seconds @ 0..=LATEST_EPOCH => Ok(seconds),
            seconds => Err(PolicyError::Time(seconds)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IpAddress {
    #[serde(rename = "AWS:SourceIp")]
    source_ip: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_strings_are_exact() {
        assert_eq!(
            canned(
                "https://d111111abcdef8.cloudfront.net/a.mp4?x=1&y=/",
                1_767_290_400
            ),
            r#"{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/a.mp4?x=1&y=/","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}"#
        );
        let policy = Policy {
            resource: Some(r"https://d111111abcdef8.cloudfront.net/v/*\?x=1".to_owned()),
            expires: 1_767_290_400,
            not_before: Some(1_767_286_800),
            source: "192.0.2.0/24".parse().ok(),
        };
        assert_eq!(
            policy.to_json(),
            r#"{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/v/*\\?x=1","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"},"DateGreaterThan":{"AWS:EpochTime":1767286800}}}]}"#
        );
        assert_eq!(Policy::parse(policy.to_json().as_bytes()), Ok(policy));
    }

    #[test]
    fn policies_of_other_writers_are_understood() {
        let object = br#"{ "Statement": {"Condition":{"IpAddress":{"AWS:SourceIp":"203.0.113.7"},"DateLessThan":{"AWS:EpochTime":5}}} }"#;
        let expected = Policy {
            resource: None,
            expires: 5,
            not_before: None,
            source: "203.0.113.7/32".parse().ok(),
        };
        assert_eq!(Policy::parse(object), Ok(expected));
    }

    #[test]
    fn an_unknown_policy_is_malformed() {
        let with =
            |condition: &str| format!(r#"{{"Statement":[{{"Resource":"*","Condition":{condition}}}]}}"#);
        let fine = with(r#"{"DateLessThan":{"AWS:EpochTime":2147483647}}"#);
        assert!(Policy::parse(fine.as_bytes()).is_ok());
        for bad in [
            with(r#"{"DateLessThan":{"AWS:EpochTime":1767290400000}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":2147483648}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":-1}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":"1767290400"}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":1767290400.5}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":5},"DateGreaterThan":{"AWS:EpochTime":9999999999}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":5},"Country":{"AWS:Is":"NZ"}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":5},"IpAddress":{"AWS:SourceIp":"2001:db8::/32"}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":5},"IpAddress":{"AWS:SourceIp":"192.0.2.1/33"}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":5},"IpAddress":{"AWS:SourceIp":"192.0.2.1/+8"}}"#),
            with(r#"{"DateLessThan":{"AWS:EpochTime":5},"DateLessThan":{"AWS:EpochTime":6}}"#),
            with("{}"),
            r#"{"Statement":[]}"#.to_owned(),
            fine.replace("]}", r#",{"Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#),
            fine.replace(r#""Resource""#, r#""Resources""#),
            String::new(),
            format!("{fine} x"),
        ] {
            assert!(Policy::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_and_ranges_of_a_policy() {
        for (network, address, inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
        ] {
            let (network, address): (Network, IpAddr) = (network.parse().unwrap(), address.parse().unwrap());
            assert_eq!(network.contains(address), inside, "{network} {address}");
        }
    }
}
