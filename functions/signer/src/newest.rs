//! `GET /api/assets?order=newest`: the records by time, from the index under `ops/newest/`.

use std::pin::pin;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use vod_aws::{BucketError, Catalog};
use vod_core::newest::Entry;
use vod_core::record::{Record, State};
use vod_core::search::Needle;

use crate::reach::{CALLS_MAX, KEYS, read};
use vod_http::auth::Viewer;

/// Records that one request reads to find those that fit.
const LOOKS_MAX: usize = 1_000;

/// The records that a listing is to contain.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// The beginning of their ids.
    pub(crate) prefix: String,
    /// Only those that were created after this.
    pub(crate) since: Option<Timestamp>,
    pub(crate) state: Option<State>,
    pub(crate) needle: Option<Needle>,
}

/// A page of records.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) records: Vec<Record>,
    /// The key of the entry to continue after. It may be the entry of a hidden record: it must not leave unsealed.
    pub(crate) next: Option<String>,
}

impl Filter {
    /// Whether records have to be read to know which of them fit.
    pub(crate) fn needs_records(&self) -> bool {
        self.state.is_some() || self.needle.is_some()
    }

    fn fits(&self, record: &Record) -> bool {
        let is_found = self.needle.as_ref().is_none_or(|needle| needle.is_in(record));
        is_found && self.state.is_none_or(|state| state == record.state)
    }

    /// Whether the time of an entry, and with it that of every earlier one, may fit.
    fn reaches(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| entry.created_at > since)
    }
}

/// The newest `limit` records that `viewer` may see and that fit, after the entry with the key `after`. A page may be
/// shorter than `limit` and still have a next one: after [`LOOKS_MAX`] records or [`CALLS_MAX`] listings it ends.
pub(crate) async fn newest_first(
    catalog: &Catalog,
    viewer: &Viewer,
    filter: &Filter,
    after: Option<String>,
    limit: usize,
) -> Result<Found, BucketError> {
    let mut found = Found {
        next: after,
        ..Found::default()
    };
    let reads_many = filter.needs_records();
    let chooses = viewer.is_limited() || reads_many || !filter.prefix.is_empty();
    let keys = if chooses { KEYS } else { limit + 1 };
    let mut looks = LOOKS_MAX;
    for _ in 0..CALLS_MAX {
        let page = catalog.newest(found.next.as_deref(), keys).await?;
        let listed = page.entries.len();
        let mut entries: Vec<_> = page
            .entries
            .into_iter()
            .take_while(|entry| filter.reaches(entry))
            .collect();
        let is_last = page.next.is_none() || entries.len() < listed;
        entries.retain(|entry| {
            let id = entry.id.as_str();
            id.starts_with(&filter.prefix) && viewer.sees(id)
        });
        let wanted = if reads_many {
            looks
        } else {
            limit - found.records.len()
        };
        let is_cut = entries.len() > wanted;
        entries.truncate(wanted);
        let mut records = pin!(read(catalog, entries.iter().map(|entry| &entry.id)));
        for (index, entry) in entries.iter().enumerate() {
            let record = records.try_next().await?.flatten();
            // A record that was deleted and made again has an entry of each time: the last one is true.
            let is_its = |record: &Record| Entry::new(record.created_at, &record.id).key() == entry.key();
            found
                .records
                .extend(record.filter(|record| is_its(record) && filter.fits(record)));
            looks -= 1;
            if found.records.len() == limit || looks == 0 {
                let more = index + 1 < entries.len() || is_cut || !is_last;
                found.next = more.then(|| entry.key());
                return Ok(found);
            }
        }
        if is_last && !is_cut {
            found.next = None;
            return Ok(found);
        }
        found.next = match entries.last() {
            Some(entry) if is_cut => Some(entry.key()),
            _ => page.next,
        };
    }
    Ok(found)
}
