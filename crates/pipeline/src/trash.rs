//! Copies of videos that were taken down, `ops/trash/<asset>/…`: the record, and each output under its own key.

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use vod_aws::{Bucket, BucketError, Document};
use vod_core::asset::AssetId;
use vod_core::keys::asset_prefix;
use vod_core::object::Listed;
use vod_core::record::{Record, State};
use vod_core::removal::{output_of_trash, trash_output_key, trash_prefix, trash_record_key};

use crate::Services;

/// Copies at one time. S3 makes each within its own network.
const CONCURRENCY: usize = 32;
/// Largest record that is read, in bytes.
const RECORD_MAX: usize = 4 << 20;

/// The copies in one bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Trash {
    s3: aws_sdk_s3::Client,
    /// The bucket of records, in which the copies are.
    bucket: Bucket,
    outputs: Bucket,
}

impl Trash {
    pub(crate) fn new(services: &Services, outputs: Bucket) -> Self {
        Self {
            s3: services.s3.clone(),
            bucket: Bucket::new(services.s3.clone(), services.bucket.clone()),
            outputs,
        }
    }

    /// Copies the outputs and the record of a video. Copies that exist are not made again, so that a call that was
    /// interrupted can be repeated.
    pub(crate) async fn keep(&self, record: &Record) -> Result<(), BucketError> {
        let asset = &record.id;
        if record.state == State::Ignored {
            // It has nothing to restore, and must not replace the copy of a video.
            return Ok(());
        }
        let outputs = self.outputs.all(&asset_prefix(asset)).await?;
        let copies = self.bucket.all(&trash_prefix(asset)).await?;
        let mut known: HashMap<String, Listed> =
            copies.into_iter().map(|copy| (copy.key.clone(), copy)).collect();
        known.remove(&trash_record_key(asset));
        let mut missing = Vec::new();
        for output in outputs {
            let copy = trash_output_key(asset, &output.key);
            let is_same = |known: Listed| (known.size, known.etag) == (output.size, output.etag.clone());
            if !known.remove(&copy).is_some_and(is_same) {
                missing.push((output, copy));
            }
        }
        copy_all(&self.outputs, &self.bucket, missing).await?;
        // What is left is of an earlier removal.
        let stale: Vec<String> = known.into_keys().collect();
        self.bucket.delete(&stale).await?;
        let mut document = Document::new(self.s3.clone(), self.bucket.name(), &trash_record_key(asset));
        loop {
            let _: Option<serde_json::Value> = document.read().await?;
            if document.write(record).await? {
                return Ok(());
            }
        }
    }

    /// The copy of the record. `None`: nothing is kept.
    pub(crate) async fn record(&self, asset: &AssetId) -> Result<Option<Record>, BucketError> {
        let found = self.bucket.get_json(&trash_record_key(asset), RECORD_MAX).await?;
        Ok(found.map(|found| found.value))
    }

    /// Copies the outputs back to where they were.
    pub(crate) async fn copy_back(&self, asset: &AssetId) -> Result<(), BucketError> {
        let copies = self.bucket.all(&trash_prefix(asset)).await?;
        let outputs = copies.into_iter().filter_map(|copy| {
            let key = output_of_trash(asset, &copy.key)?.to_owned();
            Some((copy, key))
        });
        copy_all(&self.bucket, &self.outputs, outputs.collect()).await
    }

    /// Deletes all copies of a video.
    pub(crate) async fn erase(&self, asset: &AssetId) -> Result<(), BucketError> {
        let copies = self.bucket.all(&trash_prefix(asset)).await?;
        let keys: Vec<String> = copies.into_iter().map(|copy| copy.key).collect();
        self.bucket.delete(&keys).await
    }
}

/// Copies each object to its key in `to`.
async fn copy_all(from: &Bucket, to: &Bucket, objects: Vec<(Listed, String)>) -> Result<(), BucketError> {
    stream::iter(objects)
        .map(|(object, key)| async move { to.copy(from, &object.key, &key, object.size, &object.etag).await })
        .buffer_unordered(CONCURRENCY)
        .try_for_each(|_| async { Ok(()) })
        .await
}
