//! Listing objects: both versions of `ListObjects` over one way of walking the index.
//!
//! Keys are walked in the order of their UTF-8 bytes, which is also SQLite's. With a delimiter the walk jumps
//! over each common prefix, so a folder costs one step whatever is in it.

use rusqlite::{Connection, params};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ObjectStorageClass, Timestamp,
};
use s3s::{S3Request, S3Response, s3_error};

use super::buckets::owner;
use super::checksum::Stored;
use super::events::encode_key;
use super::fault::{Fault, not_implemented};
use super::index::{self, json, unsigned};
use super::request::{Answer, check_owner, size, strong, timestamp};
use super::store::Store;

/// The most entries in one page, and the default.
const MAX_KEYS: i32 = 1000;

/// What to list.
#[derive(Debug, Clone, Default)]
struct Query {
    bucket: String,
    prefix: String,
    delimiter: Option<String>,
    /// Only entries after this key or common prefix.
    after: String,
    max: usize,
}

/// One page of a listing.
#[derive(Debug, Default)]
struct Page {
    objects: Vec<Listed>,
    prefixes: Vec<String>,
    /// The last entry, when there are more.
    next: Option<String>,
}

#[derive(Debug)]
struct Listed {
    key: String,
    size: u64,
    etag: String,
    modified_ms: i64,
    checksum: Option<Stored>,
}

/// Reads one page.
fn page(connection: &Connection, query: &Query) -> Result<Page, Fault> {
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
    let mut statement = connection.prepare_cached(
        "SELECT key, size, etag, modified_ms, checksum FROM s3_object
         WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY key LIMIT ?4",
    )?;
    let mut rows = statement.query(params![query.bucket, from, successor(&query.prefix), limit])?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if let Some(folder) = folder(&key, query) {
            return Ok(Stop::Folder(folder.to_owned()));
        }
        found += 1;
        let last = key.clone();
        page.objects.push(Listed {
            key,
            size: unsigned(row, 1)?,
            etag: row.get(2)?,
            modified_ms: row.get(3)?,
            checksum: json(row, 4)?,
        });
        if found == max {
            return Ok(Stop::Full(last));
        }
    }
    Ok(Stop::End)
}

/// The common prefix that `key` is in: up to and with the first delimiter after the prefix.
fn folder<'a>(key: &'a str, query: &Query) -> Option<&'a str> {
    let delimiter = query.delimiter.as_deref()?;
    let rest = key.strip_prefix(query.prefix.as_str())?;
    let end = query.prefix.len() + rest.find(delimiter)? + delimiter.len();
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

/// How names are written into the answer.
struct Encoding(Option<EncodingType>);

impl Encoding {
    fn new(asked: Option<EncodingType>) -> Result<Self, Fault> {
        match asked {
            Some(kind) if kind.as_str() != EncodingType::URL => {
                Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request").into())
            }
            asked => Ok(Self(asked)),
        }
    }

    fn name(&self, name: &str) -> String {
        if self.0.is_some() {
            encode_key(name)
        } else {
            name.to_owned()
        }
    }

    fn some(&self, name: Option<&str>) -> Option<String> {
        name.map(|name| self.name(name))
    }

    fn prefixes(&self, prefixes: &[String]) -> Option<Vec<CommonPrefix>> {
        let entry = |prefix: &String| CommonPrefix {
            prefix: Some(self.name(prefix)),
        };
        (!prefixes.is_empty()).then(|| prefixes.iter().map(entry).collect())
    }

