//! Conditional requests: pure rules over what is stored and what was asked.

use http::header::{ETAG, LAST_MODIFIED};
use local_base::date::http_date;
use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, s3_error};

use super::error::{OperationError, no_such_key, not_implemented};
use super::index::Object;
use super::request::{strong, whole_seconds};
use super::store::time;

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
            (Some(_), None) => Err(no_such_key()),
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
enum Verdict {
    Proceed,
    /// 304.
    NotModified,
    /// 412, with the header that was not met.
    Failed(&'static str),
}

impl ReadCondition {
    /// The order of RFC 9110, section 13.2.2: an `ETag` condition outranks the date of the same sense.
    fn evaluate(&self, etag: &str, modified_ms: i64) -> Verdict {
        let modified = whole_seconds(modified_ms);
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

    /// Checks the conditions of a read.
    pub(super) fn check(&self, object: &Object) -> Result<(), OperationError> {
        match self.evaluate(&object.etag, object.modified_ms) {
            Verdict::Proceed => Ok(()),
            Verdict::NotModified => Err(not_modified(object)),
            Verdict::Failed(header) => Err(failed(header)),
        }
    }

    /// Checks the conditions of a copy's source, for which there is no 304: each that is not met is a 412.
    pub(super) fn check_source(&self, object: &Object) -> Result<(), OperationError> {
        match self.evaluate(&object.etag, object.modified_ms) {
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
fn failed(header: &str) -> OperationError {
    let text = "At least one of the pre-conditions you specified did not hold:";
    s3_error!(PreconditionFailed, "{text} {header}").into()
}

/// 304 with the headers that a cache needs.
fn not_modified(object: &Object) -> OperationError {
    let etag = strong(&object.etag).to_http_header().ok();
    let date = http_date(time(object.modified_ms));
    let headers = [(ETAG, etag), (LAST_MODIFIED, date)].into_iter();
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_headers(headers.filter_map(|(name, value)| Some((name, value?))).collect());
    error.into()
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "it is used in tables beside None")]
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
        let at = |seconds: i64| seconds * 1000 + 400;
        let time = |seconds: i64| Some(whole_seconds(seconds * 1000));
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
