//! Names of objects in the bucket (the contract is the table in ARCHITECTURE.md).

use crate::asset::AssetId;
use crate::digest::sha256_hex;

/// Uploads.
pub const INPUT: &str = "input/";
/// The user's job templates, one `.json` each.
pub const JOBS: &str = "jobs/";
/// Objects that viewers can read with a signature.
pub const OUTPUT: &str = "output/";
/// Records.
pub const CATALOG: &str = "catalog/";
/// The page.
pub const WEB: &str = "web/";
/// Tombstones of removed videos.
pub const REMOVED: &str = "ops/removed/";
/// Copies of removed videos, from which they can be restored for a while.
pub const TRASH: &str = "ops/trash/";
/// Titles, posters and captions that owners have set.
pub const OWNER: &str = "ops/owner/";
/// Reservations of names by uploads that are under way.
pub const UPLOADS: &str = "ops/uploads/";

/// Longest template name that is kept as it is, in characters.
const NAME_MAX: usize = 64;

/// The base name of every output (spaces and user text in output names break players).
pub const BASE_NAME: &str = "video";

/// The key of an asset's record.
pub fn record_key(id: &AssetId) -> String {
    format!("{CATALOG}{id}.json")
}

/// The asset of the record at `key`, if it is a record's key.
pub fn asset_of_record(key: &str) -> Option<AssetId> {
    key.strip_prefix(CATALOG)?.strip_suffix(".json")?.parse().ok()
}

/// The folder of everything an asset owns: `output/<asset>/`.
pub fn asset_prefix(id: &AssetId) -> String {
    format!("{OUTPUT}{id}/")
}

/// The key of a caption file. Its name follows from its content, so that what it was before is never in its place.
pub fn caption_key(id: &AssetId, language: &str, content: &[u8]) -> String {
    let digest = sha256_hex(content);
    format!("{OUTPUT}{id}/captions/{language}-{}.vtt", &digest[..8])
}

/// The folder of one attempt: `output/<asset>/<template>/`, from the second attempt on with `a<n>/`.
/// An attempt that failed half-way can thus never mix its files with those of the next.
pub fn output_prefix(id: &AssetId, template: &str, attempt: u32) -> String {
    let folder = format!("{OUTPUT}{id}/{template}/");
    if attempt < 2 {
        folder
    } else {
        format!("{folder}a{attempt}/")
    }
}

/// The name of the template at `key`: `jobs/<name>.json`, the name being reduced to what is
/// safe in a path and in `userMetadata`. `None` for what is no template: sub-folders and other suffixes.
pub fn template_name(key: &str) -> Option<String> {
    let stem = key.strip_prefix(JOBS)?.strip_suffix(".json")?;
    if stem.is_empty() || stem.contains('/') {
        return None;
    }
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = stem
        .chars()
        .map(|c| if safe(c) { c } else { '-' })
        .take(NAME_MAX)
        .collect();
    if name == stem {
        return Some(name);
    }
    // `my job` and `my-job` are two templates: a piece of the digest keeps their outputs apart.
    Some(format!("{name}-{}", &sha256_hex(stem.as_bytes())[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> AssetId {
        AssetId::new("vod", "input/film.mp4", None, "abc")
    }

    #[test]
    fn attempts_have_their_own_folder() {
        let id = id();
        assert_eq!(output_prefix(&id, "default", 1), format!("output/{id}/default/"));
        assert_eq!(
            output_prefix(&id, "default", 2),
            format!("output/{id}/default/a2/")
        );
    }

    #[test]
    fn record_keys_read_back() {
        assert_eq!(asset_of_record(&record_key(&id())), Some(id()));
        assert_eq!(asset_of_record("catalog/x.json"), None);
        assert_eq!(asset_of_record("output/x.json"), None);
    }

    #[test]
    fn template_names() {
        let cases = [
            ("jobs/hd.json", Some("hd")),
            ("jobs/my job.json", Some("my-job-0b64d7")),
            ("jobs/..json", Some("--cdb4ee")),
            ("jobs/a/b.json", None),
            ("jobs/readme.md", None),
            ("jobs/.json", None),
            ("input/hd.json", None),
        ];
        for (key, name) in cases {
            assert_eq!(template_name(key).as_deref(), name, "{key}");
        }
    }
}
