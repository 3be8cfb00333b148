//! Listing uploads in progress and their parts.

use s3s::dto::{
    CommonPrefix, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Part, StorageClass,
};
use s3s::{S3Request, S3Response};

use super::OWNER_ID;
use super::buckets::owner;
use super::checksum::{checksum_type, set_checksum};
use super::index;
use super::listing::{Encoding, delimiter, page_size};
use super::pages::folder;
use super::parts::{PartRow, Upload, get_upload, parts, uploads};
use super::request::{Answer, refuse_customer_key, size, strong, timestamp};
use super::store::Store;

fn standard() -> StorageClass {
    StorageClass::from_static(StorageClass::STANDARD)
}

fn initiator() -> Initiator {
    Initiator {
        id: Some(OWNER_ID.to_owned()),
        ..Initiator::default()
    }
}

pub(super) async fn list_parts(store: &Store, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
    let input = request.input;
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    let max = page_size(input.max_parts, "max-parts")?;
    let after = input.part_number_marker.unwrap_or(0);
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    let (upload, mut found) = store
        .read(move |connection| {
            let upload = get_upload(connection, &bucket, &key, &id)?;
            Ok((upload, parts(connection, &id)?))
        })
        .await?;
    found.retain(|part| part.number > after);
    let truncated = found.len() > max;
    found.truncate(max);
    let last = found.last().map_or(0, |part| part.number);
    let output = ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: upload.checksum.map(|chosen| chosen.algorithm.dto()),
        checksum_type: upload.checksum.map(|chosen| checksum_type(chosen.full_object)),
        initiator: Some(initiator()),
        is_truncated: Some(truncated),
        key: Some(input.key),
        max_parts: i32::try_from(max).ok(),
        next_part_number_marker: Some(last),
        owner: Some(owner()),
        part_number_marker: Some(after),
        parts: (!found.is_empty()).then(|| found.iter().map(part).collect()),
        storage_class: Some(standard()),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    };
    Ok(S3Response::new(output))
}

fn part(row: &PartRow) -> Part {
    let mut part = Part {
        e_tag: Some(strong(&row.etag)),
        last_modified: Some(timestamp(row.modified_ms)),
        part_number: Some(row.number),
        size: Some(size(row.size)),
        ..Part::default()
    };
    set_checksum!(part, row.checksum.as_ref());
    part
}

pub(super) async fn list_uploads(
    store: &Store,
    request: S3Request<ListMultipartUploadsInput>,
) -> Answer<ListMultipartUploadsOutput> {
    let input = request.input;
    let max = page_size(input.max_uploads, "max-uploads")?;
    let encoding = Encoding::new(input.encoding_type)?;
    let name = |name: &str| encoding.name(name);
    let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
    let all = store
        .read(move |connection| {
            index::require_bucket(connection, &bucket)?;
            Ok(uploads(connection, &bucket)?)
        })
        .await?;
    let view = View {
        prefix,
        delimiter: delimiter(input.delimiter.as_ref()),
        key_marker: input.key_marker.clone().unwrap_or_default(),
        id_marker: input.upload_id_marker.clone().unwrap_or_default(),
    };
    let (entries, truncated) = view.page(all, max);
    let (mut uploads, mut prefixes, mut last) = (Vec::new(), Vec::new(), (None, None));
    for entry in entries {
        match entry {
            Entry::Upload(row) => {
                last = (Some(name(&row.key)), Some(row.id.clone()));
                uploads.push(multipart_upload(row, &name));
            }
            Entry::Folder(folder) => {
                last = (Some(name(&folder)), None);
                prefixes.push(CommonPrefix {
                    prefix: Some(name(&folder)),
                });
            }
        }
    }
    let (next_key_marker, next_upload_id_marker) = if truncated { last } else { (None, None) };
    let output = ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: (!prefixes.is_empty()).then_some(prefixes),
        delimiter: input.delimiter.as_deref().map(name),
        encoding_type: encoding.0.clone(),
        is_truncated: Some(truncated),
        key_marker: Some(name(&view.key_marker)),
        max_uploads: i32::try_from(max).ok(),
        next_key_marker,
        next_upload_id_marker,
        prefix: Some(name(&view.prefix)),
        upload_id_marker: Some(view.id_marker),
        uploads: (!uploads.is_empty()).then_some(uploads),
        ..ListMultipartUploadsOutput::default()
    };
    Ok(S3Response::new(output))
}

