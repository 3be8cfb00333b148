//! Job templates and presets, as JSON: the SDK's typed model drops settings newer than itself.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_mediaconvert::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

use super::{MediaConvert, MediaConvertError};

/// The document, or MediaConvert's own words that it does not exist.
type Document = Result<Value, String>;

impl MediaConvert {
    /// Reads a preset by its name or ARN: `settings` and what describes them.
    pub async fn preset(&self, name: &str) -> Result<Document, MediaConvertError> {
        let body = Body::default();
        let call = self.client.get_preset().name(name).customize();
        let answer = call.interceptor(body.clone()).send().await;
        document("read the preset", answer, &body, "preset")
    }

    /// Reads a job template by its name or ARN: `settings`, and defaults of other members of a job.
    pub async fn job_template(&self, name: &str) -> Result<Document, MediaConvertError> {
        let body = Body::default();
        let call = self.client.get_job_template().name(name).customize();
        let answer = call.interceptor(body.clone()).send().await;
        document("read the job template", answer, &body, "jobTemplate")
    }
}

#[expect(clippy::result_large_err, reason = "the callers return it as it is")]
fn document<T, E>(
    action: &'static str,
    answer: Result<T, SdkError<E, Response>>,
    body: &Body,
    member: &str,
) -> Result<Document, MediaConvertError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if let Err(error) = answer {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
        return match (status, message) {
            (Some(400 | 404), Some(message)) => Ok(Err(message.to_owned())),
            _ => Err(MediaConvertError::new(action, error)),
        };
    }
    let text = body.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut document: Value = serde_json::from_slice(&text).unwrap_or_default();
    match document[member].take() {
        document @ Value::Object(_) => Ok(Ok(document)),
        _ => Err(MediaConvertError {
            action,
            refusal: None,
            source: format!("the answer has no {member}").into(),
        }),
    }
}

/// The body of the last response.
#[derive(Debug, Clone, Default)]
struct Body(Arc<Mutex<Vec<u8>>>);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.response().body().bytes().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
        Ok(())
    }
}
