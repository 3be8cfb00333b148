//! What went wrong with a job, in MediaConvert's codes and words.

use std::io::ErrorKind;

use transcode::Failure;

use super::super::transfer::{Kind, TransferError};

/// MediaConvert's error codes (user guide, "MediaConvert error codes").
pub(super) mod code {
    pub(in super::super) const ACCELERATION: u32 = 1041;
    pub(in super::super) const DENIED: u32 = 1401;
    pub(in super::super) const NOT_FOUND: u32 = 1404;
    pub(in super::super) const DISK_FULL: u32 = 1507;
    pub(in super::super) const INTERNAL: u32 = 1999;
    pub(in super::super) const SETTING: u32 = 1040;
}

pub(super) fn panicked() -> Failure {
    Failure {
        code: code::INTERNAL,
        message: "a fault of the local engine: `vod up` has said where (\"panicked at\")".to_owned(),
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

/// In MediaConvert's words, so that whoever knows them finds them again.
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
