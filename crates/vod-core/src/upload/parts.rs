//! The division of a file into parts.

use serde::{Deserialize, Serialize};

use super::Refusal;

/// The largest object of a multipart upload in bytes: 5 TiB.
pub const SIZE_MAX: u64 = 5 << 40;
/// The most parts of an upload.
pub const PARTS_MAX: u32 = 10_000;
/// The size of parts in bytes, unless there would be too many of them. S3 requires 5 MiB of all but the last.
const PART: u64 = 16 << 20;
/// Larger parts are multiples of this many bytes.
const STEP: u64 = 1 << 20;

/// A division into parts. All but the last have the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    size: u64,
    /// The size of a part in bytes.
    pub part_size: u64,
}

/// A part that S3 has, in the form of its API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StoredPart {
    pub part_number: u32,
    pub size: u64,
    #[serde(rename = "ETag")]
    pub etag: String,
}

/// A part in a client's list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedPart {
    pub part_number: u32,
    #[serde(rename = "ETag")]
    pub etag: String,
}

impl Plan {
    /// The division of a file of `size` bytes.
    pub fn of(size: u64) -> Self {
        let least = size.div_ceil(u64::from(PARTS_MAX));
        let part_size = PART.max(least.div_ceil(STEP) * STEP);
        Self { size, part_size }
    }

    /// The number of parts.
    pub fn count(&self) -> u32 {
        u32::try_from(self.size.div_ceil(self.part_size)).unwrap_or(u32::MAX)
    }

    /// The size of part `number` in bytes. Numbers begin at 1.
    pub fn length(&self, number: u32) -> Result<u64, Refusal> {
        let count = self.count();
        if !(1..=count).contains(&number) {
            return Err(Refusal::NoPart { number, count });
        }
        let before = u64::from(number - 1) * self.part_size;
        Ok(self.part_size.min(self.size - before))
    }

    /// Checks that `listed` names each part once, and that S3 has each of them whole. Then the parts together have the size
    /// of the file.
    pub fn check(&self, mut listed: Vec<ListedPart>, stored: &[StoredPart]) -> Result<(), Refusal> {
        listed.sort_unstable_by_key(|part| part.part_number);
        for number in 1..=self.count() {
            let expected = self.length(number)?;
            let at = usize::try_from(number - 1).unwrap_or(usize::MAX);
            let wanted = listed.get(at).filter(|part| part.part_number == number);
            let found = stored.iter().find(|part| part.part_number == number);
            let (Some(wanted), Some(found)) = (wanted, found) else {
                return Err(Refusal::PartMissing(number));
            };
            if found.size != expected {
                let found = found.size;
                return Err(Refusal::PartSize {
                    number,
                    found,
                    expected,
                });
            }
            if wanted.etag.trim_matches('"') != found.etag.trim_matches('"') {
                return Err(Refusal::PartChanged(number));
            }
        }
        match listed.get(usize::try_from(self.count()).unwrap_or(usize::MAX)) {
            Some(extra) => self
                .length(extra.part_number)
                .and(Err(Refusal::PartMissing(extra.part_number))),
            None => Ok(()),
        }
    }
}
