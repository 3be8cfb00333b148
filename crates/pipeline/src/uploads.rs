//! Uploads in parts that a browser or app sends straight into the bucket.
//!
//! A session reserves the name of its file at `ops/uploads/<SHA-256 of key>` with a conditional write, so that two sessions never
//! have one key. The object is made on condition that none has its key, so that no upload ever replaces another.

use std::time::Duration;

use serde::Serialize;
use vod_aws::{Bucket, BucketError, Completion, Finished, NewUpload, Versioned};
use vod_core::asset::AssetId;
use vod_core::upload::{
    ListedPart, MARKER, Refusal, Session, StoredPart, Uploader, check_type, keys, session_key,
};

/// How long a URL of a part is valid. S3 checks it when the request begins.
const URL_VALID: Duration = Duration::from_hours(1);
/// The largest session document in bytes.
const SESSION_MAX: usize = 64 << 10;

/// Takes uploads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Uploads {
    bucket: Bucket,
}

/// A file that a client wants to upload.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub name: String,
    pub content_type: Option<String>,
    /// In bytes.
    pub size: u64,
}

/// The answer to a new upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    pub key: String,
    pub upload_id: String,
    /// In bytes.
    pub part_size: u64,
}

/// A request about an upload that failed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl Uploads {
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Starts an upload under the first name that is free.
    pub async fn create(&self, uploader: &Uploader, file: &NewFile) -> Result<Created, UploadError> {
        uploader.check_size(file.size)?;
        if let Some(kind) = &file.content_type {
            check_type(kind)?;
        }
        for key in keys(&uploader.folder()?, &file.name, vod_aws::now())? {
            if let Some(session) = self.reserve(uploader, file, &key).await? {
                return Ok(Created {
                    part_size: session.plan().part_size,
                    upload_id: session.upload_id,
                    key,
                });
            }
        }
        Err(Refusal::NamesTaken.into())
    }

    /// Starts an upload at `key` and reserves it. `None`: the key is taken.
    async fn reserve(
        &self,
        uploader: &Uploader,
        file: &NewFile,
        key: &str,
    ) -> Result<Option<Session>, UploadError> {
        let now = vod_aws::now();
        let earlier = self.session(key).await?;
        let is_open = earlier.as_ref().is_some_and(|earlier| earlier.value.is_open(now));
        if is_open || self.bucket.head(key).await?.is_some() {
            return Ok(None);
        }
        let mut session = uploader.session(key, file.size, now);
        let new = NewUpload {
            key,
            content_type: file.content_type.as_deref(),
            metadata: (MARKER, &session.marker),
        };
        session.upload_id = self.bucket.start_upload(new).await?;
        let etag = earlier.as_ref().map(|earlier| earlier.etag.as_str());
        let written = self.bucket.put_if(&session_key(key), etag, &session).await?;
        if written.is_none() {
            // Another session was first. An upload that is left here by a crash ends with the bucket's lifecycle rule.
            self.bucket.abort_upload(key, &session.upload_id).await?;
            return Ok(None);
        }
        if let Some(expired) = earlier.filter(|earlier| earlier.value.asset.is_none()) {
            self.bucket.abort_upload(key, &expired.value.upload_id).await?;
        }
        Ok(Some(session))
    }

    /// The parts that have arrived.
    pub async fn parts(
        &self,
        uploader: &Uploader,
        key: &str,
        upload: &str,
    ) -> Result<Vec<StoredPart>, UploadError> {
        let session = self.open(uploader, key, upload).await?.value;
        let parts = self.bucket.parts(key, &session.upload_id).await?;
        Ok(parts.ok_or(Refusal::Missing)?)
    }

    /// A URL to which the client sends part `number`. Its signature covers the length of the part.
    pub async fn sign(
        &self,
        uploader: &Uploader,
        key: &str,
        upload: &str,
        number: u32,
    ) -> Result<String, UploadError> {
        let session = self.open(uploader, key, upload).await?.value;
        let length = session.plan().length(number)?;
        let presigned = self.bucket.presign_part(key, upload, number, length, URL_VALID);
        Ok(presigned.await?)
    }

    /// Makes one object of the parts. A repeated call returns the same asset.
    pub async fn complete(
        &self,
        uploader: &Uploader,
        key: &str,
        upload: &str,
        listed: Vec<ListedPart>,
    ) -> Result<AssetId, UploadError> {
        let Versioned { value: session, etag } = self.find(uploader, key, upload).await?;
        if let Some(asset) = session.asset {
            return Ok(asset);
        }
        uploader.check_size(session.size)?;
        let finished = match self.bucket.parts(key, upload).await? {
            Some(stored) => {
                session.plan().check(listed, &stored)?;
                match self.bucket.complete_upload(key, upload, &stored).await? {
                    Completion::Done(finished) => finished,
                    Completion::Refused => self.completed_before(&session).await?,
                }
            }
            None => self.completed_before(&session).await?,
        };
        let asset = AssetId::new(
            self.bucket.name(),
            key,
            finished.version.as_deref(),
            &finished.etag,
        );
        let done = Session {
            asset: Some(asset.clone()),
            ..session
        };
        // If another call was first, it has written the same.
        self.bucket.put_if(&session_key(key), Some(&etag), &done).await?;
        Ok(asset)
    }

    /// The object that an earlier call made of this session: its response was lost, or it runs at the same time.
    async fn completed_before(&self, session: &Session) -> Result<Finished, UploadError> {
        match self.bucket.marked(&session.key, MARKER).await? {
            Some((finished, Some(marker))) if marker == session.marker => Ok(finished),
            Some(_) => Err(Refusal::NameTaken.into()),
            None => Err(Refusal::Missing.into()),
        }
    }

    /// Ends an upload and deletes its parts and its reservation.
    pub async fn abort(&self, uploader: &Uploader, key: &str, upload: &str) -> Result<(), UploadError> {
        let session = self.find(uploader, key, upload).await?;
        let is_complete = session.value.asset.is_some()
            || match self.completed_before(&session.value).await {
                Ok(_) => true,
                Err(UploadError::Refused(_)) => false,
                Err(error) => return Err(error),
            };
        if is_complete {
            return Err(Refusal::Complete.into());
        }
        self.bucket.abort_upload(key, upload).await?;
        self.bucket.delete_if(&session_key(key), &session.etag).await?;
        Ok(())
    }

    /// A session that has not been completed.
    async fn open(
        &self,
        uploader: &Uploader,
        key: &str,
        upload: &str,
    ) -> Result<Versioned<Session>, UploadError> {
        let session = self.find(uploader, key, upload).await?;
        match session.value.asset {
            Some(_) => Err(Refusal::Complete.into()),
            None => Ok(session),
        }
    }

    /// The session `upload`, if `uploader` may continue it.
    async fn find(
        &self,
        uploader: &Uploader,
        key: &str,
        upload: &str,
    ) -> Result<Versioned<Session>, UploadError> {
        let session = self.session(key).await?.ok_or(Refusal::Missing)?;
        session.value.check(uploader, upload)?;
        Ok(session)
    }

    async fn session(&self, key: &str) -> Result<Option<Versioned<Session>>, BucketError> {
        self.bucket.get_json(&session_key(key), SESSION_MAX).await
    }
}
