//! Runs before the store serves: it makes sure that index and content files belong together.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use local_base::db::in_transaction;
use rusqlite::Connection;

use super::blobs::Blobs;
use super::error::OperationError;
use super::generation::{Mismatch, Relation, Stamp, relate};
use super::index;
use super::sweep::{self, KEPT, Swept};

/// So many objects with a broken file are named in the log.
const NAMED: usize = 20;

/// Refuses a state folder that has content files and no index.
pub(super) fn check(state: &Path) -> Result<(), OperationError> {
    let index = std::fs::metadata(state.join("vod.db"));
    let has_index = index.is_ok_and(|metadata| metadata.len() > 0);
    let objects = state.join("objects");
    if has_index || !objects.try_exists()? {
        return Ok(());
    }
    match sweep::count(&objects)? {
        0 => Ok(()),
        files => Err(Mismatch::NoIndex(state.display().to_string(), files).into()),
    }
}

/// Opens the content files next to their index, which `connection` has to itself.
pub(super) fn open(
    connection: &mut Connection,
    state: &Path,
    now: Timestamp,
) -> Result<Arc<Blobs>, OperationError> {
    let blobs = Blobs::open(state)?;
    let objects = blobs.root();
    let (index, files) = (Stamp::of_index(connection)?, Stamp::of_files(objects)?);
    let empty = index::is_empty(connection)?;
    let related = relate(
        state,
        index.as_ref(),
        files.as_ref(),
        empty,
        sweep::count(objects)?,
    )?;
    let swept = sweep::sweep(objects, &index::files(connection)?, now)?;
    report(state, related, &swept);
    name_broken(connection, &swept.broken)?;
    let stamp = in_transaction(connection, |transaction| {
        Ok::<_, OperationError>(Stamp::advance(transaction)?)
    })?;
    stamp.write(objects)?;
    Ok(blobs)
}

fn report(state: &Path, related: Relation, swept: &Swept) {
    let (state, aside) = (state.display(), swept.aside);
    match related {
        Relation::Same => {}
        Relation::OlderIndex => tracing::warn!(
            aside,
            "{state}/vod.db is older than the content files: was a backup put back? {aside} files that it does not \
             know are kept in {state}/objects/orphans for {KEPT} days. To have them back, stop, put the newer vod.db \
             back, and start again"
        ),
        Relation::OlderFiles => tracing::error!(
            "{state}/objects is older than vod.db: was a backup put back? Uploads since then cannot be read. Stop, \
             put objects and vod.db back from the same backup, and start again"
        ),
    }
    if related == Relation::Same && aside > 0 {
        tracing::info!(
            aside,
            "content files of an interrupted run are kept in objects/orphans for {KEPT} days"
        );
    }
    if swept.back > 0 {
        tracing::info!(
            back = swept.back,
            "content files that were set aside are in use again"
        );
    }
}

/// Says which objects cannot be read whole any more.
fn name_broken(connection: &Connection, broken: &[String]) -> Result<(), OperationError> {
    if broken.is_empty() {
        return Ok(());
    }
    let files = broken.len();
    tracing::error!(
        files,
        "content files are missing or cut; reads of their objects fail"
    );
    for blob in broken.iter().take(NAMED) {
        for (bucket, key) in index::objects_of(connection, blob)? {
            tracing::error!(
                bucket,
                ?key,
                "this object cannot be read whole: upload it again, or remove it"
            );
        }
    }
    Ok(())
}
