//! Objects in the bucket, as S3 describes them.

use jiff::Timestamp;

/// An object's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub version: Option<String>,
    pub modified: Timestamp,
}

/// One version of one object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// Absent in a bucket that was never versioned, and for objects from before it was.
    pub version: Option<String>,
    /// Whether a reader that names no version gets this one.
    pub latest: bool,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    pub modified: Timestamp,
}
