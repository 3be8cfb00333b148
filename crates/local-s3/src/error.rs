//! The error of an operation: a refusal in S3's words, or a failure of the server.

use std::io;

use local_base::db::DbError;
use s3s::{S3Error, S3ErrorCode, s3_error};

use super::generation::Mismatch;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperationError {
    /// A refusal with S3's own code.
    #[error("refused with {}", .0.code().as_str())]
    Refused(S3Error),
    /// The index could not be read or written.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A content file could not be read or written.
    #[error("failed to use the content files")]
    Io(#[from] io::Error),
    /// Index and content files do not belong together.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The task that read or wrote content ended early.
    #[error("content task ended early")]
    Task(#[from] tokio::task::JoinError),
}

impl OperationError {
    /// Whether the server is to blame, not the client.
    pub(super) fn is_ours(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    pub(super) fn is_disk_full(&self) -> bool {
        match self {
            Self::Db(error) => error.is_disk_full(),
            Self::Io(error) => {
                matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                )
            }
            Self::Refused(_) | Self::Mismatch(_) | Self::Task(_) => false,
        }
    }
}

impl From<S3Error> for OperationError {
    fn from(error: S3Error) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for OperationError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Db(DbError::Sqlite(error))
    }
}

impl From<OperationError> for S3Error {
    fn from(error: OperationError) -> Self {
        if error.is_disk_full() {
            // S3 has no code for this. 507 is not retried by the SDKs: waiting does not make room.
            let mut full = refusal("InsufficientStorage", http::StatusCode::INSUFFICIENT_STORAGE);
            full.set_message("no space left on the disk that holds the state folder");
            return full;
        }
        let OperationError::Refused(error) = error else {
            // The cause is in the log, and not for the client.
            let text = "We encountered an internal error. Please try again.";
            return s3_error!(InternalError, "{text}");
        };
        error
    }
}

/// An error code that s3s does not list.
pub(super) fn refusal(code: &'static str, status: http::StatusCode) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::Custom(code.into()));
    error.set_status_code(status);
    error
}

/// Something that S3 can do and this store cannot: an error instead of silence.
pub(super) fn not_implemented(what: &str) -> OperationError {
    OperationError::Refused(s3_error!(
        NotImplemented,
        "{what} is not supported by the local S3"
    ))
}

/// A request names an object that does not exist.
pub(super) fn no_such_key() -> OperationError {
    s3_error!(NoSuchKey, "The specified key does not exist.").into()
}

/// A document is not what the operation expects.
pub(super) fn malformed_xml() -> OperationError {
    let text = "The XML you provided was not well-formed or did not validate against our published schema";
    s3_error!(MalformedXML, "{text}").into()
}

/// A request asks for access rules other than the owner's.
pub(super) fn no_acls() -> OperationError {
    s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_507_whoever_notices() {
        let sqlite =
            rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
        for error in [
            OperationError::from(sqlite),
            OperationError::from(io::Error::from(io::ErrorKind::StorageFull)),
        ] {
            assert!(error.is_ours());
            let error = S3Error::from(error);
            assert_eq!(error.code().as_str(), "InsufficientStorage");
            assert_eq!(error.status_code(), Some(http::StatusCode::INSUFFICIENT_STORAGE));
        }
    }

    #[test]
    fn the_cause_of_an_internal_error_stays_inside() {
        let error = S3Error::from(OperationError::from(io::Error::other("/secret/path")));
        assert_eq!(error.status_code(), Some(http::StatusCode::INTERNAL_SERVER_ERROR));
        assert!(!error.message().unwrap().contains("secret"));
    }
}
