//! Tombstones of removed videos (see [`vod_core::removal`]).

use aws_sdk_s3::Client;
use vod_core::asset::AssetId;
use vod_core::removal::{Removal, removal_key};

use crate::bucket::BucketError;
use crate::document::Document;

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

    /// Reads the tombstone of an asset. `None`: the asset was never removed.
    pub async fn get(&self, id: &AssetId) -> Result<Option<Removal>, BucketError> {
        self.document(id).read().await
    }

    /// Writes the tombstone that `make` derives from the existing one. Returns it.
    pub async fn put(
        &self,
        id: &AssetId,
        mut make: impl FnMut(Option<&Removal>) -> Removal,
    ) -> Result<Removal, BucketError> {
        let mut document = self.document(id);
        loop {
            let earlier: Option<Removal> = document.read().await?;
            let removal = make(earlier.as_ref());
            // Only another removal of the same asset at the same time can prevent the write.
            if document.write(&removal).await? {
                return Ok(removal);
            }
        }
    }

    fn document(&self, id: &AssetId) -> Document {
        Document::new(self.s3.clone(), &self.bucket, &removal_key(id))
    }
}
