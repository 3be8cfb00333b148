//! The catalog: one JSON object per asset, written with conditional puts only.

use std::time::Duration;

use aws_sdk_s3::Client;
use vod_core::asset::AssetId;
use vod_core::keys::{CATALOG, asset_of_record, record_key};
use vod_core::metrics::{Encoded, outcomes};
use vod_core::newest::{Entry, NEWEST};
use vod_core::record::Record;

use crate::bucket::{Bucket, BucketError, BucketErrorKind, Versioned};
use crate::meter::Meter;

/// Tries of a change before it fails: many times the number of writers that one record has.
const TRIES: u32 = 12;
/// Largest record that is read, in bytes.
const RECORD_MAX: usize = 4 << 20;

/// The records of one bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    bucket: Bucket,
    meter: Meter,
}

/// A page of the index by time.
#[derive(Debug, Clone, Default)]
pub struct Newest {
    pub entries: Vec<Entry>,
    /// The last key of the page: pass it as `after` for the next one. Absent on the last page.
    pub next: Option<String>,
}

/// A page of assets in the order of their records' keys.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    pub ids: Vec<AssetId>,
    /// The last key of the page: pass it as `after` for the next one. Absent on the last page.
    pub next: Option<String>,
}

impl Catalog {
    pub fn new(s3: Client, bucket: String) -> Self {
        Self {
            bucket: Bucket::new(s3, bucket),
            meter: Meter::default(),
        }
    }

    /// Reports the outcomes of each successful put to `meter`. The outcome of a put whose response is lost, or whose
    /// writer dies at that moment, is not reported: each outcome counts at most once.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    /// Reads the record of an asset. `None`: it does not exist.
    pub async fn get(&self, id: &AssetId) -> Result<Option<Versioned<Record>>, BucketError> {
        self.bucket.get_json(&record_key(id), RECORD_MAX).await
    }

    /// Writes the entry of a record in the index by time, if it is missing. Returns whether it was.
    pub async fn index(&self, record: &Record) -> Result<bool, BucketError> {
        let key = Entry::new(record.created_at, &record.id).key();
        Ok(self.bucket.put_if(&key, None, &()).await?.is_some())
    }

    /// Whether the index has the entry of a record.
    pub async fn is_indexed(&self, record: &Record) -> Result<bool, BucketError> {
        let key = Entry::new(record.created_at, &record.id).key();
        Ok(self.bucket.head(&key).await?.is_some())
    }

    /// Deletes the entry of a record from the index.
    pub async fn unindex(&self, record: &Record) -> Result<(), BucketError> {
        let key = Entry::new(record.created_at, &record.id).key();
        self.bucket.delete(&[key]).await
    }

    /// Lists entries of the index, the newest first: those among the first `limit` keys (at most 1,000) after the key
    /// `after`. Other objects in its folder are skipped.
    pub async fn newest(&self, after: Option<&str>, limit: usize) -> Result<Newest, BucketError> {
        let page = self.bucket.list(NEWEST, after, limit).await?;
        let entries = page
            .entries
            .iter()
            .filter_map(|listed| Entry::from_key(&listed.key));
        Ok(Newest {
            entries: entries.collect(),
            next: page.next.map(|place| place.key),
        })
    }

    /// Writes a record that must not exist yet, then its entry in the index by time. `false`: another writer has claimed the asset.
    pub async fn claim(&self, record: &Record) -> Result<bool, BucketError> {
        let key = record_key(&record.id);
        for attempt in 1..=TRIES {
            if self.bucket.put_if(&key, None, record).await?.is_some() {
                self.report(None, record, Encoded::default());
                // Without its entry a record is complete: `reconcile` writes the entry later.
                if let Err(error) = self.index(record).await {
                    tracing::warn!(asset = %record.id, error = crate::chain(&error), "not in the index");
                }
                return Ok(true);
            }
            // A 409 says only that there was another writer at the same time, so check whether it succeeded.
            if self.get(&record.id).await?.is_some() {
                return Ok(false);
            }
            pause(attempt).await;
        }
        Err(contended(&key))
    }

    /// Changes a record: reads it, calls `change`, writes it back, and starts over if another writer was faster.
    /// `change` returns whether there is anything to write. It may run several times.
    ///
    /// Returns the record after the change. `None`: it does not exist.
    pub async fn change(
        &self,
        id: &AssetId,
        change: impl FnMut(&mut Record) -> bool,
    ) -> Result<Option<Record>, BucketError> {
        self.change_with(id, Encoded::default(), change).await
    }

    /// Does the same as [`Self::change`] for an attempt whose outputs have the length `encoded`.
    pub async fn change_with(
        &self,
        id: &AssetId,
        encoded: Encoded,
        mut change: impl FnMut(&mut Record) -> bool,
    ) -> Result<Option<Record>, BucketError> {
        let key = record_key(id);
        for attempt in 1..=TRIES {
            let Some(found) = self.get(id).await? else {
                return Ok(None);
            };
            let mut record = found.value;
            let before = self.meter.is_on().then(|| record.clone());
            if !change(&mut record) {
                return Ok(Some(record));
            }
            record.updated_at = crate::now();
            if self
                .bucket
                .put_if(&key, Some(&found.etag), &record)
                .await?
                .is_some()
            {
                self.report(before.as_ref(), &record, encoded);
                return Ok(Some(record));
            }
            pause(attempt).await;
        }
        Err(contended(&key))
    }

    fn report(&self, before: Option<&Record>, after: &Record, encoded: Encoded) {
        if self.meter.is_on() {
            for outcome in outcomes(before, after, encoded, crate::now()) {
                self.meter.tell(&outcome);
            }
        }
    }

    /// Reads the record of an asset as one of many: a damaged record is logged, and does not hide the others.
    pub async fn readable(&self, id: &AssetId) -> Result<Option<Record>, BucketError> {
        match self.get(id).await {
            Ok(found) => Ok(found.map(|found| found.value)),
            Err(error) if error.is_damaged() => {
                tracing::error!(error = crate::chain(&error), "skipped a damaged record");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Lists assets whose id begins with `prefix`, in the order of their keys: those among the first `limit` keys (at
    /// most 1,000) after the key `after`. Other objects under `catalog/` are skipped.
    pub async fn ids(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Ids, BucketError> {
        let prefix = format!("{CATALOG}{prefix}");
        let page = self.bucket.list(&prefix, after, limit).await?;
        let keys = page.entries.iter().map(|listed| listed.key.as_str());
        Ok(Ids {
            ids: keys.filter_map(asset_of_record).collect(),
            next: page.next.map(|place| place.key),
        })
    }
}

fn contended(key: &str) -> BucketError {
    let reason = format!("other writers changed it during all of {TRIES} tries");
    BucketError::new("change", key, BucketErrorKind::Contended, reason)
}

/// Waits a little longer after each lost race. The nanoseconds of the clock serve as jitter.
async fn pause(attempt: u32) {
    let spread = u64::from(crate::now().subsec_nanosecond().unsigned_abs()) % 20;
    crate::sleep(Duration::from_millis(u64::from(attempt) * (5 + spread))).await;
}
