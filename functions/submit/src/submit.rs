//! Claim, probe, create, record: each step can be repeated, and a delivery that dies after any of them leaves a
//! state from which the next one goes on.

use std::time::Duration;

use tracing::{info, warn};
use vod_aws::LoadedTemplate;
use vod_core::asset::AssetId;
use vod_core::events::ObjectCreated;
use vod_core::job::Target;
use vod_core::record::{Job, Media, Record, Source, State};
use vod_core::removal::Removal;

use crate::claim::{Claim, lease};
use crate::dead_letter;
use crate::handler::{Invocation, Submit, SubmitError};
use crate::plan::{self, Next};
use crate::source::source;

const REMOVED: &str = "the upload was removed before it could be read";
const REPLACED: &str = "the upload was replaced by a newer one before it could be read";

/// The longest wait for a probe: an invocation has a minute, and has to create the job as well.
const PROBE: Duration = Duration::from_secs(30);

impl Submit {
    /// Brings one upload as far as its jobs. Repeating it changes nothing.
    #[tracing::instrument(skip_all, fields(asset = tracing::field::Empty))]
    pub(crate) async fn submit(
        &self,
        object: &ObjectCreated,
        invocation: &Invocation,
    ) -> Result<(), SubmitError> {
        // The object as it is now, whatever version was uploaded: MediaConvert reads no other.
        let head = self.sources.head(&object.bucket, &object.key, None).await?;
        let source = source(object, head.as_ref());
        let id = AssetId::new(
            &source.bucket,
            &source.key,
            source.version.as_deref(),
            &source.etag,
        );
        tracing::Span::current().record("asset", id.as_str());
        let removal = self.removals.get(&id).await?;
        let covered = |removal: &Removal| {
            removal.covers(source.sequencer.as_deref(), source.uploaded_at) || head.is_none()
        };
        if removal.as_ref().is_some_and(covered) {
            info!("the video was taken down since");
            return Ok(());
        }
        let Some(head) = head else {
            return self.close(id, source, REMOVED, invocation).await;
        };
        if head.etag != source.etag || head.version != source.version {
            return self.close(id, source, REPLACED, invocation).await;
        }
        if head.size == 0 {
            let folder = source.key.ends_with('/');
            let reason = if folder {
                "a directory marker, not a file"
            } else {
                "the file is empty (zero bytes)"
            };
            return self.close(id, source, reason, invocation).await;
        }
        let templates = self.templates().await?;
        let upload = Claim {
            id: &id,
            source: &source,
            templates: &templates,
            removal: removal.as_ref(),
            invocation,
        };
        let Some(record) = self.claim(&upload).await? else {
            return Ok(());
        };
        self.create_jobs(record, &templates, invocation).await
    }

    /// Puts an upload on record that is nothing to encode, or ends what a delivery that died has left of it.
    async fn close(
        &self,
        id: AssetId,
        source: Source,
        reason: &str,
        invocation: &Invocation,
    ) -> Result<(), SubmitError> {
        let now = vod_aws::now();
        let mut record = Record::new(id, source, now);
        record.state = State::Ignored;
        record.reason = Some(reason.to_owned());
        if self.catalog.claim(&record).await? {
            info!(asset = %record.id, reason, "upload ignored");
            return Ok(());
        }
        let Some(known) = self.catalog.get(&record.id).await? else {
            return Ok(());
        };
        let (known, holder) = (known.value, &invocation.holder);
        let found = match plan::next(&known, &known.source, holder, now) {
            Next::Nothing(_) | Next::Restart => return Ok(()),
            Next::TakeOver | Next::TakeUp => self.unrecorded(&known).await?,
        };
        let close = |known: &mut Record| dead_letter::close(known, &found, reason, holder, now);
        self.catalog.change(&record.id, close).await?;
        Ok(())
    }

    /// Starts again what has failed with an error that may pass: a new attempt at each such template. Returns
    /// whether there was anything to start.
    #[tracing::instrument(skip_all, fields(asset = %id))]
    pub async fn retry(&self, id: &AssetId, invocation: &Invocation) -> Result<bool, SubmitError> {
        let templates = self.templates().await?;
        let Some(known) = self.catalog.get(id).await? else {
            return Ok(false);
        };
        let source = known.value.source;
        let head = self.sources.head(&source.bucket, &source.key, None).await?;
        let same = head.is_some_and(|head| head.etag == source.etag && head.version == source.version);
        let media = self.media_again(&source).await;
        let mut started = false;
        let changed = self.catalog.change(id, |record| {
            started = plan::retry(record, &templates, same);
            if started && same {
                record.source.media = media.clone();
                self.plan(record, &templates);
                record.lease = Some(lease(invocation));
            }
            started
        });
        match changed.await? {
            Some(record) if started && same => {
                info!("trying again");
                Box::pin(self.create_jobs(record, &templates, invocation)).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The bucket's templates, else the built-in one.
    pub async fn templates(&self) -> Result<Vec<LoadedTemplate>, SubmitError> {
        let templates = vod_aws::load_templates(&self.s3, &self.config.bucket).await?;
        Ok(if templates.is_empty() {
            vec![self.config.template.clone()]
        } else {
            templates
        })
    }

    /// What the job of one attempt is for, and where its parts go.
    pub fn target<'a>(&'a self, record: &'a Record, planned: &'a Job) -> Target<'a> {
        Target {
            asset: &record.id,
            template: &planned.template,
            attempt: planned.attempt,
            input_bucket: &record.source.bucket,
            input_key: &record.source.key,
            output_bucket: &self.config.output_bucket,
            role_arn: &self.config.role_arn,
            queue: self.config.queue.as_deref(),
            application: &self.config.application,
        }
    }

    /// [`Self::media`] of a source on record, where that does not tell.
    pub(crate) async fn media_again(&self, source: &Source) -> Media {
        if source.media == Media::default() {
            self.media(source).await
        } else {
            source.media.clone()
        }
    }

    /// What is known of the source. A probe that fails or takes long never fails the upload: the template then goes
    /// as it is.
    pub async fn media(&self, source: &Source) -> Media {
        let url = format!("s3://{}/{}", source.bucket, source.key);
        match vod_aws::within(PROBE, self.mediaconvert.probe(&url)).await {
            Some(Ok(media)) => return media,
            Some(Err(error)) => warn!(key = ?source.key, error = vod_aws::chain(&error), "probe failed"),
            None => warn!(key = ?source.key, seconds = PROBE.as_secs(), "probe took too long"),
        }
        Media::default()
    }
}
