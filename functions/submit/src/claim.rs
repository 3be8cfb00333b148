//! The claim of an asset: made, taken over, or begun again. All that is to be created is on record before it is.

use jiff::SignedDuration;
use tracing::{info, warn};
use vod_aws::LoadedTemplate;
use vod_core::asset::AssetId;
use vod_core::record::{Lease, Media, Record, Source};
use vod_core::removal::Removal;

use crate::attempts;
use crate::handler::{Invocation, Submit, SubmitError};
use crate::plan::{self, Next};

/// How long a lease outlives the invocation that holds it, so that a call sent at its last moment has
/// ended before anybody takes over.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_mins(1);

/// An upload that is to be claimed.
pub(crate) struct Claim<'a> {
    pub(crate) id: &'a AssetId,
    pub(crate) source: &'a Source,
    pub(crate) templates: &'a [LoadedTemplate],
    pub(crate) removal: Option<&'a Removal>,
    pub(crate) invocation: &'a Invocation,
}

impl Submit {
    /// Claims the asset, or takes over or restarts what is on record. `None`: nothing is left to do here.
    pub(crate) async fn claim(&self, claim: &Claim<'_>) -> Result<Option<Record>, SubmitError> {
        let now = vod_aws::now();
        let next = |known: &Record| plan::next(known, claim.source, &claim.invocation.holder, now);
        let mut media = Media::default();
        if let Some(known) = self.catalog.get(claim.id).await? {
            if let Next::Nothing(why) = next(&known.value) {
                info!(asset = %claim.id, why, "nothing to do");
                return Ok(None);
            }
            media = self.media_again(&known.value.source).await;
        } else if let Some(record) = self.claim_first(claim).await? {
            return Ok(Some(record));
        }
        let mut found = Next::Nothing("the record is gone");
        let changed = self.catalog.change(claim.id, |known| {
            found = next(known);
            let moves = !matches!(found, Next::Nothing(_));
            if moves {
                self.go_on(known, &found, claim, &media);
            }
            moves
        });
        let changed = changed.await?;
        if let Next::Nothing(why) = found {
            info!(asset = %claim.id, why, "nothing to do");
            return Ok(None);
        }
        warn!(asset = %claim.id, next = ?found, "going on with a claim");
        Ok(changed)
    }

    /// Claims an asset that has no record. `None`: somebody else was first.
    ///
    /// The source is probed before, so that the claim says what will be sent: whoever dies after CreateJob leaves a
    /// whole record behind, even when COMPLETE is faster than the next delivery.
    async fn claim_first(&self, claim: &Claim<'_>) -> Result<Option<Record>, SubmitError> {
        let mut source = claim.source.clone();
        source.media = self.media(&source).await;
        let mut record = Record::new(claim.id.clone(), source, vod_aws::now());
        record.jobs = attempts::first_attempts(claim.templates);
        attempts::go_on_counting(&mut record.jobs, claim.removal);
        record.lease = Some(lease(claim.invocation));
        record.repairs = u32::from(claim.invocation.repair);
        self.plan(&mut record, claim.templates);
        if !self.catalog.claim(&record).await? {
            return Ok(None);
        }
        info!(asset = %record.id, "claimed");
        Ok(Some(record))
    }

    /// Makes a record ours, with the attempts that are now to be made.
    fn go_on(&self, known: &mut Record, next: &Next, claim: &Claim<'_>, media: &Media) {
        match next {
            Next::Nothing(_) => return,
            Next::TakeOver => {}
            Next::Restart => {
                known.source.sequencer.clone_from(&claim.source.sequencer);
                known.source.uploaded_at = claim.source.uploaded_at;
                known.repairs = 0;
                plan::add_attempts(known, claim.templates);
            }
            Next::TakeUp => {
                let never_planned = known.jobs.is_empty();
                attempts::take_up(known, claim.templates);
                if never_planned {
                    let unknown = std::mem::take(&mut known.source.unknown);
                    known.source.clone_from(claim.source);
                    known.source.unknown = unknown;
                    attempts::go_on_counting(&mut known.jobs, claim.removal);
                }
            }
        }
        if known.source.media == Media::default() {
            known.source.media = media.clone();
        }
        known.repairs += u32::from(claim.invocation.repair);
        known.lease = Some(lease(claim.invocation));
        self.plan(known, claim.templates);
    }

    /// Puts on record what the jobs to be created will be like: events do not tell what our rules have changed, nor
    /// the distance of thumbnails. An attempt for which there can be no job ends here.
    pub(crate) fn plan(&self, record: &mut Record, templates: &[LoadedTemplate]) {
        for index in 0..record.jobs.len() {
            let job = &record.jobs[index];
            let unplanned = job.changes.is_empty() && job.thumbnail_interval_ms.is_none();
            if job.job_id.is_some() || job.state.is_terminal() || !unplanned {
                continue;
            }
            match self.request(record, job, templates) {
                Ok((request, _)) => {
                    record.jobs[index].changes = request.changes;
                    record.jobs[index].thumbnail_interval_ms = request.thumbnail_interval_ms;
                    record.add_left_out(request.left_out);
                }
                Err(problem) => attempts::fail(&mut record.jobs[index], problem),
            }
        }
        vod_core::state::refresh(record);
    }
}

pub(crate) fn lease(invocation: &Invocation) -> Lease {
    Lease {
        holder: invocation.holder.clone(),
        until: invocation.deadline + LEASE_MARGIN,
        ..Lease::default()
    }
}
