//! The clients that all steps share.

use vod_aws::{AwsConfig, Bucket, BucketError, Catalog, MediaConvert, Meter, Removals};
use vod_core::object::Head;

/// What the steps read and write. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    /// The bucket of uploads, templates, records and tombstones.
    pub bucket: String,
    pub catalog: Catalog,
    pub mediaconvert: MediaConvert,
    pub meter: Meter,
    pub removals: Removals,
    pub s3: aws_sdk_s3::Client,
}

impl Services {
    pub fn new(s3: aws_sdk_s3::Client, mediaconvert: MediaConvert, bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            catalog: Catalog::new(s3.clone(), bucket.to_owned()),
            mediaconvert,
            meter: Meter::default(),
            removals: Removals::new(s3.clone(), bucket.to_owned()),
            s3,
        }
    }

    /// With clients of its own.
    pub fn connect(aws: &AwsConfig, bucket: &str) -> Self {
        let mediaconvert = MediaConvert::new(vod_aws::mediaconvert(aws));
        Self::new(vod_aws::s3(aws), mediaconvert, bucket)
    }

    /// Reads the metadata of an upload, in the bucket that its event names. `None`: it does not exist.
    pub(crate) async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, BucketError> {
        Bucket::new(self.s3.clone(), bucket).head(key).await
    }

    /// Reports outcomes to `meter`.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.catalog = self.catalog.metered(meter.clone());
        self.meter = meter;
        self
    }
}
