//! Parses the target of a command: an asset by its id, or an upload by its key.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, anyhow, bail};
use vod_aws::Bucket;
use vod_core::asset::AssetId;
use vod_core::keys::INPUT;
use vod_core::record::Record;

use crate::http::Api;
use crate::list;
use crate::stack::Stack;

/// Shortest part of an id that names an asset, in characters.
const PART_MIN: usize = 6;

/// `ASSET` or `input/KEY` on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Asset(AssetId),
    /// A part of an id, such as the one that `vod ls` shows.
    Part(String),
    Upload(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with(INPUT) {
            return Ok(Self::Upload(text.to_owned()));
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Asset(id));
        }
        if text.len() >= PART_MIN && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Ok(Self::Part(text.to_owned()));
        }
        Err(format!(
            "neither an asset id, nor {PART_MIN} or more characters of one (see `vod ls`), nor a key that begins with {INPUT}"
        ))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asset(id) => write!(f, "asset `{id}`"),
            Self::Part(part) => write!(f, "the asset with `{part}` in its id"),
            Self::Upload(key) => write!(f, "`{key}`"),
        }
    }
}

impl Target {
    /// The asset: of an upload, that of its current version.
    pub(crate) async fn asset(&self, stack: &Stack) -> anyhow::Result<AssetId> {
        let key = match self {
            Self::Asset(id) => return Ok(id.clone()),
            Self::Part(part) => return with_part(stack, part).await,
            Self::Upload(key) => key,
        };
        let bucket = &stack.bucket;
        let head = Bucket::new(stack.s3(), bucket).head(key).await?;
        let head = head.with_context(|| format!("there is no upload `{key}` in bucket `{bucket}`"))?;
        Ok(AssetId::new(bucket, key, head.version.as_deref(), &head.etag))
    }
}

/// The only asset with this text in its id.
async fn with_part(stack: &Stack, part: &str) -> anyhow::Result<AssetId> {
    let records = list::all(stack, &[("q", part)]).await?;
    let ids = records.into_iter().map(|record| record.id);
    let mut ids: Vec<_> = ids.filter(|id| id.as_str().contains(part)).collect();
    match ids.len() {
        1 => Ok(ids.remove(0)),
        0 => bail!(
            "no asset has `{part}` in its id: `vod ls{}` lists all assets",
            stack.options
        ),
        _ => {
            let ids: Vec<_> = ids.iter().map(|id| format!("`{id}`")).collect();
            bail!(
                "several assets have `{part}` in their ids, so name one whole: {}",
                ids.join(", ")
            )
        }
    }
}

/// The record of an asset, if it exists.
pub(crate) async fn record(api: &Api, asset: &AssetId) -> anyhow::Result<Option<Record>> {
    api.find(&format!("/api/assets/{asset}"), &[]).await
}

/// The record of an asset that must exist.
pub(crate) async fn existing_record(stack: &Stack, asset: &AssetId) -> anyhow::Result<Record> {
    record(&stack.api(), asset).await?.ok_or_else(|| {
        let options = &stack.options;
        anyhow!("asset `{asset}` has no record: `vod ls{options}` lists the assets that have one")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_keys_are_told_apart() {
        let id = "film-0123456789abcdef-01234567";
        assert_eq!(id.parse(), Ok(Target::Asset(id.parse().unwrap())));
        assert_eq!(
            "input/a b.mp4".parse(),
            Ok(Target::Upload("input/a b.mp4".to_owned()))
        );
        for part in ["cdef-01234567", "film-0", "012345"] {
            assert_eq!(part.parse(), Ok(Target::Part(part.to_owned())));
        }
        for text in ["", "film.mp4", "output/x", "../x", "01234"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
