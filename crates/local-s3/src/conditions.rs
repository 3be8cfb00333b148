//! Conditional requests: pure rules over what is stored and what was asked.

use std::time::{Duration, SystemTime};

use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, s3_error};

use super::error::{OperationError, not_implemented};

/// The condition of a write or a delete.
///
/// `If-None-Match` takes `*` only, as on S3 ("Add preconditions to S3 operations with conditional requests").
#[derive(Debug, Clone, Default)]
pub(super) struct WriteCondition {
    if_match: Option<ETagCondition>,
    must_not_exist: bool,
}

impl WriteCondition {
    pub(super) fn new(
        if_match: Option<ETagCondition>,
        if_none_match: Option<ETagCondition>,
    ) -> Result<Self, OperationError> {
        match if_none_match {
            Some(ETagCondition::ETag(_)) => Err(not_implemented("If-None-Match with an ETag")),
            Some(ETagCondition::Any) if if_match.is_some() => {
                Err(not_implemented("If-Match together with If-None-Match"))
            }
            other => Ok(Self {
                if_match,
                must_not_exist: other.is_some(),
            }),
        }
    }

    /// `etag` is that of the current object, if there is one.
    pub(super) fn check(&self, etag: Option<&str>) -> Result<(), OperationError> {
        match (&self.if_match, etag) {
            (None, Some(_)) if self.must_not_exist => Err(failed("If-None-Match")),
            (None, _) => Ok(()),
            (Some(_), None) => Err(s3_error!(NoSuchKey, "The specified key does not exist.").into()),
            (Some(wanted), Some(etag)) if matches(wanted, etag) => Ok(()),
            (Some(_), Some(_)) => Err(failed("If-Match")),
        }
    }
}

/// The conditions of a read, or of the source of a copy.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_field_names, reason = "the names of the headers")]
pub(super) struct ReadCondition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

/// What the conditions of a read come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Proceed,
    /// 304.
    NotModified,
    /// 412, with the header that was not met.
    Failed(&'static str),
}

impl ReadCondition {
    /// The order of RFC 9110, section 13.2.2: an `ETag` condition outranks the date of the same sense.
    pub(super) fn evaluate(&self, etag: &str, modified: SystemTime) -> Verdict {
        let modified = http_date(modified);
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(wanted), _) if !matches(wanted, etag) => return Verdict::Failed("If-Match"),
            (None, Some(since)) if modified > *since => return Verdict::Failed("If-Unmodified-Since"),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(unwanted), _) if matches(unwanted, etag) => Verdict::NotModified,
            (None, Some(since)) if modified <= *since => Verdict::NotModified,
            _ => Verdict::Proceed,
        }
    }

    /// For the source of a copy there is no 304: every condition that is not met is a 412.
    pub(super) fn check_source(&self, etag: &str, modified: SystemTime) -> Result<(), OperationError> {
        match self.evaluate(etag, modified) {
            Verdict::Proceed => Ok(()),
            Verdict::NotModified => Err(failed("x-amz-copy-source-If-None-Match")),
            Verdict::Failed(header) => Err(failed(header)),
        }
    }
}

/// Builds a [`ReadCondition`] out of the `copy_source_if_*` fields.
macro_rules! source_condition {
    ($input:expr) => {
        $crate::conditions::ReadCondition {
            if_match: $input.copy_source_if_match.take(),
            if_none_match: $input.copy_source_if_none_match.take(),
            if_modified_since: $input.copy_source_if_modified_since.take(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.take(),
        }
    };
}
pub(super) use source_condition;

/// 412, naming the header.
pub(super) fn failed(header: &str) -> OperationError {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {header}"
    )
    .into()
}

/// 304 with the headers that a cache needs.
pub(super) fn not_modified(etag: &str, modified: SystemTime) -> OperationError {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = ETag::Strong(etag.to_owned()).to_http_header() {
        headers.insert(http::header::ETAG, value);
    }
    let mut date = Vec::new();
    if Timestamp::from(modified)
        .format(s3s::dto::TimestampFormat::HttpDate, &mut date)
        .is_ok()
        && let Ok(value) = http::HeaderValue::from_bytes(&date)
    {
        headers.insert(http::header::LAST_MODIFIED, value);
    }
    error.set_headers(headers);
    error.into()
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

/// HTTP dates have no fraction of a second, so a client can only send back the whole seconds.
fn http_date(time: SystemTime) -> Timestamp {
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "it stands in tables between Nones")]
    fn etag(text: &str) -> Option<ETagCondition> {
        Some(text.parse().unwrap())
    }

    fn code(result: Result<(), OperationError>) -> String {
        match result {
            Ok(()) => "ok".to_owned(),
            Err(OperationError::Refused(error)) => error.code().as_str().to_owned(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn writes() {
        let table = [
            (None, None, None, "ok"),
            (None, None, Some("a"), "ok"),
            (None, etag("*"), None, "ok"),
            (None, etag("*"), Some("a"), "PreconditionFailed"),
            (etag("\"a\""), None, Some("a"), "ok"),
            (etag("a"), None, Some("a"), "ok"),
            (etag("\"b\""), None, Some("a"), "PreconditionFailed"),
            (etag("\"a\""), None, None, "NoSuchKey"),
            (etag("*"), None, Some("a"), "ok"),
        ];
        for (if_match, if_none_match, current, expected) in table {
            let condition = WriteCondition::new(if_match, if_none_match).unwrap();
            assert_eq!(
                code(condition.check(current)),
                expected,
                "{condition:?} {current:?}"
            );
        }
        assert!(WriteCondition::new(None, etag("\"a\"")).is_err());
        assert!(WriteCondition::new(etag("\"a\""), etag("*")).is_err());
    }

    #[test]
    fn reads() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 400);
        let time = |seconds: u64| {
            Some(Timestamp::from(
                SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            ))
        };
        let none = ReadCondition::default;
        let table = [
            (none(), Verdict::Proceed),
            (
                ReadCondition {
                    if_match: etag("\"a\""),
                    ..none()
                },
                Verdict::Proceed,
            ),
            (
                ReadCondition {
                    if_match: etag("\"b\""),
                    ..none()
                },
                Verdict::Failed("If-Match"),
            ),
            (
                ReadCondition {
                    if_none_match: etag("\"a\""),
                    ..none()
                },
                Verdict::NotModified,
            ),
            (
                ReadCondition {
                    if_none_match: etag("\"b\""),
                    ..none()
                },
                Verdict::Proceed,
            ),
            (
                ReadCondition {
                    if_modified_since: time(100),
                    ..none()
                },
                Verdict::NotModified,
            ),
            (
                ReadCondition {
                    if_modified_since: time(99),
                    ..none()
                },
                Verdict::Proceed,
            ),
            (
                ReadCondition {
                    if_unmodified_since: time(100),
                    ..none()
                },
                Verdict::Proceed,
            ),
            (
                ReadCondition {
                    if_unmodified_since: time(99),
                    ..none()
                },
                Verdict::Failed("If-Unmodified-Since"),
            ),
            // The ETag decides, whatever the date says.
            (
                ReadCondition {
                    if_match: etag("\"a\""),
                    if_unmodified_since: time(1),
                    ..none()
                },
                Verdict::Proceed,
            ),
            (
                ReadCondition {
                    if_none_match: etag("\"b\""),
                    if_modified_since: time(200),
                    ..none()
                },
                Verdict::Proceed,
            ),
        ];
        for (condition, expected) in table {
            assert_eq!(condition.evaluate("a", at(100)), expected, "{condition:?}");
        }
    }
}
