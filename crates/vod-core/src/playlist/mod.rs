//! Playlists for a viewer with a grant: every URI gets the viewer's signature.
//!
//! Media (segments, keys, maps, images) becomes an absolute path below `/output/` with the signed query, so
//! that a CDN caches it for all. Playlists stay relative, and so inherit the grant that lies in the path of
//! their own URL. Foreign URLs are left alone and never signed; what climbs out of the asset's own folder is
//! refused. All else is kept byte for byte, in one pass.

mod uri;

use uri::{Base, Target};

use crate::grant::Grant;

/// Suffixes of images that a WebVTT cue may name.
const IMAGES: [&str; 6] = [".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"];

/// Why a playlist cannot be handed out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlaylistError {
    /// The file does not begin as its kind does.
    #[error("not a playlist: the first line is not {0}")]
    NotA(&'static str),
    /// The playlist's own key is not that of an asset's output.
    #[error("not a key below the folder of an asset: `{0}`")]
    Key(String),
    /// A URI that leads out of the asset's folder, or that the edge would refuse.
    #[error("line {line}: the uri leads out of the asset's folder")]
    Outside {
        /// Line of the URI, from 1.
        line: usize,
    },
}

/// Rewrites an HLS playlist, master or media, that lies at `key` (`output/<asset>/…`).
pub fn m3u8(text: &str, key: &str, grant: &Grant) -> Result<String, PlaylistError> {
    let mut writer = Writer::new(text, "#EXTM3U", key, grant)?;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        writer
            .m3u8_line(line)
            .map_err(|Leads| PlaylistError::Outside { line: index + 1 })?;
    }
    Ok(writer.out)
}

/// Rewrites the image references (`sprite.jpg#xywh=0,0,160,90`) of a WebVTT file that lies at `key`.
pub fn webvtt(text: &str, key: &str, grant: &Grant) -> Result<String, PlaylistError> {
    let mut writer = Writer::new(text, "WEBVTT", key, grant)?;
    let mut in_cue = false;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let content = line.trim();
        if in_cue && is_image(content) {
            writer
                .uri_line(line)
                .map_err(|Leads| PlaylistError::Outside { line: index + 1 })?;
        } else {
            in_cue = !content.is_empty() && (in_cue || content.contains("-->"));
            writer.out.push_str(line);
        }
    }
    Ok(writer.out)
}

/// A cue that is nothing but the name of an image; captions are left alone.
fn is_image(cue: &str) -> bool {
    let path = cue.split(['?', '#']).next().unwrap_or_default();
    !cue.contains(char::is_whitespace)
        && IMAGES.iter().any(|suffix| {
            path.len() > suffix.len()
                && path.is_char_boundary(path.len() - suffix.len())
                && path[path.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
        })
}

/// A URI leads out of the folder.
struct Leads;

struct Writer {
    out: String,
    base: Base,
    query: String,
    /// `/output/<asset>/…/` and `?<query>`: what stands before and behind the name of nearly every segment.
    folder: String,
    suffix: String,
    /// `/play/<grant>/`, for the rare playlist that is named by an absolute path.
    play: String,
}

impl Writer {
    fn new(text: &str, magic: &'static str, key: &str, grant: &Grant) -> Result<Self, PlaylistError> {
        if !text.strip_prefix('\u{feff}').unwrap_or(text).starts_with(magic) {
            return Err(PlaylistError::NotA(magic));
        }
        let base = Base::of(key).ok_or_else(|| PlaylistError::Key(key.to_owned()))?;
        let query = grant.to_query();
        // Every second line of a media playlist is a URI, of some forty bytes.
        let uris = text.len() / 40 + 1;
        let out = String::with_capacity(text.len() + uris * (query.len() + key.len()));
        Ok(Self {
            out,
            folder: format!("/{}", base.folder()),
            suffix: format!("?{query}"),
            base,
            query,
            play: format!("/play/{}/", grant.encode()),
        })
    }

    fn m3u8_line(&mut self, line: &str) -> Result<(), Leads> {
        match line.strip_prefix("#EXT-X-").and_then(|tag| tag.split_once(':')) {
            Some((_, attributes)) if attributes.contains("URI=") => {
                self.out.push_str(&line[..line.len() - attributes.len()]);
                self.attributes(attributes)
            }
            _ if line.starts_with('#') => {
                self.out.push_str(line);
                Ok(())
            }
            _ => self.uri_line(line),
        }
    }

    /// Copies an attribute list, with its `URI="…"` rewritten.
    fn attributes(&mut self, mut rest: &str) -> Result<(), Leads> {
        while let Some((name, value)) = rest.split_once('=') {
            self.out.push_str(name);
            self.out.push('=');
            let Some(quoted) = value.strip_prefix('"') else {
                let end = value.find(',').map_or(value.len(), |comma| comma + 1);
                self.out.push_str(&value[..end]);
                rest = &value[end..];
                continue;
            };
            let Some((text, after)) = quoted.split_once('"') else {
                rest = value;
                break;
            };
            self.out.push('"');
            if name.trim_start_matches([',', ' ']) == "URI" {
                self.uri(text)?;
            } else {
                self.out.push_str(text);
            }
            self.out.push('"');
            rest = after;
        }
        self.out.push_str(rest);
        Ok(())
    }

    /// A line that is a URI, or blank; white space around it is kept.
    fn uri_line(&mut self, line: &str) -> Result<(), Leads> {
        let uri = line.trim();
        let start = line.len() - line.trim_start().len();
        if uri.is_empty() {
            self.out.push_str(line);
            return Ok(());
        }
        self.out.push_str(&line[..start]);
        self.uri(uri)?;
        self.out.push_str(&line[start + uri.len()..]);
        Ok(())
    }

    fn uri(&mut self, uri: &str) -> Result<(), Leads> {
        if uri::is_plain(uri) && !uri::has_suffix(uri, ".m3u8") {
            self.out.push_str(&self.folder);
            self.out.push_str(uri);
            self.out.push_str(&self.suffix);
            return Ok(());
        }
        match self.base.resolve(uri).ok_or(Leads)? {
            Target::Foreign => self.out.push_str(uri),
            Target::Own { path, .. } if uri::has_suffix(&path, ".m3u8") => match uri.strip_prefix("/output/")
            {
                Some(below) => {
                    self.out.push_str(&self.play);
                    self.out.push_str(below);
                }
                None => self.out.push_str(uri),
            },
            Target::Own {
                path,
                query,
                fragment,
            } => {
                self.out.push('/');
                self.out.push_str(&path);
                self.out.push('?');
                if let Some(own) = query.filter(|own| !own.is_empty()) {
                    self.out.push_str(own);
                    self.out.push('&');
                }
                self.out.push_str(&self.query);
                if let Some(fragment) = fragment {
                    self.out.push('#');
                    self.out.push_str(fragment);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
