//! What lies in a bucket, page by page: memory stays the same however many keys there are.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, Object, ObjectVersion};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vod_core::object::Listed;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// One bucket's listings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Listing {
    s3: Client,
    bucket: String,
}

/// A place between two pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub key: String,
    /// Only where versions are listed: of this key, those after this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Some entries in key order, and where to go on; no place: the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries<T> {
    pub entries: Vec<T>,
    pub next: Option<Place>,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to list {what} of bucket `{bucket}`")]
pub struct ListingError {
    what: String,
    bucket: String,
    source: Source,
}

impl Listing {
    pub fn new(s3: Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Whether objects of the bucket have version ids: it is versioned, or was once.
    pub async fn is_versioned(&self) -> Result<bool, ListingError> {
        let answer = self.s3.get_bucket_versioning().bucket(&self.bucket).send().await;
        let answer = answer.map_err(|error| self.failed("the versioning", error))?;
        let known = [BucketVersioningStatus::Enabled, BucketVersioningStatus::Suspended];
        Ok(answer.status().is_some_and(|status| known.contains(status)))
    }

    /// Objects under `prefix` after `place`, all their versions where the bucket is `versioned`.
    pub async fn objects(
        &self,
        prefix: &str,
        place: Option<&Place>,
        versioned: bool,
    ) -> Result<Entries<Listed>, ListingError> {
        if versioned {
            self.versions(prefix, place).await
        } else {
            self.latest(prefix, place).await
        }
    }

    async fn latest(&self, prefix: &str, place: Option<&Place>) -> Result<Entries<Listed>, ListingError> {
        let call = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let call = call.set_start_after(place.map(|place| place.key.clone()));
        let answer = call.send().await.map_err(|error| self.failed(prefix, error))?;
        let entries: Vec<Listed> = answer.contents().iter().filter_map(listed).collect();
        let more = answer.is_truncated().unwrap_or(false);
        let next = entries.last().filter(|_| more).map(|last| Place {
            key: last.key.clone(),
            version: None,
        });
        Ok(Entries { entries, next })
    }

    async fn versions(&self, prefix: &str, place: Option<&Place>) -> Result<Entries<Listed>, ListingError> {
        let call = self.s3.list_object_versions().bucket(&self.bucket).prefix(prefix);
        let call = call
            .set_key_marker(place.map(|place| place.key.clone()))
            .set_version_id_marker(place.and_then(|place| place.version.clone()));
        let answer = call.send().await.map_err(|error| self.failed(prefix, error))?;
        let more = answer.is_truncated().unwrap_or(false);
        let next = answer.next_key_marker().filter(|_| more).map(|key| Place {
            key: key.to_owned(),
            version: answer.next_version_id_marker().map(str::to_owned),
        });
        Ok(Entries {
            entries: answer.versions().iter().filter_map(version).collect(),
            next,
        })
    }

    /// Keys under `prefix` after the key `after`.
    pub async fn keys(&self, prefix: &str, after: Option<&str>) -> Result<Entries<String>, ListingError> {
        let place = after.map(|key| Place {
            key: key.to_owned(),
            version: None,
        });
        let page = self.latest(prefix, place.as_ref()).await?;
        Ok(Entries {
            entries: page.entries.into_iter().map(|listed| listed.key).collect(),
            next: page.next,
        })
    }

    /// Folders right under `prefix`, which ends in `/`, after the folder `after`; with their last `/`.
    pub async fn folders(&self, prefix: &str, after: Option<&str>) -> Result<Entries<String>, ListingError> {
        let call = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .delimiter("/");
        let call = call.set_start_after(after.map(str::to_owned));
        let answer = call.send().await.map_err(|error| self.failed(prefix, error))?;
        let entries: Vec<String> = answer
            .common_prefixes()
            .iter()
            .filter_map(|folder| folder.prefix().map(str::to_owned))
            .collect();
        let more = answer.is_truncated().unwrap_or(false);
        // A page may end with a file that lies beside the folders.
        let last = entries.iter().map(String::as_str);
        let last = last
            .chain(answer.contents().iter().filter_map(|object| object.key()))
            .max();
        let next = last.filter(|_| more).map(|key| Place {
            key: key.to_owned(),
            version: None,
        });
        Ok(Entries { entries, next })
    }

    fn failed(&self, what: &str, source: impl Into<Source>) -> ListingError {
        ListingError {
            what: what.to_owned(),
            bucket: self.bucket.clone(),
            source: source.into(),
        }
    }
}

fn listed(object: &Object) -> Option<Listed> {
    Some(Listed {
        key: object.key()?.to_owned(),
        version: None,
        latest: true,
        etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        size: size(object.size()),
        modified: time(object.last_modified()),
    })
}

fn version(object: &ObjectVersion) -> Option<Listed> {
    Some(Listed {
        key: object.key()?.to_owned(),
        version: object
            .version_id()
            .filter(|version| *version != "null")
            .map(str::to_owned),
        latest: object.is_latest().unwrap_or(false),
        etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        size: size(object.size()),
        modified: time(object.last_modified()),
    })
}

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
}

fn time(time: Option<&aws_smithy_types::DateTime>) -> Timestamp {
    time.and_then(|time| Timestamp::new(time.secs(), 0).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
