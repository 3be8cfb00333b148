//! Runs at intervals: it restores the reserve, and removes what was abandoned or set aside days ago.

use jiff::SignedDuration;
use rusqlite::Transaction;

use super::Expiration;
use super::error::OperationError;
use super::index;
use super::parts::drop_upload;
use super::store::{Aftermath, Store};
use super::sweep;

/// A multipart upload that was started so long ago is aborted, as the rule `AbortIncompleteMultipartUpload` of
/// `infra/template.yaml` does on AWS.
const ABANDONED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Uploads in one transaction.
const BATCH: u32 = 100;

impl Store {
    /// One pass.
    pub(super) async fn tidy_up(&self) -> Result<(), OperationError> {
        let (reserve, blobs, now) = (self.reserve.clone(), self.blobs.clone(), self.now());
        let files = tokio::task::spawn_blocking(move || {
            reserve.restore()?;
            sweep::forget(blobs.root(), now)
        });
        let removed = files.await??;
        if removed > 0 {
            tracing::info!(removed, "content files that were set aside days ago are removed");
        }
        let before = (now - ABANDONED).as_millisecond();
        let aborted = self
            .write_delete(move |transaction, after| Ok(abort_older(transaction, after, before)?))
            .await?;
        if aborted > 0 {
            tracing::info!(aborted, "aborted multipart uploads that were started days ago");
        }
        for rule in self.expirations.iter() {
            self.expire(rule).await?;
        }
        Ok(())
    }

    /// Deletes what a lifecycle rule says, in as many transactions as it takes.
    async fn expire(&self, rule: &Expiration) -> Result<(), OperationError> {
        let before = (self.now() - rule.after).as_millisecond();
        loop {
            let rule = rule.clone();
            let deleted = self
                .write_delete(move |transaction, after| delete_older(transaction, after, &rule, before))
                .await?;
            if deleted == 0 {
                return Ok(());
            }
            tracing::info!(deleted, "deleted objects whose time was over");
        }
    }
}

fn delete_older(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    rule: &Expiration,
    before_ms: i64,
) -> Result<usize, OperationError> {
    let keys: Vec<String> = transaction
        .prepare_cached(
            "SELECT key FROM s3_object
             WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2 AND modified_ms < ?3 LIMIT ?4",
        )?
        .query_map((&rule.bucket, &rule.prefix, before_ms, BATCH), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for key in &keys {
        if let Some(object) = index::find_object(transaction, &rule.bucket, key)? {
            index::delete_object(transaction, after, &rule.bucket, &object)?;
        }
    }
    Ok(keys.len())
}

fn abort_older(
    transaction: &Transaction<'_>,
    after: &mut Aftermath,
    before_ms: i64,
) -> rusqlite::Result<usize> {
    let ids: Vec<String> = transaction
        .prepare_cached("SELECT id FROM s3_upload WHERE initiated_ms < ?1 LIMIT ?2")?
        .query_map((before_ms, BATCH), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &ids {
        drop_upload(transaction, after, id)?;
    }
    Ok(ids.len())
}
