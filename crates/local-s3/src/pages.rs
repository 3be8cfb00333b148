//! Pages of a listing, over one way of walking the index.
//!
//! Keys are walked in the order of their UTF-8 bytes, which is also SQLite's. With a delimiter the walk jumps
//! over each common prefix, so a folder costs one step whatever is in it.

use rusqlite::{Connection, params};

use super::error::OperationError;
use super::index::{self, OBJECT_COLUMNS, Object, object};

/// What to list.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    /// Only entries after this key or common prefix.
    pub(super) after: String,
    pub(super) max: usize,
}

impl Query {
    fn folder<'a>(&self, key: &'a str) -> Option<&'a str> {
        folder(key, &self.prefix, self.delimiter.as_deref())
    }
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    pub(super) prefixes: Vec<String>,
    /// The last entry, when there are more.
    pub(super) next: Option<String>,
}

/// Reads one page.
pub(super) fn page(connection: &Connection, query: &Query) -> Result<Page, OperationError> {
    index::require_bucket(connection, &query.bucket)?;
    let mut page = Page::default();
    if query.max == 0 {
        return Ok(page);
    }
    // The least key that may come; a NUL makes it the immediate successor.
    let mut from = query.prefix.clone().max(format!("{}\0", query.after));
    let mut last = None;
    while page.objects.len() + page.prefixes.len() < query.max {
        let left = query.max - page.objects.len() - page.prefixes.len();
        match walk(connection, query, &from, left, &mut page)? {
            Stop::End => return Ok(page),
            Stop::Full(key) => {
                from = format!("{key}\0");
                last = Some(key);
            }
            Stop::Folder(folder) => {
                let beyond = successor(&folder);
                // A folder that `after` is in or beyond was listed before.
                if folder > query.after {
                    page.prefixes.push(folder.clone());
                    last = Some(folder);
                }
                match beyond {
                    Some(beyond) => from = beyond,
                    None => return Ok(page),
                }
            }
        }
    }
    let mut more = Page::default();
    if !matches!(walk(connection, query, &from, 1, &mut more)?, Stop::End) {
        page.next = last;
    }
    Ok(page)
}

/// Why [`walk`] stopped.
enum Stop {
    /// Nothing is left.
    End,
    /// It found as many keys as it was asked for, this one last.
    Full(String),
    /// It came upon a key in this common prefix.
    Folder(String),
}

/// Adds keys from `from` on to `page`, `max` at most, up to the next common prefix.
fn walk(
    connection: &Connection,
    query: &Query,
    from: &str,
    max: usize,
    page: &mut Page,
) -> rusqlite::Result<Stop> {
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {OBJECT_COLUMNS} FROM s3_object
         WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY key LIMIT ?4"
    ))?;
    let mut rows = statement.query(params![query.bucket, from, successor(&query.prefix), limit])?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        let object = object(row)?;
        if let Some(folder) = query.folder(&object.key) {
            return Ok(Stop::Folder(folder.to_owned()));
        }
        found += 1;
        let last = (found == max).then(|| object.key.clone());
        page.objects.push(object);
        if let Some(last) = last {
            return Ok(Stop::Full(last));
        }
    }
    Ok(Stop::End)
}

/// The common prefix that `key` is in, if `delimiter` follows `prefix` in it: up to and with the first one.
pub(super) fn folder<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter?;
    let rest = key.strip_prefix(prefix)?;
    let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
    Some(&key[..end])
}

/// The least string greater than all that start with `prefix`; None when there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The order of UTF-8 bytes is that of code points; the gap of the surrogates is jumped.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn index_of(keys: &BTreeSet<String>) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(index::TABLES).unwrap();
        connection
            .execute("INSERT INTO s3_bucket VALUES ('b', 0)", [])
            .unwrap();
        for (number, key) in (0_i64..).zip(keys) {
            let sql = "INSERT INTO s3_object VALUES ('b', ?1, ?2, 0, 'e', 0, '{}', 'null', '[]')";
            connection.execute(sql, params![key, number]).unwrap();
        }
        connection
    }

    /// The definition of a listing, by brute force: every entry, in order.
    fn expected(keys: &BTreeSet<String>, query: &Query) -> Vec<String> {
        let entries: BTreeSet<String> = keys
            .iter()
            .filter(|key| key.starts_with(&query.prefix))
            .map(|key| query.folder(key).unwrap_or(key).to_owned())
            .collect();
        entries.into_iter().filter(|entry| *entry > query.after).collect()
    }

    fn all_pages(connection: &Connection, mut query: Query) -> Vec<String> {
        let mut entries = Vec::new();
        loop {
            let page = page(connection, &query).unwrap();
            assert!(page.objects.len() + page.prefixes.len() <= query.max);
            let mut found: Vec<_> = page.objects.into_iter().map(|object| object.key).collect();
            found.extend(page.prefixes);
            found.sort_unstable();
            entries.extend(found);
            match page.next {
                Some(next) => query.after = next,
                None => return entries,
            }
        }
    }

    proptest! {
        #[test]
        fn paging_gives_each_entry_once_and_in_order(
            keys in prop::collection::btree_set("[ab/é]{1,5}", 0..25),
            prefix in "[ab/]{0,2}",
            after in "[ab/]{0,3}",
            delimited in any::<bool>(),
            max in 1usize..6,
        ) {
            let connection = index_of(&keys);
            let delimiter = delimited.then(|| "/".to_owned());
            let query = Query { bucket: "b".to_owned(), prefix, delimiter, after, max };
            prop_assert_eq!(all_pages(&connection, query.clone()), expected(&keys, &query));
        }

        #[test]
        fn a_successor_is_above_its_prefix_and_all_that_start_with_it(prefix in "\\PC{1,4}", rest in "\\PC{0,3}") {
            let above = successor(&prefix).unwrap();
            prop_assert!(above > [prefix, rest].concat());
        }
    }

    #[test]
    fn successors_at_the_edges() {
        assert_eq!(successor(""), None);
        assert_eq!(successor("\u{10ffff}"), None);
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
    }

    #[test]
    fn no_keys_is_a_page_of_nothing() {
        let connection = index_of(&BTreeSet::from(["a".to_owned()]));
        let page = page(
            &connection,
            &Query {
                bucket: "b".to_owned(),
                ..Query::default()
            },
        )
        .unwrap();
        assert!(page.objects.is_empty() && page.next.is_none());
    }
}
