//! `<state>/endpoints.json`, by which other programs find a running stack.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Addresses and credentials of a running stack.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// S3, MediaConvert, Lambda: `http://127.0.0.1:9000`.
    pub api: String,
    /// The edge, for viewers: `http://127.0.0.1:8080`.
    pub edge: String,
    pub bucket: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
    /// A bearer token with every scope.
    pub token: String,
    /// The programs that the stack encodes with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs: Option<Programs>,
}

/// Where ffmpeg and ffprobe are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programs {
    pub ffmpeg: PathBuf,
    pub ffprobe: PathBuf,
}

impl Default for Programs {
    /// By their names: the first ones in `PATH`.
    fn default() -> Self {
        Self {
            ffmpeg: PathBuf::from("ffmpeg"),
            ffprobe: PathBuf::from("ffprobe"),
        }
    }
}

impl Programs {
    /// The programs that this process would start, by its `PATH`.
    pub fn find() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let find = |name: PathBuf| {
            let mut places = std::env::split_paths(&path).map(|folder| folder.join(&name));
            places.find(|place| place.is_file()).unwrap_or(name)
        };
        let Self { ffmpeg, ffprobe } = Self::default();
        Self {
            ffmpeg: find(ffmpeg),
            ffprobe: find(ffprobe),
        }
    }
}

impl std::fmt::Debug for Endpoints {
    /// Without the secret key and the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Endpoints");
        shown
            .field("api", &self.api)
            .field("edge", &self.edge)
            .field("bucket", &self.bucket);
        shown.finish_non_exhaustive()
    }
}

impl Endpoints {
    /// The path of the file.
    pub fn path(state: &Path) -> PathBuf {
        state.join("endpoints.json")
    }

    /// Reads the file of a running stack; `None` if there is none.
    pub fn read(state: &Path) -> anyhow::Result<Option<Self>> {
        read_json(&Self::path(state), "; restart `vod up`")
    }

    /// Writes the file for its owner alone, whole or not at all.
    pub fn write(&self, state: &Path) -> anyhow::Result<()> {
        write_private(&Self::path(state), &serde_json::to_vec_pretty(self)?)
    }

    /// Removes the file, so that a stopped stack does not look like a running one.
    pub fn remove(state: &Path) -> anyhow::Result<()> {
        match fs::remove_file(Self::path(state)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("failed to remove the old endpoints.json")
            }
            _ => Ok(()),
        }
    }
}

/// Reads a file of JSON; `None` if there is none. `remedy` is added to the error of one that is damaged.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, remedy: &str) -> anyhow::Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
    };
    let read = serde_json::from_slice(&text).map(Some);
    read.with_context(|| format!("{} is damaged{remedy}", path.display()))
}

/// Writes a file with mode 0600 by rename: a reader sees the old text or the new one, never a part of it.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension("tmp");
    // A file left over from a crash would keep its mode.
    let _ = fs::remove_file(&temporary);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path).with_context(|| format!("failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn reads_back_what_only_the_owner_may_read() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Endpoints::read(state.path()).unwrap(), None);
        let text = |name: &str| name.to_owned();
        let endpoints = Endpoints {
            api: text("http://127.0.0.1:1"),
            edge: text("http://127.0.0.1:2"),
            bucket: text("vod"),
            region: text("us-east-1"),
            access_key: text("vod"),
            secret_key: text("hidden"),
            token: text("hidden"),
            programs: Some(Programs::find()),
        };
        endpoints.write(state.path()).unwrap();
        assert_eq!(Endpoints::read(state.path()).unwrap().as_ref(), Some(&endpoints));
        let mode = fs::metadata(Endpoints::path(state.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{endpoints:?}").contains("hidden"));
        Endpoints::remove(state.path()).unwrap();
        assert_eq!(Endpoints::read(state.path()).unwrap(), None);
    }
}
