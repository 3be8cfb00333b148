//! The uploaded object itself.

use aws_sdk_s3::Client;
use jiff::Timestamp;
use vod_core::object::Head;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Reads what is known of uploads.
#[derive(Debug, Clone)]
pub struct Sources {
    pub(crate) s3: Client,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to {action} of `{key}`")]
pub struct SourceError {
    pub action: &'static str,
    pub key: String,
    pub source: Source,
}

impl Sources {
    pub fn new(s3: Client) -> Self {
        Self { s3 }
    }

    /// The object as it is now, or of one version. `None`: it is gone.
    pub async fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<Head>, SourceError> {
        let call = self
            .s3
            .head_object()
            .bucket(bucket)
            .key(key)
            .set_version_id(version.map(str::to_owned));
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_s3::operation::head_object::HeadObjectError::is_not_found) =>
            {
                return Ok(None);
            }
            Err(error) => {
                return Err(SourceError {
                    action: "read the head",
                    key: key.to_owned(),
                    source: error.into(),
                });
            }
        };
        let modified = answer
            .last_modified()
            .and_then(|time| Timestamp::new(time.secs(), 0).ok());
        Ok(Some(Head {
            size: answer
                .content_length()
                .and_then(|length| u64::try_from(length).ok())
                .unwrap_or(0),
            etag: answer.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            version: answer
                .version_id()
                .filter(|version| *version != "null")
                .map(str::to_owned),
            modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
        }))
    }
}