/// Which of the uploads a client wants to see.
struct View {
    prefix: String,
    delimiter: Option<String>,
    key_marker: String,
    id_marker: String,
}

enum Entry {
    Upload(Upload),
    Folder(String),
}

impl View {
    /// Up to `max` entries, and whether there are more.
    fn page(&self, all: Vec<Upload>, max: usize) -> (Vec<Entry>, bool) {
        let mut entries: Vec<Entry> = Vec::new();
        // Uploads of the marker's key count from the one after the marker's id.
        let mut beyond_marker = false;
        for row in all.into_iter().filter(|row| row.key.starts_with(&self.prefix)) {
            if row.key == self.key_marker && !self.id_marker.is_empty() {
                let is_marker = row.id == self.id_marker;
                if !beyond_marker {
                    beyond_marker = is_marker;
                    continue;
                }
            } else if row.key <= self.key_marker {
                continue;
            }
            match self.folder(&row.key) {
                Some(folder) if folder <= self.key_marker => {}
                Some(folder) => {
                    if !matches!(entries.last(), Some(Entry::Folder(last)) if *last == folder) {
                        entries.push(Entry::Folder(folder));
                    }
                }
                None => entries.push(Entry::Upload(row)),
            }
        }
        let truncated = entries.len() > max && max > 0;
        entries.truncate(max);
        (entries, truncated)
    }

    fn folder(&self, key: &str) -> Option<String> {
        folder(key, &self.prefix, self.delimiter.as_deref()).map(str::to_owned)
    }
}

fn multipart_upload(row: Upload, name: &impl Fn(&str) -> String) -> MultipartUpload {
    MultipartUpload {
        checksum_algorithm: row.checksum.map(|chosen| chosen.algorithm.dto()),
        checksum_type: row.checksum.map(|chosen| checksum_type(chosen.full_object)),
        initiated: Some(timestamp(row.initiated_ms)),
        initiator: Some(initiator()),
        key: Some(name(&row.key)),
        owner: Some(owner()),
        storage_class: Some(standard()),
        upload_id: Some(row.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uploads(keys: &[(&str, &str)]) -> Vec<Upload> {
        keys.iter()
            .map(|(key, id)| Upload {
                key: (*key).to_owned(),
                id: (*id).to_owned(),
                initiated_ms: 0,
                headers: super::super::headers::Headers::default(),
                checksum: None,
            })
            .collect()
    }

    fn names(view: &View, max: usize) -> (Vec<String>, bool) {
        let all = uploads(&[("a", "1"), ("a", "2"), ("b/x", "3"), ("b/y", "4"), ("c", "5")]);
        let (entries, truncated) = view.page(all, max);
        let name = |entry: Entry| match entry {
            Entry::Upload(row) => row.id,
            Entry::Folder(folder) => folder,
        };
        (entries.into_iter().map(name).collect(), truncated)
    }

    #[test]
    fn pages() {
        let view = |prefix: &str, delimiter: Option<&str>, key: &str, id: &str| View {
            prefix: prefix.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            key_marker: key.to_owned(),
            id_marker: id.to_owned(),
        };
        let table = [
            (view("", None, "", ""), 10, vec!["1", "2", "3", "4", "5"], false),
            (view("", Some("/"), "", ""), 10, vec!["1", "2", "b/", "5"], false),
            (view("b/", None, "", ""), 10, vec!["3", "4"], false),
            (view("", None, "a", "1"), 2, vec!["2", "3"], true),
            (view("", None, "a", ""), 10, vec!["3", "4", "5"], false),
            (view("", Some("/"), "b/", ""), 10, vec!["5"], false),
        ];
        for (view, max, expected, truncated) in table {
            assert_eq!(
                names(&view, max),
                (expected.into_iter().map(str::to_owned).collect(), truncated)
            );
        }
    }
}
