//! The catalog: one JSON object per asset, written with conditional puts only.
//!
//! `If-None-Match: *` claims, `If-Match` changes. 412 means that someone else was first: read again. 409 means
//! that S3 saw two writers at one instant: try again. (S3 user guide, "Conditional writes".)

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::http::Response;
use vod_core::asset::AssetId;
use vod_core::keys::{CATALOG, asset_of_record, record_key};
use vod_core::metrics::{Encoded, outcomes};
use vod_core::record::Record;

use crate::meter::Meter;

/// Tries of a change before giving up: as many writers as one record has, many times over.
const TRIES: u32 = 12;
/// Largest record that is read, in bytes.
const RECORD_MAX: usize = 4 << 20;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The records of one bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    s3: Client,
    bucket: String,
    meter: Meter,
}

/// A value with the `ETag` under which it was read.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    pub value: T,
    pub etag: String,
}

/// Some assets in the order of their records' keys, and where to go on.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    pub ids: Vec<AssetId>,
    /// The last key that was listed: pass it as `after` for the next page; absent at the end.
    pub next: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("failed to {action} `{key}`")]
    S3 {
        action: &'static str,
        key: String,
        source: Source,
    },
    #[error("record `{key}` cannot be read as a record")]
    Damaged { key: String, source: Source },
    #[error("record `{key}` kept changing under {TRIES} tries")]
    Contended { key: String },
}

/// How a conditional put ended.
enum Put {
    Done,
    /// Someone else was first, or at the same instant.
    Lost,
}

impl Catalog {
    pub fn new(s3: Client, bucket: String) -> Self {
        let meter = Meter::default();
        Self { s3, bucket, meter }
    }

    /// Has `meter` told what each put that wins has brought about. One that is won without our hearing of it, or whose
    /// writer dies at that moment, is not told: an outcome counts once at most.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    /// The record of an asset.
    pub async fn get(&self, id: &AssetId) -> Result<Option<Versioned<Record>>, CatalogError> {
        self.get_key(&record_key(id)).await
    }

    async fn get_key(&self, key: &str) -> Result<Option<Versioned<Record>>, CatalogError> {
        let answer = match self.s3.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_s3::operation::get_object::GetObjectError::is_no_such_key) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed("read record", key, error)),
        };
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        if answer
            .content_length()
            .is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > RECORD_MAX))
        {
            let source = format!("larger than {RECORD_MAX} bytes").into();
            return Err(CatalogError::Damaged {
                key: key.to_owned(),
                source,
            });
        }
        let body = answer
            .body
            .collect()
            .await
            .map_err(|error| failed("read record", key, error))?;
        match serde_json::from_slice(&body.into_bytes()) {
            Ok(value) => Ok(Some(Versioned { value, etag })),
            Err(error) => Err(CatalogError::Damaged {
                key: key.to_owned(),
                source: error.into(),
            }),
        }
    }

    /// Writes a record that must not exist yet. `false`: someone else has claimed the asset.
    pub async fn claim(&self, record: &Record) -> Result<bool, CatalogError> {
        for attempt in 1..=TRIES {
            match self.put(record, None).await? {
                Put::Done => {
                    self.tell(None, record, Encoded::default());
                    return Ok(true);
                }
                // 409 says only that another writer was at work at this instant: look who has won.
                Put::Lost if self.get(&record.id).await?.is_some() => return Ok(false),
                Put::Lost => pause(attempt).await,
            }
        }
        Err(CatalogError::Contended {
            key: record_key(&record.id),
        })
    }

    /// Changes a record: reads it, lets `change` work on it, writes it back, and again if someone else was
    /// faster. `change` returns whether there is anything to write; it may run several times.
    ///
    /// Returns the record as it then stands, or `None` if there is none.
    pub async fn change(
        &self,
        id: &AssetId,
        change: impl FnMut(&mut Record) -> bool,
    ) -> Result<Option<Record>, CatalogError> {
        self.change_with(id, Encoded::default(), change).await
    }

    /// [`Self::change`], where an attempt that succeeds with it has made outputs of the length `encoded`.
    pub async fn change_with(
        &self,
        id: &AssetId,
        encoded: Encoded,
        mut change: impl FnMut(&mut Record) -> bool,
    ) -> Result<Option<Record>, CatalogError> {
        for attempt in 1..=TRIES {
            let Some(Versioned {
                value: mut record,
                etag,
            }) = self.get(id).await?
            else {
                return Ok(None);
            };
            let before = self.meter.is_on().then(|| record.clone());
            if !change(&mut record) {
                return Ok(Some(record));
            }
            record.updated_at = crate::now();
            match self.put(&record, Some(&etag)).await? {
                Put::Done => {
                    self.tell(before.as_ref(), &record, encoded);
                    return Ok(Some(record));
                }
                Put::Lost => pause(attempt).await,
            }
        }
        Err(CatalogError::Contended { key: record_key(id) })
    }

    fn tell(&self, before: Option<&Record>, after: &Record, encoded: Encoded) {
        if self.meter.is_on() {
            for outcome in outcomes(before, after, encoded, crate::now()) {
                self.meter.tell(&outcome);
            }
        }
    }

    async fn put(&self, record: &Record, etag: Option<&str>) -> Result<Put, CatalogError> {
        let key = record_key(&record.id);
        let body = serde_json::to_vec(record).map_err(|error| CatalogError::Damaged {
            key: key.clone(),
            source: error.into(),
        })?;
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .content_type("application/json");
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.body(ByteStream::from(body)).send().await {
            Ok(_) => Ok(Put::Done),
            // 404: If-Match on a record that has been removed meanwhile.
            Err(error) if matches!(status(&error), Some(404 | 409 | 412)) => Ok(Put::Lost),
            Err(error) => Err(failed("write record", &key, error)),
        }
    }

    /// The record of an asset, as one of many: a damaged record is logged, and is no reason to hide the others.
    pub async fn readable(&self, id: &AssetId) -> Result<Option<Record>, CatalogError> {
        match self.get(id).await {
            Ok(found) => Ok(found.map(|found| found.value)),
            Err(CatalogError::Damaged { key, source }) => {
                tracing::error!(%key, error = %source, "skipped a damaged record");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Assets with a record whose id begins with `prefix`, in the order of their keys: those among the first `limit`
    /// keys (at most 1,000) after the key `after`. Other objects under `catalog/` are passed over.
    pub async fn ids(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Ids, CatalogError> {
        let key = format!("{CATALOG}{prefix}");
        let limit = limit.clamp(1, 1000);
        let answer = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&key)
            .set_start_after(after.map(str::to_owned))
            .max_keys(i32::try_from(limit).unwrap_or(1000))
            .send()
            .await
            .map_err(|error| failed("list records under", &key, error))?;
        let keys = || answer.contents().iter().filter_map(|object| object.key());
        let is_last = !answer.is_truncated().unwrap_or(false);
        Ok(Ids {
            ids: keys().filter_map(asset_of_record).collect(),
            next: keys().next_back().filter(|_| !is_last).map(str::to_owned),
        })
    }
}

/// Waits a little longer after each lost race, and not as long as the others: the clock's own
/// nanoseconds are jitter enough.
async fn pause(attempt: u32) {
    let spread = u64::from(crate::now().subsec_nanosecond().unsigned_abs()) % 20;
    crate::sleep(Duration::from_millis(u64::from(attempt) * (5 + spread))).await;
}

fn status<E>(error: &SdkError<E, Response>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn failed(action: &'static str, key: &str, source: impl Into<Source>) -> CatalogError {
    CatalogError::S3 {
        action,
        key: key.to_owned(),
        source: source.into(),
    }
}
