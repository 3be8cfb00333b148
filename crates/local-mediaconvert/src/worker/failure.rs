//! Makes errors of jobs, with MediaConvert's codes and messages.

use std::io::ErrorKind;

use transcode::Failure;
pub(super) use transcode::error_code as code;

use super::super::transfer::{Kind, TransferError};

pub(super) fn panicked() -> Failure {
    Failure {
        code: code::INTERNAL,
        message:
            "an internal error of the local engine: the log of `vod up` names the place (\"panicked at\")"
                .to_owned(),
    }
}

pub(super) fn folder_failure(error: &std::io::Error) -> Failure {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let code = if full { code::DISK_FULL } else { code::INTERNAL };
    Failure {
        code,
        message: format!("failed to use the work folder: {error}"),
    }
}

/// The error of an input that cannot be read, with MediaConvert's message.
pub(super) fn input_failure(url: &str, error: &TransferError) -> Failure {
    let wrap = |detail: &str| {
        format!(
            "Unable to open input file [{url}]: [Failed probe/open: [Can't read input stream: [{detail}]]]"
        )
    };
    match error.kind {
        Kind::NotFound => Failure {
            code: code::NOT_FOUND,
            message: wrap(&format!("Failed to read data: The object {url} does not exist")),
        },
        Kind::Denied => Failure {
            code: code::DENIED,
            message: wrap(&format!("Failed to read data: Access denied to {url}")),
        },
        Kind::DiskFull => Failure {
            code: code::DISK_FULL,
            message: error.to_string(),
        },
        Kind::Other => Failure {
            code: code::INTERNAL,
            message: error.to_string(),
        },
    }
}

pub(super) fn output_failure(error: &TransferError) -> Failure {
    let code = match error.kind {
        Kind::Denied => code::DENIED,
        Kind::NotFound => code::NOT_FOUND,
        Kind::DiskFull => code::DISK_FULL,
        Kind::Other => code::INTERNAL,
    };
    Failure {
        code,
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_has_a_code_of_its_own() {
        for (kind, expected) in [
            (ErrorKind::StorageFull, code::DISK_FULL),
            (ErrorKind::QuotaExceeded, code::DISK_FULL),
            (ErrorKind::PermissionDenied, code::INTERNAL),
        ] {
            assert_eq!(folder_failure(&kind.into()).code, expected, "{kind}");
        }
    }
}
