//! The engine behind the service: jobs in SQLite, ffmpeg for the rest.

use std::sync::PoisonError;
use std::time::Duration;

use mediaconvert_api::{Engine, Location, ServiceError};
use serde_json::Value;

use super::MediaConvert;
use super::inspect;
use super::sample::{self, SampleError};
use super::scratch::Scratch;
use super::store::JobStore;
use super::transfer::Kind;

/// The longest that Probe takes. `submit` calls it within its minute, and has to create the job as well.
const PROBE_ANSWER: Duration = Duration::from_secs(20);

impl Engine for MediaConvert {
    type Store = JobStore;

    fn store(&self) -> &JobStore {
        &self.inner.store
    }

    fn concurrency(&self) -> usize {
        self.inner.settings.concurrency.max(1)
    }

    async fn stop(&self, id: &str) {
        let running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = running.get(id) {
            token.cancel();
        }
    }

    async fn probe(&self, object: &Location) -> Result<Value, ServiceError> {
        let folder = Scratch::new(&self.settings().work, "probe").await;
        let folder = folder.map_err(|error| ServiceError::internal("make a work folder", &error))?;
        let path = folder.path().join("input");
        let limits = self.probe_limits();
        let probing = Box::pin(sample::probe(self.s3(), object, &path, &limits));
        let probed = tokio::time::timeout(PROBE_ANSWER, probing).await.map_err(|_| {
            let seconds = PROBE_ANSWER.as_secs();
            ServiceError::Unprocessable(format!("Unable to probe {object}: no answer within {seconds} s"))
        })?;
        let (info, facts) = probed.map_err(|error| service_error(object, &error))?;
        Ok(inspect::probe_result(&object.to_string(), &info, &facts))
    }
}

fn service_error(object: &Location, error: &SampleError) -> ServiceError {
    match error {
        SampleError::TooLarge(_) | SampleError::Probe(_) => {
            ServiceError::Unprocessable(format!("Unable to probe {object}: {error}"))
        }
        SampleError::Transfer(transfer) => match transfer.kind {
            Kind::NotFound => ServiceError::NotFound(error.to_string()),
            Kind::Denied => ServiceError::Forbidden(error.to_string()),
            Kind::DiskFull | Kind::Other => ServiceError::internal("probe an object", error),
        },
    }
}
