//! Rewrites DASH manifests (ISO/IEC 23009-1): every file that a viewer's player will ask for gets the viewer's signature.
//!
//! The text is copied tag by tag. What a manifest has no use for and a parser could read in two ways (a document type, CDATA)
//! is refused.

use super::uri::{self, Base, Target};
use super::{Grant, PlaylistError};

/// Attributes that are URIs, by element.
const URIS: [(&str, &[&str]); 4] = [
    (
        "SegmentTemplate",
        &["media", "initialization", "index", "bitstreamSwitching"],
    ),
    ("SegmentURL", &["media", "index"]),
    ("Initialization", &["sourceURL"]),
    ("RepresentationIndex", &["sourceURL"]),
];

/// Rewrites a DASH manifest with the key `key` (`output/<asset>/…`). Returns UTF-8.
///
/// Files become absolute paths with the signed query, and identifiers as `$Number%09d$` stay. A `BaseURL` that is a folder is
/// folded into the URIs below it; one on another host leaves them as they are.
pub fn mpd(text: &str, key: &str, grant: &Grant) -> Result<Vec<u8>, PlaylistError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !["<?xml", "<MPD"].iter().any(|start| text.starts_with(start)) {
        return Err(PlaylistError::NotA("<MPD"));
    }
    let mut rewriter = Rewriter {
        out: String::with_capacity(2 * text.len()),
        base: Base::of(key).ok_or_else(|| PlaylistError::Key(key.to_owned()))?,
        query: grant.to_query(),
        folders: vec![Folder::Own(String::new())],
    };
    let mut rest = text;
    while !rest.is_empty() {
        let at = text.len() - rest.len() + rest.find('<').unwrap_or(0);
        let line = || text[..at].matches('\n').count() + 1;
        rest = rewriter.step(rest).map_err(|problem| match problem {
            Problem::Xml => PlaylistError::Xml { line: line() },
            Problem::Outside => PlaylistError::Outside { line: line() },
        })?;
    }
    Ok(rewriter.out.into_bytes())
}

enum Problem {
    Xml,
    Outside,
}

/// What relative URIs of an element are relative to.
#[derive(Clone)]
enum Folder {
    /// Below the manifest's own folder.
    Own(String),
    Foreign,
}

struct Rewriter {
    out: String,
    base: Base,
    query: String,
    /// Of the open elements, from the outermost.
    folders: Vec<Folder>,
}

