//! Tombstones of videos that were taken down (see [`vod_core::removal`]).

use aws_sdk_s3::Client;
use vod_core::asset::AssetId;
use vod_core::removal::{Removal, removal_key};

use crate::document::{Document, DocumentError};

/// The tombstones of one bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Removals {
    s3: Client,
    bucket: String,
}

impl Removals {
    pub fn new(s3: Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// The asset's tombstone, if it was ever taken down.
    pub async fn get(&self, id: &AssetId) -> Result<Option<Removal>, DocumentError> {
        self.document(id).read().await
    }

    /// Writes a tombstone that follows from the one there is. Returns it.
    pub async fn put(
        &self,
        id: &AssetId,
        mut make: impl FnMut(Option<&Removal>) -> Removal,
    ) -> Result<Removal, DocumentError> {
        let mut document = self.document(id);
        loop {
            let earlier: Option<Removal> = document.read().await?;
            let removal = make(earlier.as_ref());
            // Only another removal at the same instant can be in the way.
            if document.write(&removal).await? {
                return Ok(removal);
            }
        }
    }

    fn document(&self, id: &AssetId) -> Document {
        Document::new(self.s3.clone(), &self.bucket, &removal_key(id))
    }
}
