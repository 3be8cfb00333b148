//! The headers that are stored with an object and come back with it, and the ones that are refused.

use std::collections::BTreeMap;

use s3s::dto::{ObjectCannedACL, StorageClass, Timestamp};
use s3s::s3_error;
use serde::{Deserialize, Serialize};

use super::error::{OperationError, no_acls, not_implemented};

/// What S3 says about an object that came without a content type.
pub(super) const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// Names and values of user metadata together, in bytes ("Working with object metadata").
const MAX_METADATA: usize = 2 * 1024;

/// Stored headers of an object.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Headers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
}

impl Headers {
    /// Rules that concern more than one field.
    pub(super) fn checked(mut self) -> Result<Self, OperationError> {
        let sizes = self.metadata.iter().map(|(name, value)| name.len() + value.len());
        if sizes.sum::<usize>() > MAX_METADATA {
            let text = "Your metadata headers exceed the maximum allowed metadata size";
            return Err(s3_error!(MetadataTooLarge, "{text}").into());
        }
        self.content_encoding = self.content_encoding.as_deref().and_then(without_aws_chunked);
        Ok(self)
    }
}

/// `aws-chunked` says how the request was sent; it is not part of the object.
fn without_aws_chunked(encoding: &str) -> Option<String> {
    let kept: Vec<_> = encoding
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty() && *part != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// Builds [`Headers`] out of an input that creates an object.
macro_rules! take_headers {
    ($input:expr) => {
        $crate::headers::Headers {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            expires: $input.expires.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
        .checked()
    };
}
pub(super) use take_headers;

/// Copies [`Headers`] into the output of a GET or HEAD.
macro_rules! set_headers {
    ($out:expr, $headers:expr) => {
        let headers: $crate::headers::Headers = $headers;
        let default_type = || $crate::headers::DEFAULT_CONTENT_TYPE.to_owned();
        $out.content_type = Some(headers.content_type.unwrap_or_else(default_type));
        $out.cache_control = headers.cache_control;
        $out.content_disposition = headers.content_disposition;
        $out.content_encoding = headers.content_encoding;
        $out.content_language = headers.content_language;
        $out.expires = headers.expires;
        $out.metadata = (!headers.metadata.is_empty()).then(|| headers.metadata.into_iter().collect());
    };
}
pub(super) use set_headers;

/// Refuses what an input that creates an object asks for and this store does not do.
macro_rules! refuse_unsupported {
    ($input:expr) => {
        $crate::headers::refuse(
            $input.acl.as_ref(),
            $input.storage_class.as_ref(),
            &[
                (
                    "an ACL grant",
                    $input.grant_full_control.is_some()
                        || $input.grant_read.is_some()
                        || $input.grant_read_acp.is_some()
                        || $input.grant_write_acp.is_some(),
                ),
                (
                    "object lock",
                    $input.object_lock_mode.is_some()
                        || $input.object_lock_legal_hold_status.is_some()
                        || $input.object_lock_retain_until_date.is_some(),
                ),
                (
                    "server-side encryption",
                    $input.server_side_encryption.is_some()
                        || $input.sse_customer_algorithm.is_some()
                        || $input.ssekms_key_id.is_some(),
                ),
                ("tagging", $input.tagging.is_some()),
                ("a website redirect", $input.website_redirect_location.is_some()),
            ],
        )
    };
}
pub(super) use refuse_unsupported;

/// See [`refuse_unsupported`]. An ACL is judged as by a bucket with ACLs disabled, AWS's default.
pub(super) fn refuse(
    acl: Option<&ObjectCannedACL>,
    class: Option<&StorageClass>,
    asked: &[(&str, bool)],
) -> Result<(), OperationError> {
    if let Some((what, _)) = asked.iter().find(|(_, present)| *present) {
        return Err(not_implemented(what));
    }
    if acl.is_some_and(|acl| !matches!(acl.as_str(), "private" | "bucket-owner-full-control")) {
        return Err(no_acls());
    }
    match class.map(StorageClass::as_str) {
        None | Some(StorageClass::STANDARD) => Ok(()),
        Some(other) => Err(not_implemented(&format!("storage class {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transfer_encoding_of_the_request_is_not_stored() {
        let table = [
            ("aws-chunked", None),
            ("gzip,aws-chunked", Some("gzip")),
            ("aws-chunked, gzip", Some("gzip")),
            ("gzip", Some("gzip")),
            ("", None),
        ];
        for (given, stored) in table {
            assert_eq!(without_aws_chunked(given).as_deref(), stored, "{given}");
        }
    }

    #[test]
    fn metadata_has_a_limit() {
        let headers = |length| Headers {
            metadata: BTreeMap::from([("k".to_owned(), "v".repeat(length))]),
            ..Headers::default()
        };
        assert!(headers(MAX_METADATA - 1).checked().is_ok());
        assert!(headers(MAX_METADATA).checked().is_err());
    }

    #[test]
    fn refusals() {
        let acl = |name| ObjectCannedACL::from_static(name);
        assert!(refuse(Some(&acl("private")), None, &[]).is_ok());
        assert!(refuse(Some(&acl("public-read")), None, &[]).is_err());
        assert!(refuse(None, Some(&StorageClass::from_static("GLACIER")), &[]).is_err());
        assert!(refuse(None, None, &[("tagging", true)]).is_err());
        assert!(refuse(None, None, &[("tagging", false)]).is_ok());
    }
}
