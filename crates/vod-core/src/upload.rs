//! Uploads in parts, straight into the bucket: names, sizes of parts, and who may continue a session.
//!
//! Limits of S3: "Amazon S3 multipart upload limits" and "Naming Amazon S3 objects", S3 user guide.

mod name;
mod parts;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::asset::AssetId;
use crate::digest::sha256_hex;
use crate::keys::{INPUT, UPLOADS};

pub use name::{NAME_MAX, file_name, keys};
pub use parts::{ListedPart, PARTS_MAX, Plan, SIZE_MAX, StoredPart};

/// How long a session may be continued. The bucket's lifecycle rule aborts unfinished uploads after the same time.
pub const VALID: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The name of the object metadata that holds [`Session::marker`].
pub const MARKER: &str = "vod-upload";

/// The limits that a token sets to its uploads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uploader {
    /// Claim `sub`.
    pub subject: Option<String>,
    /// Claim `upload_prefix`: a folder below `input/`, which ends in `/`.
    pub prefix: Option<String>,
    /// Claim `max_bytes`.
    pub max_bytes: Option<u64>,
}

/// A session: one upload that is under way or complete. It is stored at [`session_key`] and reserves its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub schema: u32,
    /// The key of the upload, `input/…`.
    pub key: String,
    /// S3's id of the multipart upload.
    #[serde(rename = "uploadId")]
    pub upload_id: String,
    /// A digest that the finished object carries as metadata, so that a repeated `complete` recognizes it.
    pub marker: String,
    #[serde(rename = "sub", default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The size of the file in bytes.
    pub size: u64,
    pub expires_at: Timestamp,
    /// The asset that it became. Absent until it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
}

/// The reason why a request about an upload is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("filename is empty")]
    NameEmpty,
    #[error("filename has more than {NAME_MAX} characters, or its key more than 1,024 bytes")]
    NameTooLong,
    #[error("filename contains `/` or `\\`, or is `.` or `..`")]
    NameIsPath,
    #[error("filename contains a control character")]
    NameControl,
    #[error("type is not a media type of at most 255 ASCII characters")]
    Type,
    #[error("size is not between 1 and {SIZE_MAX} bytes")]
    Size,
    #[error("the token allows {0} bytes per upload")]
    TokenSize(u64),
    #[error("the token's upload_prefix is not a folder such as `users/7/`")]
    TokenPrefix,
    #[error("this many files of that name exist; choose another name")]
    NamesTaken,
    #[error("the upload belongs to another token")]
    Foreign,
    #[error("no such upload; it may have been aborted, or it is older than seven days")]
    Missing,
    #[error("the upload has {count} parts; there is no part {number}")]
    NoPart { number: u32, count: u32 },
    #[error("part {0} is missing, or listed twice")]
    PartMissing(u32),
    #[error("part {number} has {found} bytes instead of {expected}; upload it again")]
    PartSize { number: u32, found: u64, expected: u64 },
    #[error("part {0} has another ETag; list the parts and try again")]
    PartChanged(u32),
    #[error("a file of this name was uploaded in the meantime; start again, and it gets another name")]
    NameTaken,
    #[error("the upload is complete")]
    Complete,
}

/// What a client can do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Send another request (400).
    Invalid,
    /// Use another token (403).
    Forbidden,
    /// Start a new upload (404).
    Missing,
    /// The state of the bucket is in the way (409).
    Conflict,
}

impl Refusal {
    pub fn kind(&self) -> Kind {
        match self {
            Self::TokenSize(_) | Self::TokenPrefix | Self::Foreign => Kind::Forbidden,
            Self::Missing => Kind::Missing,
            Self::NamesTaken | Self::NameTaken | Self::Complete => Kind::Conflict,
            _ => Kind::Invalid,
        }
    }
}

/// The key of the session that reserves `key`.
pub fn session_key(key: &str) -> String {
    format!("{UPLOADS}{}", sha256_hex(key.as_bytes()))
}

/// Checks the media type that a client gives a file.
pub fn check_type(text: &str) -> Result<(), Refusal> {
    let plain = text.len() <= 255 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if plain { Ok(()) } else { Err(Refusal::Type) }
}

impl Uploader {
    /// The folder of the token's uploads: `input/`, or one below it.
    pub fn folder(&self) -> Result<String, Refusal> {
        let Some(prefix) = self.prefix.as_deref().filter(|prefix| !prefix.is_empty()) else {
            return Ok(INPUT.to_owned());
        };
        let folders = prefix.strip_suffix('/').ok_or(Refusal::TokenPrefix)?;
        let is_good = |folder: &str| file_name(folder).is_ok_and(|name| name == folder);
        if folders.split('/').all(is_good) {
            Ok(format!("{INPUT}{prefix}"))
        } else {
            Err(Refusal::TokenPrefix)
        }
    }

    /// Checks a size against the limit of the token and against S3's.
    pub fn check_size(&self, size: u64) -> Result<(), Refusal> {
        if !(1..=SIZE_MAX).contains(&size) {
            return Err(Refusal::Size);
        }
        match self.max_bytes {
            Some(max) if size > max => Err(Refusal::TokenSize(max)),
            _ => Ok(()),
        }
    }

    /// A new session for `key`.
    pub fn session(&self, key: &str, size: u64, now: Timestamp) -> Session {
        let seed = format!("{key}\0{}", now.as_nanosecond());
        Session {
            schema: 1,
            key: key.to_owned(),
            upload_id: String::new(),
            marker: sha256_hex(seed.as_bytes()),
            subject: self.subject.clone(),
            prefix: self.prefix.clone(),
            size,
            expires_at: now + VALID,
            asset: None,
        }
    }
}

impl Session {
    /// Whether its key is reserved: it may still be completed.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.asset.is_none() && now < self.expires_at
    }

    /// Checks that it is the session `upload_id`, and that `uploader` may continue it: with the same `sub`, or, where
    /// neither token has one, with the same prefix. A token with a prefix never leaves its folder.
    pub fn check(&self, uploader: &Uploader, upload_id: &str) -> Result<(), Refusal> {
        if self.upload_id != upload_id {
            return Err(Refusal::Missing);
        }
        let same = match (&self.subject, &uploader.subject) {
            (Some(own), Some(other)) => own == other,
            (None, None) => self.prefix == uploader.prefix,
            _ => false,
        };
        if same && self.key.starts_with(&uploader.folder()?) {
            Ok(())
        } else {
            Err(Refusal::Foreign)
        }
    }

    /// Its division into parts.
    pub fn plan(&self) -> Plan {
        Plan::of(self.size)
    }
}

#[cfg(test)]
mod tests;
