//! Listings of a bucket, page by page: memory use does not depend on the number of keys.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{BucketVersioningStatus, Object, ObjectVersion};
use serde::{Deserialize, Serialize};
use vod_core::object::Listed;

use crate::bucket::{Bucket, BucketError, real_version, size, time, unquoted};

/// Largest page of a listing, in keys (S3 API reference, `ListObjectsV2`).
const PAGE_MAX: usize = 1000;

/// A place between two pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub key: String,
    /// Where versions are listed: continue after this version of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A page of entries in key order, and the place where the next page begins. No place: this is the last page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries<T> {
    pub entries: Vec<T>,
    pub next: Option<Place>,
}

impl Bucket {
    /// Whether objects of the bucket have version ids: versioning is on, or was once.
    pub async fn is_versioned(&self) -> Result<bool, BucketError> {
        let answer = self.s3.get_bucket_versioning().bucket(&self.name).send().await;
        let answer =
            answer.map_err(|error| BucketError::call("read the versioning of", &self.name, error))?;
        let known = [BucketVersioningStatus::Enabled, BucketVersioningStatus::Suspended];
        Ok(answer.status().is_some_and(|status| known.contains(status)))
    }

    /// Lists objects under `prefix` after `place`, with all their versions where the bucket is `versioned`.
    pub async fn objects(
        &self,
        prefix: &str,
        place: Option<&Place>,
        versioned: bool,
    ) -> Result<Entries<Listed>, BucketError> {
        if versioned {
            self.versions(prefix, place).await
        } else {
            let after = place.map(|place| place.key.as_str());
            self.list(prefix, after, PAGE_MAX).await
        }
    }

    /// Lists objects under `prefix` after the key `after`, at most `limit` of them and at most 1,000.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Entries<Listed>, BucketError> {
        let page = self.page(prefix, after, limit, None).await?;
        let entries: Vec<Listed> = page.contents().iter().filter_map(listed).collect();
        let next = entries.last().map(|last| last.key.as_str());
        let next = next_page(&page, next);
        Ok(Entries { entries, next })
    }

    /// Lists all objects under `prefix`, which must be few enough to hold: those of one asset.
    pub async fn all(&self, prefix: &str) -> Result<Vec<Listed>, BucketError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.list(prefix, after.as_deref(), PAGE_MAX).await?;
            all.extend(page.entries);
            match page.next {
                Some(place) => after = Some(place.key),
                None => return Ok(all),
            }
        }
    }

    /// Lists keys under `prefix` after the key `after`.
    pub async fn keys(&self, prefix: &str, after: Option<&str>) -> Result<Entries<String>, BucketError> {
        let page = self.list(prefix, after, PAGE_MAX).await?;
        Ok(Entries {
            entries: page.entries.into_iter().map(|listed| listed.key).collect(),
            next: page.next,
        })
    }

    /// Lists the folders directly under `prefix`, which ends in `/`, after the folder `after`. Folders end in `/` too.
    pub async fn folders(&self, prefix: &str, after: Option<&str>) -> Result<Entries<String>, BucketError> {
        let page = self.page(prefix, after, PAGE_MAX, Some("/")).await?;
        let entries: Vec<String> = page
            .common_prefixes()
            .iter()
            .filter_map(|folder| folder.prefix().map(str::to_owned))
            .collect();
        // A page may end with a file beside the folders.
        let files = page.contents().iter().filter_map(|object| object.key());
        let last = entries.iter().map(String::as_str).chain(files).max();
        let next = next_page(&page, last);
        Ok(Entries { entries, next })
    }

    async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        delimiter: Option<&str>,
    ) -> Result<ListObjectsV2Output, BucketError> {
        let limit = i32::try_from(limit.clamp(1, PAGE_MAX)).ok();
        let call = self.s3.list_objects_v2().bucket(&self.name).prefix(prefix);
        let call = call
            .set_start_after(after.map(str::to_owned))
            .set_max_keys(limit)
            .set_delimiter(delimiter.map(str::to_owned));
        let answer = Box::pin(call.send()).await;
        answer.map_err(|error| BucketError::call("list", prefix, error))
    }

    async fn versions(&self, prefix: &str, place: Option<&Place>) -> Result<Entries<Listed>, BucketError> {
        let call = self.s3.list_object_versions().bucket(&self.name).prefix(prefix);
        let call = call
            .set_key_marker(place.map(|place| place.key.clone()))
            .set_version_id_marker(place.and_then(|place| place.version.clone()));
        let answer = Box::pin(call.send()).await;
        let answer = answer.map_err(|error| BucketError::call("list", prefix, error))?;
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
}

/// The place after `last`, the last key of a page, unless it is the last page.
fn next_page(page: &ListObjectsV2Output, last: Option<&str>) -> Option<Place> {
    let last = last.filter(|_| page.is_truncated().unwrap_or(false))?;
    Some(Place {
        key: last.to_owned(),
        version: None,
    })
}

fn listed(object: &Object) -> Option<Listed> {
    Some(Listed {
        key: object.key()?.to_owned(),
        version: None,
        latest: true,
        etag: unquoted(object.e_tag()),
        size: size(object.size()),
        modified: time(object.last_modified()),
    })
}

fn version(object: &ObjectVersion) -> Option<Listed> {
    Some(Listed {
        key: object.key()?.to_owned(),
        version: real_version(object.version_id()),
        latest: object.is_latest().unwrap_or(false),
        etag: unquoted(object.e_tag()),
        size: size(object.size()),
        modified: time(object.last_modified()),
    })
}