impl Rewriter {
    /// Copies the text up to the next tag, and the tag. Returns the rest.
    fn step<'a>(&mut self, text: &'a str) -> Result<&'a str, Problem> {
        let Some(start) = text.find('<') else {
            self.out.push_str(text);
            return Ok("");
        };
        self.out.push_str(&text[..start]);
        let text = &text[start..];
        for (begin, end) in [("<!--", "-->"), ("<?", "?>")] {
            if text.starts_with(begin) {
                let length = text.find(end).ok_or(Problem::Xml)? + end.len();
                self.out.push_str(&text[..length]);
                return Ok(&text[length..]);
            }
        }
        if text.starts_with("<!") {
            return Err(Problem::Xml);
        }
        let length = tag_length(text).ok_or(Problem::Xml)?;
        let (tag, rest) = text.split_at(length);
        if tag.starts_with("</") {
            // The outermost stays: below it is everything.
            if self.folders.len() > 1 {
                self.folders.pop();
            }
            self.out.push_str(tag);
            return Ok(rest);
        }
        let name = local_name(tag);
        if name == "BaseURL" && !tag.ends_with("/>") {
            return self.base_url(tag, rest);
        }
        self.tag(tag, name)?;
        if !tag.ends_with("/>") {
            let folder = self.folder().clone();
            self.folders.push(folder);
        }
        Ok(rest)
    }

    fn push(&mut self, parts: &[&str]) {
        self.out.extend(parts.iter().copied());
    }

    fn folder(&self) -> &Folder {
        self.folders.last().unwrap_or(&Folder::Foreign)
    }

    /// An element `BaseURL`, from its tag on. It counts for its parent.
    fn base_url<'a>(&mut self, tag: &str, text: &'a str) -> Result<&'a str, Problem> {
        let (content, rest) = text.split_once('<').ok_or(Problem::Xml)?;
        let end = rest.find('>').ok_or(Problem::Xml)?;
        if local_name(rest) != "/BaseURL" {
            return Err(Problem::Xml);
        }
        let (close, rest) = rest.split_at(end + 1);
        let uri = unescaped(content.trim()).ok_or(Problem::Xml)?;
        let folder = match self.target(&uri)? {
            None => {
                self.push(&[tag, content, "<", close]);
                Folder::Foreign
            }
            Some(_) if uri.is_empty() => return Ok(rest),
            Some((joined, _)) if joined.ends_with('/') => Folder::Own(joined),
            Some((joined, signed)) => {
                self.push(&[tag, &escaped(&signed), "<", close]);
                let end = joined.rfind('/').map_or(0, |slash| slash + 1);
                Folder::Own(joined[..end].to_owned())
            }
        };
        if let Some(last) = self.folders.last_mut() {
            *last = folder;
        }
        Ok(rest)
    }

    /// Copies a tag with its URIs rewritten.
    fn tag(&mut self, tag: &str, name: &str) -> Result<(), Problem> {
        let uris = URIS
            .iter()
            .find(|(element, _)| *element == name)
            .map_or(&[][..], |(_, uris)| uris);
        let mut rest = tag;
        while let Some((before, after)) = rest.split_once('=') {
            let quote = after
                .trim_start()
                .chars()
                .next()
                .filter(|quote| matches!(quote, '"' | '\''));
            let quote = quote.ok_or(Problem::Xml)?;
            let (space, quoted) = after.split_once(quote).ok_or(Problem::Xml)?;
            let (value, after) = quoted.split_once(quote).ok_or(Problem::Xml)?;
            self.push(&[before, "=", space]);
            self.out.push(quote);
            let attribute = before
                .rsplit(|letter: char| letter.is_whitespace())
                .find(|part| !part.is_empty());
            if attribute.is_some_and(|attribute| uris.contains(&attribute)) {
                self.attribute(value)?;
            } else {
                self.out.push_str(value);
            }
            self.out.push(quote);
            rest = after;
        }
        self.out.push_str(rest);
        Ok(())
    }

    fn attribute(&mut self, value: &str) -> Result<(), Problem> {
        let uri = unescaped(value).ok_or(Problem::Xml)?;
        match self.target(&uri)? {
            Some((_, signed)) if !uri.is_empty() => self.out.push_str(&escaped(&signed)),
            _ => self.out.push_str(value),
        }
        Ok(())
    }

    /// A URI as one relative to the manifest's folder, and as a signed path; `None` if it is on another host.
    fn target(&self, uri: &str) -> Result<Option<(String, String)>, Problem> {
        let absolute = uri.starts_with('/');
        let joined = match self.folder() {
            Folder::Foreign if !absolute && !uri::has_scheme(uri) => return Ok(None),
            Folder::Own(folder) if !absolute && !uri::has_scheme(uri) => format!("{folder}{uri}"),
            _ => uri.to_owned(),
        };
        match self.base.resolve(&joined).ok_or(Problem::Outside)? {
            Target::Foreign => Ok(None),
            Target::Own { path, query, .. } => {
                let own = query
                    .filter(|own| !own.is_empty())
                    .map_or(String::new(), |own| format!("{own}&"));
                let signed = format!("/{path}?{own}{}", self.query);
                Ok(Some((joined, signed)))
            }
        }
    }
}

