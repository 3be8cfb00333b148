//! Lists the records that a viewer may see: only ids that the token covers are counted, and only their records are read.

use futures::{Stream, StreamExt as _};
use vod_aws::{BucketError, Catalog};
use vod_core::asset::AssetId;
use vod_core::keys::{CATALOG, record_key};
use vod_core::record::Record;

use vod_http::auth::Viewer;

/// Calls of `ListObjectsV2` that one request may make. With a pattern that begins with `*`, most of what they list may
/// be hidden from the viewer.
pub(crate) const CALLS_MAX: usize = 50;
/// Keys that one call lists for a viewer who may see some of them only.
pub(crate) const KEYS: usize = 1_000;

/// Records that are read at one time.
const READS: usize = 32;

/// A page of ids.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    pub(crate) ids: Vec<AssetId>,
    /// Where to go on, if an id that the viewer may see follows, or if [`CALLS_MAX`] calls did not reach the end. In the
    /// latter case it may be the key of a hidden record: it must not leave unsealed.
    pub(crate) next: Option<String>,
}

/// The first `limit` ids that begin with `prefix` and that `viewer` may see, in the order of their keys, after the
/// key `after`.
pub(crate) async fn visible(
    catalog: &Catalog,
    viewer: &Viewer,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Visible, BucketError> {
    let mut found = Visible::default();
    let mut place = after.map(str::to_owned);
    let keys = if viewer.is_limited() { KEYS } else { limit + 1 };
    let mut calls = 0;
    for reach in viewer.reaches(prefix) {
        let begin = format!("{CATALOG}{reach}");
        let mut inside = place.clone().filter(|place| place.starts_with(&begin));
        if inside.is_none() && place.as_ref().is_some_and(|place| *place > begin) {
            continue;
        }
        loop {
            if calls == CALLS_MAX {
                found.next = place;
                return Ok(found);
            }
            calls += 1;
            let page = catalog.ids(&reach, inside.as_deref(), keys).await?;
            for id in page.ids.into_iter().filter(|id| viewer.sees(id.as_str())) {
                if found.ids.len() == limit {
                    found.next = found.ids.last().map(record_key);
                    return Ok(found);
                }
                found.ids.push(id);
            }
            let Some(next) = page.next else { break };
            place = Some(next.clone());
            inside = Some(next);
        }
        // Behind every key that begins so.
        place = Some(format!("{begin}{}", char::MAX));
    }
    Ok(found)
}

/// The records of these assets, in this order. `None`: one does not exist, or is damaged.
pub(crate) fn read<'a>(
    catalog: &'a Catalog,
    ids: impl IntoIterator<Item = &'a AssetId>,
) -> impl Stream<Item = Result<Option<Record>, BucketError>> {
    let reads = ids.into_iter().map(|id| catalog.readable(id)).collect::<Vec<_>>();
    futures::stream::iter(reads).buffered(READS)
}
