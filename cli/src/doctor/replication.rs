//! Copies of uploads in another region: whether the newest one has arrived.
//!
//! A replication that fails is silent: S3 notes it at the object alone.

use std::time::SystemTime;

use anyhow::{Context, bail};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::ReplicationStatus;
use vod_core::keys::INPUT;

use crate::aws::sdk_error;
use crate::stack::Stack;

/// S3 copies most objects within 15 minutes and may take hours (S3 guide, replication). Seconds.
const LONG: i64 = 24 * 3600;
/// Pages of 1,000 uploads that are looked through for the newest one: a listing is sorted by name.
const PAGES: usize = 20;

/// Whether the newest upload was copied to the replica.
pub(super) async fn newest(stack: &Stack, replica: &str) -> anyhow::Result<String> {
    let Some((key, uploaded)) = latest(stack).await? else {
        return Ok(format!("no upload yet to copy to `{replica}`"));
    };
    let head = stack
        .s3()
        .head_object()
        .bucket(&stack.bucket)
        .key(&key)
        .send()
        .await;
    let head = head.map_err(|error| sdk_error(&format!("could not read `{key}`"), "s3:GetObject", error))?;
    let now = DateTime::from(SystemTime::now()).secs();
    judge(&key, replica, head.replication_status(), now - uploaded)
}

fn judge(key: &str, replica: &str, status: Option<&ReplicationStatus>, age: i64) -> anyhow::Result<String> {
    match status {
        Some(ReplicationStatus::Failed) => {
            bail!("S3 could not copy the newest upload `{key}` to `{replica}` (FAILED)")
        }
        Some(ReplicationStatus::Pending) if age > LONG => {
            bail!(
                "the newest upload `{key}` has waited for more than a day to be copied to `{replica}` (PENDING)"
            )
        }
        Some(ReplicationStatus::Pending) => {
            Ok(format!("the newest upload `{key}` is on its way to `{replica}`"))
        }
        Some(_) => Ok(format!("the newest upload `{key}` is in `{replica}`")),
        None if age > LONG => Ok(format!(
            "not tried: the newest upload `{key}` is older than the replication"
        )),
        None => bail!(
            "no rule copies the newest upload `{key}` to `{replica}`, unless replication began after it came"
        ),
    }
}

/// The key of the newest upload, and when it came, in seconds since the epoch.
async fn latest(stack: &Stack) -> anyhow::Result<Option<(String, i64)>> {
    let listing = stack.s3().list_objects_v2().bucket(&stack.bucket).prefix(INPUT);
    let mut pages = listing.into_paginator().send();
    let mut newest = None;
    for _ in 0..PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| sdk_error("could not list the uploads", "s3:ListBucket", error))?;
        for object in page.contents() {
            let modified = object.last_modified().context("S3 gave no date")?.secs();
            if newest.as_ref().is_none_or(|(_, known)| *known < modified) {
                newest = Some((object.key().unwrap_or_default().to_owned(), modified));
            }
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_failed_or_never_came_is_a_fault() {
        for (status, age, is_fine) in [
            (Some(ReplicationStatus::Complete), 60, true),
            (Some(ReplicationStatus::Completed), 60, true),
            (Some(ReplicationStatus::Pending), 60, true),
            (Some(ReplicationStatus::Pending), LONG + 1, false),
            (Some(ReplicationStatus::Failed), 60, false),
            (None, 60, false),
            (None, LONG + 1, true),
        ] {
            let judged = judge("input/a", "copies", status.as_ref(), age);
            assert_eq!(judged.is_ok(), is_fine, "{status:?} {age}: {judged:?}");
        }
    }
}