/// Bytes of the tag at the start of the text: a `>` in quotes is none.
fn tag_length(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            // A second tag in a tag is damage.
            (_, b'<') if at > 0 => return None,
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The name in a tag without its namespace prefix; of an end tag, with its slash.
fn local_name(tag: &str) -> &str {
    let name = tag.trim_start_matches('<');
    let end = name
        .find(|letter: char| letter.is_whitespace() || letter == '>')
        .unwrap_or(name.len());
    let name = name[..end].trim_end_matches('/');
    match name.split_once(':') {
        Some((prefix, local)) if !prefix.starts_with('/') => local,
        _ => name,
    }
}

/// The text with the references of XML replaced; `None` if there are others.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';')?;
        plain.push_str(before);
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        });
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
        .replace('\'', "&apos;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudfront::{Hash, Signature};

    const KEY: &str = "output/film-1/default/cmaf/video.mpd";
    const OWN: &str = "/output/film-1/default/cmaf/";
    const Q: &str = "Policy=UA__&amp;Signature=Uw__&amp;Key-Pair-Id=K&amp;Hash-Algorithm=SHA256";

    fn rewritten(text: &str) -> Result<String, PlaylistError> {
        let text_of = |text: &str| text.to_owned();
        let grant = Grant::from(Signature {
            policy: text_of("UA__"),
            signature: text_of("Uw__"),
            key_id: text_of("K"),
            hash: Hash::Sha256,
        });
        mpd(text, KEY, &grant).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    /// The content of a manifest's root.
    fn inside(content: &str) -> Result<String, PlaylistError> {
        let rewritten = rewritten(&format!("<MPD>{content}</MPD>"))?;
        Ok(rewritten[5..rewritten.len() - 6].to_owned())
    }

    #[test]
    fn segments_are_signed_and_the_rest_is_kept() {
        let before = "<?xml version=\"1.0\"?>\n<!-- media=\"x\" -->\n<MPD media=\"kept\">\n <Period id='1'>\n  \
            <SegmentTemplate media=\"a_$Number%09d$.cmfv\"\n initialization='ainit.cmfv' startNumber = \"1\" timescale=\"90000\">\n   \
            <SegmentTimeline><S t=\"0\" d=\"1\"/></SegmentTimeline></SegmentTemplate>\n </Period>\n</MPD>\n";
        let after = before
            .replace("a_$Number%09d$.cmfv", &format!("{OWN}a_$Number%09d$.cmfv?{Q}"))
            .replace("ainit.cmfv", &format!("{OWN}ainit.cmfv?{Q}"));
        assert_eq!(rewritten(before).unwrap(), after);
    }

    #[test]
    fn each_kind_of_uri() {
        for (content, expected) in [
            (
                "<SegmentURL media=\"a b.mp4?x=1&amp;y\"/>",
                format!("<SegmentURL media=\"{OWN}a%20b.mp4?x=1&amp;y&amp;{Q}\"/>"),
            ),
            (
                "<SegmentBase><Initialization sourceURL=\"../x.mp4\" range=\"0-9\"/></SegmentBase>",
                format!(
                    "<SegmentBase><Initialization sourceURL=\"/output/film-1/default/x.mp4?{Q}\" range=\"0-9\"/></SegmentBase>"
                ),
            ),
            (
                "<dash:SegmentURL media=\"https://cdn.example.com/a.mp4\" index=\"\"/>",
                "<dash:SegmentURL media=\"https://cdn.example.com/a.mp4\" index=\"\"/>".to_owned(),
            ),
            (
                "<Representation><BaseURL>whole.mp4</BaseURL><SegmentBase indexRange=\"1-2\"/></Representation>",
                format!(
                    "<Representation><BaseURL>{OWN}whole.mp4?{Q}</BaseURL><SegmentBase indexRange=\"1-2\"/></Representation>"
                ),
            ),
        ] {
            assert_eq!(inside(content).as_ref(), Ok(&expected), "{content}");
        }
    }

    #[test]
    fn folders_are_folded_in_and_other_hosts_never_signed() {
        let segment = "<SegmentURL media=\"a.mp4\"/>";
        let signed = |folder: &str| format!("<SegmentURL media=\"{OWN}{folder}a.mp4?{Q}\"/>");
        for (content, expected) in [
            (
                format!(
                    "<BaseURL>sub/</BaseURL><Period><BaseURL> deep/ </BaseURL>{segment}</Period>{segment}"
                ),
                format!("<Period>{}</Period>{}", signed("sub/deep/"), signed("sub/")),
            ),
            (
                format!("<Period><BaseURL>https://cdn.example.com/</BaseURL>{segment}</Period>{segment}"),
                format!(
                    "<Period><BaseURL>https://cdn.example.com/</BaseURL>{segment}</Period>{}",
                    signed("")
                ),
            ),
            (
                format!(
                    "<BaseURL>//cdn.example.com/a</BaseURL><Period><BaseURL>b/</BaseURL>{segment}</Period>"
                ),
                format!(
                    "<BaseURL>//cdn.example.com/a</BaseURL><Period><BaseURL>b/</BaseURL>{segment}</Period>"
                ),
            ),
        ] {
            assert_eq!(inside(&content).as_ref(), Ok(&expected), "{content}");
        }
    }

    #[test]
    fn what_leads_out_or_is_damaged_is_refused() {
        for outside in [
            "<SegmentURL media=\"../../../other-1/x.mp4\"/>",
            "<SegmentURL media=\"/output/other-1/x.mp4\"/>",
            "<BaseURL>../../../</BaseURL>",
            "<BaseURL>..\\x/</BaseURL>",
        ] {
            assert_eq!(
                inside(&format!("\n{outside}")),
                Err(PlaylistError::Outside { line: 2 }),
                "{outside}"
            );
        }
        for damaged in [
            "<![CDATA[x]]>",
            "<!DOCTYPE x>",
            "<SegmentURL media=a.mp4/>",
            "<SegmentURL media=\"a.mp4",
            "<SegmentURL media=\"&x;\"/>",
            "<BaseURL>a<b/></BaseURL>",
            "<BaseURL>a",
            "<!-- open",
            "<a <b>",
        ] {
            assert_eq!(
                inside(&format!("\n{damaged}")),
                Err(PlaylistError::Xml { line: 2 }),
                "{damaged}"
            );
        }
        assert_eq!(rewritten("#EXTM3U\n"), Err(PlaylistError::NotA("<MPD")));
        assert_eq!(rewritten("\u{feff}<MPD/>").as_deref(), Ok("<MPD/>"));
        let grant = Grant::from(Signature {
            policy: String::new(),
            signature: String::new(),
            key_id: String::new(),
            hash: Hash::Sha256,
        });
        assert_eq!(
            mpd("<MPD/>", "input/x.mpd", &grant),
            Err(PlaylistError::Key("input/x.mpd".to_owned()))
        );
    }
}
