//! Playlists for a viewer with a grant: every URI gets the viewer's signature.
//!
//! Media (segments, keys, maps, images) becomes an absolute path below `/output/` with the signed query, so
//! that a CDN caches it for all. Playlists stay relative, and so inherit the grant that lies in the path of
//! their own URL. Foreign URLs are left alone and never signed; what climbs out of the asset's own folder is
//! refused. All else is kept byte for byte, in one pass.
//!
//! A media playlist says nearly the same again and again: a duration and a name in which a number has grown. Such
//! blocks are not written anew: the first one's output is copied, and gets the digits of each.

mod repeats;
mod uri;

use repeats::Repeated;
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

/// Rewrites an HLS playlist, master or media, that lies at `key` (`output/<asset>/…`). Returns UTF-8.
pub fn m3u8(text: &str, key: &str, grant: &Grant) -> Result<Vec<u8>, PlaylistError> {
    let mut writer = Writer::new(text, "#EXTM3U", key, grant)?;
    let mut at = 0;
    while at < text.len() {
        at += writer
            .m3u8_block(&text[at..])
            .map_err(|LeadsOut(line)| PlaylistError::Outside {
                line: 1 + line + newlines(&text[..at]),
            })?;
    }
    Ok(writer.out)
}

/// Rewrites the image references (`sprite.jpg#xywh=0,0,160,90`) of a WebVTT file that lies at `key`. Returns UTF-8.
pub fn webvtt(text: &str, key: &str, grant: &Grant) -> Result<Vec<u8>, PlaylistError> {
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
            writer.push(line);
        }
    }
    Ok(writer.out)
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The first line, with its end.
fn first_line(text: &str) -> &str {
    let end = text.bytes().position(|byte| byte == b'\n');
    &text[..end.map_or(text.len(), |end| end + 1)]
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

/// A file beside the playlist that is none itself.
fn is_own_file(uri: &str) -> bool {
    uri::is_plain(uri) && !uri::has_suffix(uri, ".m3u8")
}

/// A URI leads out of the folder.
struct Leads;

/// The same, so many lines below the first of a block.
struct LeadsOut(usize);

struct Writer {
    out: Vec<u8>,
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
        Ok(Self {
            out: Vec::with_capacity(2 * text.len()),
            folder: format!("/{}", base.folder()),
            suffix: format!("?{query}"),
            base,
            query,
            play: format!("/play/{}/", grant.encode()),
        })
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes the lines down to and with the next URI, and all that repeats them. Returns how many bytes of `text`
    /// these are.
    fn m3u8_block(&mut self, text: &str) -> Result<usize, LeadsOut> {
        let begun = self.out.len();
        let (mut at, mut lines, mut as_they_are) = (0, 0, true);
        while at < text.len() {
            let line = first_line(&text[at..]);
            let head = at;
            at += line.len();
            if line.starts_with('#') {
                as_they_are &= self.tag(line).map_err(|Leads| LeadsOut(lines))?;
            } else if let Some(name) = line
                .strip_suffix('\n')
                .filter(|name| as_they_are && is_own_file(name))
            {
                self.own_file(name);
                self.push("\n");
                let block = Repeated {
                    source: at,
                    head,
                    name: name.len(),
                    begun,
                };
                return Ok(at + self.repeat(&block, text.as_bytes()));
            } else {
                self.uri_line(line).map_err(|Leads| LeadsOut(lines))?;
                if !line.trim().is_empty() {
                    break;
                }
            }
            lines += 1;
        }
        Ok(at)
    }

    /// Whether it was written as it is.
    fn tag(&mut self, line: &str) -> Result<bool, Leads> {
        match line.strip_prefix("#EXT-X-").and_then(|tag| tag.split_once(':')) {
            Some((_, attributes)) if attributes.contains("URI=") => {
                self.push(&line[..line.len() - attributes.len()]);
                self.attributes(attributes).map(|()| false)
            }
            _ => {
                self.push(line);
                Ok(true)
            }
        }
    }

    /// Copies an attribute list, with its `URI="…"` rewritten.
    fn attributes(&mut self, mut rest: &str) -> Result<(), Leads> {
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

    /// A line that is a URI, or blank; white space around it is kept.
    fn uri_line(&mut self, line: &str) -> Result<(), Leads> {
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

    /// A name for which [`is_own_file`] holds.
    fn own_file(&mut self, name: &str) {
        for part in [&self.folder, name, &self.suffix] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn uri(&mut self, uri: &str) -> Result<(), Leads> {
        if is_own_file(uri) {
            self.own_file(uri);
            return Ok(());
        }
        match self.base.resolve(uri).ok_or(Leads)? {
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
