//! Explains errors of AWS in the words of the command.

use crate::output::plain;

/// Why a call to AWS has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AwsError {
    #[error(
        "there are no AWS credentials: sign in with `aws sso login` or `aws configure`, or set AWS_PROFILE (or \
         --profile), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ({0})"
    )]
    NoCredentials(String),
    #[error("the AWS credentials could not be loaded: {0}; `aws sso login` renews an expired SSO session")]
    BadCredentials(String),
    #[error("{service} cannot be reached at {endpoint}: {reason}; {hint}")]
    Unreachable {
        service: String,
        endpoint: String,
        reason: String,
        hint: &'static str,
    },
    #[error("{}", .0.sentence())]
    Refused(Box<Refusal>),
}

/// A refusal, in the service's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What was tried: `SQS ListQueues`, or in the caller's words.
    pub(crate) what: String,
    /// The permission that this needs: `sqs:ListQueues`.
    pub(crate) permission: String,
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Expired,
    UnknownKeys,
    Signature,
    Denied,
    Missing,
    Throttled,
    /// A quota of the account is used up.
    Quota,
    /// Another request has made or is changing the same thing.
    Busy,
    Other,
}

impl AwsError {
    /// Whether the credentials are missing or not accepted, so that no other call can succeed either.
    pub(crate) fn is_about_credentials(&self) -> bool {
        match self {
            Self::NoCredentials(_) | Self::BadCredentials(_) => true,
            Self::Refused(refusal) => {
                matches!(
                    refusal.kind(),
                    Kind::Expired | Kind::UnknownKeys | Kind::Signature
                )
            }
            Self::Unreachable { .. } => false,
        }
    }

    /// The permission whose absence it is due to.
    pub(crate) fn missing_permission(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) if refusal.kind() == Kind::Denied => Some(refusal.permission()),
            _ => None,
        }
    }

    /// Whether there is no such thing.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.kind() == Kind::Missing)
    }

    pub(crate) fn is_throttled(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.kind() == Kind::Throttled)
    }
}

