//! The user's templates: `jobs/<name>.json` in the bucket, one job each, in name order.

use aws_sdk_s3::Client;
use mediaconvert_job::template::MAX_BYTES;
use vod_core::job::LoadedTemplate;
use vod_core::keys::{JOBS, template_name};

/// How many templates one upload may be encoded by; every one costs money.
const TEMPLATES_MAX: usize = 20;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
#[error("failed to {action} `{key}`")]
pub struct TemplatesError {
    action: &'static str,
    key: String,
    source: Source,
}

/// The templates in the bucket. An empty list means that the built-in one applies.
pub async fn load_templates(s3: &Client, bucket: &str) -> Result<Vec<LoadedTemplate>, TemplatesError> {
    let failed = |action, key: &str, source: Source| TemplatesError {
        action,
        key: key.to_owned(),
        source,
    };
    let list = s3.list_objects_v2().bucket(bucket).prefix(JOBS).send();
    let list = list.await.map_err(|error| failed("list", JOBS, error.into()))?;
    let mut templates = Vec::new();
    for key in list.contents().iter().filter_map(|object| object.key()) {
        let Some(name) = template_name(key) else { continue };
        if templates.len() == TEMPLATES_MAX {
            let problem = format!("{key}: only {TEMPLATES_MAX} templates are read, in name order");
            templates.push(LoadedTemplate::unusable(&name, problem));
            break;
        }
        let answer = match s3.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            // Removed since it was listed.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_s3::operation::get_object::GetObjectError::is_no_such_key) =>
            {
                continue;
            }
            Err(error) => return Err(failed("read", key, error.into())),
        };
        if answer
            .content_length()
            .is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > MAX_BYTES))
        {
            let problem = format!("{key}: larger than {MAX_BYTES} bytes");
            templates.push(LoadedTemplate::unusable(&name, problem));
            continue;
        }
        let body = answer
            .body
            .collect()
            .await
            .map_err(|error| failed("read", key, error.into()))?;
        templates.push(LoadedTemplate::parse(&name, key, &body.into_bytes()));
    }
    Ok(templates)
}
