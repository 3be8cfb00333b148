//! Rewrites playlists for a viewer with a grant: every URI gets the viewer's signature.
//!
//! Media (segments, keys, maps, images) becomes an absolute path below `/output/` with the signed query, so
//! that a CDN caches it for all viewers. Playlists stay relative, and so inherit the grant in the path of
//! their own URL. Foreign URLs are left alone and never signed. A URI outside the asset's own folder is
//! refused. All other bytes are kept as they are.

pub mod captions;
mod mpd;
mod uri;

pub use mpd::mpd;
use uri::{Base, Target};

use crate::grant::Grant;

/// Suffixes of images that a WebVTT cue may name.
const IMAGES: [&str; 6] = [".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"];

/// A reason why a playlist cannot be served.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlaylistError {
    /// The first line is not that of the format.
    #[error("not a playlist: the first line is not {0}")]
    NotA(&'static str),
    /// The playlist's own key is not the key of an output of an asset.
    #[error("not a key below the folder of an asset: `{0}`")]
    Key(String),
    /// The XML of a DASH manifest cannot be read, or has parts that no manifest needs.
    #[error("line {line}: not the XML of a DASH manifest")]
    Xml {
        /// From 1.
        line: usize,
    },
    /// A URI is outside the asset's folder, or the edge would refuse it.
    #[error("line {line}: the URI is outside the asset's folder")]
    Outside {
        /// Line of the URI, from 1.
        line: usize,
    },
}

/// Rewrites an HLS playlist, master or media, with the key `key` (`output/<asset>/…`). Returns UTF-8.
pub fn m3u8(text: &str, key: &str, grant: &Grant) -> Result<Vec<u8>, PlaylistError> {
    let mut writer = Writer::new(text, "#EXTM3U", key, grant)?;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let written = if line.starts_with('#') {
            writer.tag(line)
        } else {
            writer.uri_line(line)
        };
        written.map_err(|OutsideFolder| PlaylistError::Outside { line: index + 1 })?;
    }
    Ok(writer.out)
}

/// Rewrites the image references (`sprite.jpg#xywh=0,0,160,90`) of a WebVTT file with the key `key`. Returns UTF-8.
pub fn webvtt(text: &str, key: &str, grant: &Grant) -> Result<Vec<u8>, PlaylistError> {
    let mut writer = Writer::new(text, "WEBVTT", key, grant)?;
    let mut in_cue = false;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let content = line.trim();
        if in_cue && is_image(content) {
            writer
                .uri_line(line)
                .map_err(|OutsideFolder| PlaylistError::Outside { line: index + 1 })?;
        } else {
            in_cue = !content.is_empty() && (in_cue || content.contains("-->"));
            writer.push(line);
        }
    }
    Ok(writer.out)
}

/// Whether a cue is only the name of an image; captions are left alone.
fn is_image(cue: &str) -> bool {
    let path = cue.split(['?', '#']).next().unwrap_or_default();
    !cue.contains(char::is_whitespace)
        && IMAGES.iter().any(|suffix| {
            path.len() > suffix.len()
                && path.is_char_boundary(path.len() - suffix.len())
                && path[path.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
        })
}

/// The error of a URI that is outside the asset's folder.
struct OutsideFolder;

struct Writer {
    out: Vec<u8>,
    base: Base,
    query: String,
    /// `/play/<grant>/`, for playlists named by an absolute path.
    play: String,
}

impl Writer {
    fn new(text: &str, magic: &'static str, key: &str, grant: &Grant) -> Result<Self, PlaylistError> {
        if !text.strip_prefix('\u{feff}').unwrap_or(text).starts_with(magic) {
            return Err(PlaylistError::NotA(magic));
        }
        let base = Base::of(key).ok_or_else(|| PlaylistError::Key(key.to_owned()))?;
        Ok(Self {
            out: Vec::with_capacity(2 * text.len()),
            base,
            query: grant.to_query(),
            play: format!("/play/{}/", grant.encode()),
        })
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a line that begins with `#`, with the URI among its attributes rewritten.
    fn tag(&mut self, line: &str) -> Result<(), OutsideFolder> {
        match line.strip_prefix("#EXT-X-").and_then(|tag| tag.split_once(':')) {
            Some((_, attributes)) if attributes.contains("URI=") => {
                self.push(&line[..line.len() - attributes.len()]);
                self.attributes(attributes)
            }
            _ => {
                self.push(line);
                Ok(())
            }
        }
    }

    /// Copies an attribute list, with its `URI="…"` rewritten.
    fn attributes(&mut self, mut rest: &str) -> Result<(), OutsideFolder> {
        while let Some((name, value)) = rest.split_once('=') {
            self.push(name);
            self.push("=");
            let Some(quoted) = value.strip_prefix('"') else {
                let end = value.find(',').map_or(value.len(), |comma| comma + 1);
                self.push(&value[..end]);
                rest = &value[end..];
                continue;
            };
            let Some((text, after)) = quoted.split_once('"') else {
                rest = value;
                break;
            };
            self.push("\"");
            if name.trim_start_matches([',', ' ']) == "URI" {
                self.uri(text)?;
            } else {
                self.push(text);
            }
            self.push("\"");
            rest = after;
        }
        self.push(rest);
        Ok(())
    }

    /// Writes a line that is a URI, or blank; white space around it is kept.
    fn uri_line(&mut self, line: &str) -> Result<(), OutsideFolder> {
        let uri = line.trim();
        let start = line.len() - line.trim_start().len();
        if uri.is_empty() {
            self.push(line);
            return Ok(());
        }
        self.push(&line[..start]);
        self.uri(uri)?;
        self.push(&line[start + uri.len()..]);
        Ok(())
    }

    fn uri(&mut self, uri: &str) -> Result<(), OutsideFolder> {
        match self.base.resolve(uri).ok_or(OutsideFolder)? {
            Target::Foreign => self.push(uri),
            Target::Own { path, .. } if uri::has_suffix(&path, ".m3u8") => match uri.strip_prefix("/output/")
            {
                Some(below) => {
                    self.out.extend_from_slice(self.play.as_bytes());
                    self.push(below);
                }
                None => self.push(uri),
            },
            Target::Own {
                path,
                query,
                fragment,
            } => {
                self.push("/");
                self.push(&path);
                self.push("?");
                if let Some(own) = query.filter(|own| !own.is_empty()) {
                    self.push(own);
                    self.push("&");
                }
                self.out.extend_from_slice(self.query.as_bytes());
                if let Some(fragment) = fragment {
                    self.push("#");
                    self.push(fragment);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