impl Refusal {
    pub(crate) fn kind(&self) -> Kind {
        let code = self.code.as_str();
        match code {
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
                Kind::Expired
            }
            "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" | "AuthFailure" => {
                Kind::UnknownKeys
            }
            "SignatureDoesNotMatch" | "InvalidSignatureException" | "RequestTimeTooSkewed" => Kind::Signature,
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" => Kind::Denied,
            "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "SlowDown" => Kind::Throttled,
            _ if code.starts_with("LimitExceeded") || code.starts_with("ServiceQuotaExceeded") => Kind::Quota,
            "ResourceExistsException"
            | "OperationInProgress"
            | "OperationInProgressException"
            | "InvalidChangeSetStatus"
            | "BucketAlreadyOwnedByYou"
            | "OperationAborted" => Kind::Busy,
            _ if self.message.contains("_IN_PROGRESS state") => Kind::Busy,
            _ if code.ends_with("DoesNotExist")
                || code.ends_with("NonExistentQueue")
                || code.starts_with("NoSuch")
                || code.contains("NotFound") =>
            {
                Kind::Missing
            }
            "" if self.status == 403 => Kind::Denied,
            "" if self.status == 404 => Kind::Missing,
            _ if self.status == 429 => Kind::Throttled,
            _ => Kind::Other,
        }
    }

    /// The permission that AWS names, else the one that such a call needs.
    fn permission(&self) -> String {
        let named = self.message.split("not authorized to perform: ").nth(1);
        let named = named.and_then(|rest| rest.split_whitespace().next());
        named.map_or_else(
            || self.permission.clone(),
            |name| plain(name.trim_end_matches('.')),
        )
    }

    fn sentence(&self) -> String {
        let Self { what, code, .. } = self;
        match self.kind() {
            Kind::Expired => {
                "the AWS credentials have expired: sign in again (`aws sso login`), then start again"
                    .to_owned()
            }
            Kind::UnknownKeys => format!(
                "AWS does not know these credentials ({code}): check AWS_PROFILE and the keys, and whether the \
                 account has this region enabled"
            ),
            Kind::Signature => format!(
                "AWS refuses the signature ({code}): the secret key is wrong, or this machine's clock is"
            ),
            Kind::Denied => {
                let permission = self.permission();
                let denied = if self.message.contains("explicit deny") {
                    "a policy forbids these credentials"
                } else {
                    "these credentials lack the permission"
                };
                format!("{what}: {denied} {permission}: ask the account's administrator for it")
            }
            Kind::Throttled => format!("{what}: AWS is throttling: start again in a minute"),
            Kind::Quota => format!(
                "{what}: a quota of the account is used up: raise it in Service Quotas, or remove what is not used; \
                 AWS says: {}",
                plain(&self.message)
            ),
            Kind::Busy => format!(
                "{what}: another update is running, or AWS has not finished the last one ({code}): wait until it has \
                 ended, then start again"
            ),
            Kind::Missing | Kind::Other => match (self.message.as_str(), code.as_str()) {
                ("", "") => format!("{what}: HTTP {}", self.status),
                ("", code) => format!("{what}: {code}"),
                (message, "") => format!("{what}: {}", plain(message)),
                (message, code) => format!("{what}: {} ({code})", plain(message)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, message: &str, status: u16) -> AwsError {
        AwsError::Refused(Box::new(Refusal {
            what: "SQS ListQueues".to_owned(),
            permission: "sqs:ListQueues".to_owned(),
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }))
    }

    #[test]
    fn a_plain_sentence_for_each_refusal() {
        let denied =
            "User: arn:aws:iam::1:user/u is not authorized to perform: sqs:listqueues on resource: arn:x";
        for (code, message, status, words, permission) in [
            (
                "ExpiredToken",
                "The security token is expired",
                400,
                "sign in again",
                None,
            ),
            (
                "UnrecognizedClientException",
                "",
                403,
                "does not know these credentials",
                None,
            ),
            (
                "SignatureDoesNotMatch",
                "The Canonical String AKIA",
                403,
                "clock",
                None,
            ),
            (
                "AccessDenied",
                denied,
                403,
                "lack the permission sqs:listqueues",
                Some("sqs:listqueues"),
            ),
            (
                "AccessDeniedException",
                "no",
                400,
                "lack the permission sqs:ListQueues",
                Some("sqs:ListQueues"),
            ),
            (
                "AccessDenied",
                "sqs:x with an explicit deny in an SCP",
                403,
                "a policy forbids",
                Some("sqs:ListQueues"),
            ),
            (
                "",
                "",
                403,
                "lack the permission sqs:ListQueues",
                Some("sqs:ListQueues"),
            ),
            (
                "ThrottlingException",
                "Rate exceeded",
                400,
                "start again in a minute",
                None,
            ),
            ("LimitExceededException", "too many", 400, "quota", None),
            (
                "ResourceExistsException",
                "it already exists",
                400,
                "another update is running",
                None,
            ),
            (
                "ValidationError",
                "Stack:x is in UPDATE_IN_PROGRESS state and can not be updated.",
                400,
                "another update is running",
                None,
            ),
            (
                "QueueDoesNotExist",
                "no such queue",
                400,
                "SQS ListQueues: no such queue (QueueDoesNotExist)",
                None,
            ),
            (
                "Weird",
                "a\u{1b}b",
                400,
                "SQS ListQueues: a\u{fffd}b (Weird)",
                None,
            ),
            ("", "", 500, "SQS ListQueues: HTTP 500", None),
        ] {
            let error = refused(code, message, status);
            assert!(error.to_string().contains(words), "{code}: {error}");
            assert_eq!(error.missing_permission().as_deref(), permission, "{code}");
            // Some services quote the canonical request, headers and all.
            assert!(!error.to_string().contains("Canonical"), "{error}");
        }
        assert!(refused("ResourceNotFoundException", "", 404).is_missing());
        assert!(refused("", "", 404).is_missing());
        assert!(!refused("AccessDenied", "", 403).is_missing());
    }
}
