//! The page: the files of `web/`, which `vod up` carries in itself and puts into the bucket.
//!
//! On AWS the same files are copied to the same keys, see `docs/adr/`.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use md5::{Digest as _, Md5};

/// Names here stay the same when their content changes, so an edge has to ask each time; as `infra/deploy.sh` has it.
const CACHE_CONTROL: &str = "no-cache";
/// Puts under way at once.
const PARALLEL: usize = 4;

/// One file of the page.
struct File {
    name: &'static str,
    content_type: &'static str,
    /// As it is stored; browsers undo it.
    content_encoding: Option<&'static str>,
    bytes: &'static [u8],
}

macro_rules! file {
    ($name:literal, $content_type:expr) => {
        file!($name, $name, $content_type, None)
    };
    ($name:literal, $source:literal, $content_type:expr, $content_encoding:expr) => {
        File {
            name: $name,
            content_type: $content_type,
            content_encoding: $content_encoding,
            bytes: include_bytes!(concat!("../../../web/", $source)),
        }
    };
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const FILES: &[File] = &[
    file!("index.html", "text/html; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("player.css", CSS),
    file!("style.css", CSS),
    file!("api.js", JS),
    file!("app.js", JS),
    file!("dom.js", JS),
    file!("format.js", JS),
    file!("kept.js", JS),
    file!("library.js", JS),
    file!("link.js", JS),
    file!("menu.js", JS),
    file!("player.js", JS),
    file!("seekbar.js", JS),
    file!("share.js", JS),
    file!("stream.js", JS),
    file!("upload.js", JS),
    file!("vtt.js", JS),
    file!("hls.min.js", "hls.min.js.gz", JS, Some("gzip")),
    file!("hls.LICENSE.txt", "text/plain; charset=utf-8"),
];

/// Puts what has changed under `web/`. Other objects there are left alone.
pub(crate) async fn publish(s3: &Client, bucket: &str) -> anyhow::Result<()> {
    let stored = etags(s3, bucket).await?;
    let changed = FILES
        .iter()
        .filter(|file| stored.get(&key(file)) != Some(&etag(file.bytes)));
    stream::iter(changed)
        .map(|file| put(s3, bucket, file))
        .buffer_unordered(PARALLEL)
        .try_collect::<()>()
        .await
}

fn key(file: &File) -> String {
    format!("web/{}", file.name)
}

/// S3's, of an object that was put in one piece.
fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(bytes)))
}

async fn etags(s3: &Client, bucket: &str) -> anyhow::Result<HashMap<String, String>> {
    let listing = s3.list_objects_v2().bucket(bucket).prefix("web/").send().await;
    let objects = listing.context("failed to list the page's files")?.contents;
    let etags = objects.into_iter().flatten();
    Ok(etags
        .filter_map(|object| Some((object.key?, object.e_tag?)))
        .collect())
}

async fn put(s3: &Client, bucket: &str, file: &File) -> anyhow::Result<()> {
    s3.put_object()
        .bucket(bucket)
        .key(key(file))
        .content_type(file.content_type)
        .cache_control(CACHE_CONTROL)
        .set_content_encoding(file.content_encoding.map(str::to_owned))
        .body(ByteStream::from_static(file.bytes))
        .send()
        .await
        .with_context(|| format!("failed to store the page's {}", file.name))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_file_of_the_page_is_forgotten() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
        let there: BTreeSet<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.trim_end_matches(".gz").to_owned())
            .collect();
        let known: BTreeSet<_> = FILES.iter().map(|file| file.name.to_owned()).collect();
        assert_eq!(there, known);
    }

    #[test]
    fn the_page_names_only_files_that_it_has() {
        let known: BTreeSet<_> = FILES.iter().map(|file| file.name).collect();
        for file in FILES.iter().filter(|file| file.content_encoding.is_none()) {
            let text = std::str::from_utf8(file.bytes).unwrap();
            for piece in text
                .split(['"', '\''])
                .filter(|piece| piece.starts_with("/web/") || piece.starts_with("./"))
            {
                let name = piece.trim_start_matches("/web/").trim_start_matches("./");
                assert!(known.contains(name), "{} names {piece}", file.name);
            }
        }
    }

    #[test]
    fn nothing_is_inline() {
        let page = std::str::from_utf8(FILES[0].bytes).unwrap();
        for forbidden in ["<style", " style=", " onclick=", "javascript:", "<script>"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}