    fn objects(&self, objects: Vec<Listed>, with_owner: bool) -> Option<Vec<s3s::dto::Object>> {
        let entry = |listed: Listed| s3s::dto::Object {
            checksum_algorithm: listed
                .checksum
                .as_ref()
                .map(|stored| vec![ChecksumAlgorithm::from_static(stored.algorithm.name())]),
            checksum_type: listed.checksum.as_ref().map(Stored::checksum_type),
            e_tag: Some(strong(&listed.etag)),
            key: Some(self.name(&listed.key)),
            last_modified: Some(modified(listed.modified_ms)),
            owner: with_owner.then(owner),
            size: Some(size(listed.size)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..s3s::dto::Object::default()
        };
        (!objects.is_empty()).then(|| objects.into_iter().map(entry).collect())
    }
}

/// Listings give whole seconds, as `Last-Modified` does.
fn modified(ms: i64) -> Timestamp {
    timestamp(ms - ms.rem_euclid(1000))
}

fn max_keys(asked: Option<i32>) -> Result<usize, Fault> {
    usize::try_from(asked.unwrap_or(MAX_KEYS).min(MAX_KEYS)).map_err(|_| {
        s3_error!(
            InvalidArgument,
            "Argument maxKeys must be an integer between 0 and 2147483647"
        )
        .into()
    })
}

/// S3 takes an empty delimiter for none.
fn delimiter(asked: Option<&String>) -> Option<String> {
    asked.filter(|delimiter| !delimiter.is_empty()).cloned()
}

pub(super) async fn list_v2(
    store: &Store,
    request: S3Request<ListObjectsV2Input>,
) -> Answer<ListObjectsV2Output> {
    let input = request.input;
    check_owner(input.expected_bucket_owner.as_deref())?;
    if input.optional_object_attributes.is_some() {
        return Err(not_implemented("optional object attributes"));
    }
    let encoding = Encoding::new(input.encoding_type)?;
    let after = match &input.continuation_token {
        Some(token) => decode_token(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let query = Query {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter(input.delimiter.as_ref()),
        after,
        max: max_keys(input.max_keys)?,
    };
    let max = query.max;
    let page = store.read(move |connection| page(connection, &query)).await?;
    let count = page.objects.len() + page.prefixes.len();
    let output = ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.name(input.prefix.as_deref().unwrap_or_default())),
        max_keys: i32::try_from(max).ok(),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(encode_token),
        contents: encoding.objects(page.objects, input.fetch_owner == Some(true)),
        common_prefixes: encoding.prefixes(&page.prefixes),
        delimiter: encoding.some(input.delimiter.as_deref()),
        start_after: encoding.some(input.start_after.as_deref()),
        encoding_type: encoding.0,
        request_charged: None,
    };
    Ok(S3Response::new(output))
}

pub(super) async fn list_v1(
    store: &Store,
    request: S3Request<ListObjectsInput>,
) -> Answer<ListObjectsOutput> {
    let input = request.input;
    check_owner(input.expected_bucket_owner.as_deref())?;
    if input.optional_object_attributes.is_some() {
        return Err(not_implemented("optional object attributes"));
    }
    let encoding = Encoding::new(input.encoding_type)?;
    let query = Query {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter(input.delimiter.as_ref()),
        after: input.marker.clone().unwrap_or_default(),
        max: max_keys(input.max_keys)?,
    };
    let (max, has_delimiter) = (query.max, query.delimiter.is_some());
    let page = store.read(move |connection| page(connection, &query)).await?;
    let output = ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.name(input.prefix.as_deref().unwrap_or_default())),
        marker: Some(encoding.name(input.marker.as_deref().unwrap_or_default())),
        max_keys: i32::try_from(max).ok(),
        is_truncated: Some(page.next.is_some()),
        // Only with a delimiter; without one the last key is the marker.
        next_marker: encoding.some(page.next.as_deref().filter(|_| has_delimiter)),
        contents: encoding.objects(page.objects, true),
        common_prefixes: encoding.prefixes(&page.prefixes),
        delimiter: encoding.some(input.delimiter.as_deref()),
        encoding_type: encoding.0,
        request_charged: None,
    };
    Ok(S3Response::new(output))
}

/// Clients pass tokens on as they are; encoded, so that nobody builds one.
fn encode_token(entry: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE.encode(entry)
}

fn decode_token(token: &str) -> Result<String, Fault> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect").into())
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
            .map(|key| folder(key, query).unwrap_or(key).to_owned())
            .collect();
        entries.into_iter().filter(|entry| *entry > query.after).collect()
    }

    fn all_pages(connection: &Connection, mut query: Query) -> Vec<String> {
        let mut entries = Vec::new();
        loop {
            let page = page(connection, &query).unwrap();
            assert!(page.objects.len() + page.prefixes.len() <= query.max);
            let mut found: Vec<_> = page.objects.into_iter().map(|listed| listed.key).collect();
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

    #[test]
    fn tokens() {
        assert_eq!(decode_token(&encode_token("a/é")).unwrap(), "a/é");
        assert!(decode_token("not a token").is_err());
    }
}
