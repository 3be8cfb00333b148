//! The user's templates: `jobs/<name>.json` in the bucket, one job each, in the order of their names.

use aws_sdk_s3::Client;
use mediaconvert_job::template::MAX_BYTES;
use vod_core::job::LoadedTemplate;
use vod_core::keys::{JOBS, template_name};

use crate::bucket::{Bucket, BucketError};

/// Largest number of templates that one upload is encoded with; each of them costs money.
const TEMPLATES_MAX: usize = 20;
/// Largest number of keys under `jobs/` that are looked at, templates or not.
const KEYS_MAX: usize = 1000;

/// Reads the templates in the bucket. If there are none, the built-in one applies.
pub async fn load_templates(s3: &Client, bucket: &str) -> Result<Vec<LoadedTemplate>, BucketError> {
    let bucket = Bucket::new(s3.clone(), bucket);
    let mut templates = Vec::new();
    for key in bucket.list(JOBS, None, KEYS_MAX).await?.entries {
        let key = key.key;
        let Some(name) = template_name(&key) else { continue };
        if templates.len() == TEMPLATES_MAX {
            let reason = format!("{key}: only {TEMPLATES_MAX} templates are read, in name order");
            templates.push(LoadedTemplate::unusable(&name, reason));
            break;
        }
        match bucket.get(&key, MAX_BYTES).await {
            Ok(Some(found)) => templates.push(LoadedTemplate::parse(&name, &key, &found.value)),
            // Removed since it was listed.
            Ok(None) => {}
            Err(error) if error.is_damaged() => {
                let reason = format!("{key}: larger than {MAX_BYTES} bytes");
                templates.push(LoadedTemplate::unusable(&name, reason));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(templates)
}
