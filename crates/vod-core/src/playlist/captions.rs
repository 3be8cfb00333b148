//! Adds an owner's captions to master playlists and DASH manifests as they are served: no output is changed for them.

use std::fmt::Write as _;

use crate::record::{Caption, CaptionKind};

/// The folder beside a master playlist in which the playlists of captions appear to be.
pub const FOLDER: &str = "captions/";
/// The group of renditions of variants that have none.
const GROUP: &str = "vod-captions";

/// Whether this is the text of a master playlist.
pub fn is_master(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(STREAM))
}

const STREAM: &str = "#EXT-X-STREAM-INF:";

/// The file name of a caption's key, without its suffix.
fn stem(caption: &Caption) -> &str {
    let name = caption.key.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".vtt").unwrap_or(name)
}

/// The caption whose playlist or file is called `name` beside a master playlist.
pub fn named<'a>(captions: &'a [Caption], name: &str) -> Option<&'a Caption> {
    let (wanted, _) = name.rsplit_once('.')?;
    captions.iter().find(|caption| stem(caption) == wanted)
}

/// A master playlist with the captions as subtitle renditions (RFC 8216, section 4.3.4.1). Captions that the template has
/// made stay.
pub fn master(text: &str, captions: &[Caption]) -> String {
    if captions.is_empty() {
        return text.to_owned();
    }
    let mut groups: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with(STREAM)) {
        let group = attribute(line, "SUBTITLES").unwrap_or(GROUP);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let mut out = String::with_capacity(text.len() + 1_024);
    let mut is_added = false;
    for line in text.split_inclusive('\n') {
        if !line.starts_with(STREAM) {
            out.push_str(line);
            continue;
        }
        if !is_added {
            for group in &groups {
                add_renditions(&mut out, text, group, captions);
            }
            is_added = true;
        }
        let content = line.trim_end();
        out.push_str(content);
        if attribute(content, "SUBTITLES").is_none() {
            let _ = write!(out, ",SUBTITLES=\"{GROUP}\"");
        }
        out.push_str(&line[content.len()..]);
    }
    out
}

fn add_renditions(out: &mut String, text: &str, group: &str, captions: &[Caption]) {
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| attribute(line, "NAME"))
        .map(str::to_owned)
        .collect();
    for caption in captions {
        // A name may appear once in a group.
        let mut name = caption.label.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{} ({number})", caption.label);
            number += 1;
        }
        let default = if caption.default { "YES" } else { "NO" };
        // What every viewer is to see is chosen without being asked for, as RFC 8216 has it.
        let _ = write!(
            out,
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"{group}\",NAME=\"{name}\",LANGUAGE=\"{}\",DEFAULT={default},AUTOSELECT=YES",
            caption.language
        );
        match caption.kind {
            CaptionKind::Subtitles => {}
            CaptionKind::Forced => out.push_str(",FORCED=YES"),
            CaptionKind::Sdh => out.push_str(
                ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound\"",
            ),
        }
        let _ = writeln!(out, ",URI=\"{FOLDER}{}.m3u8\"", stem(caption));
        names.push(name);
    }
}

/// The quoted value of an attribute of a tag.
fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, mut rest) = line.strip_prefix("#EXT-X-")?.split_once(':')?;
    loop {
        let (found, value) = rest.split_once('=')?;
        let Some(quoted) = value.strip_prefix('"') else {
            rest = value.split_once(',')?.1;
            continue;
        };
        let (value, after) = quoted.split_once('"')?;
        if found.trim() == name {
            return Some(value);
        }
        rest = after.trim_start_matches(',');
    }
}

/// The media playlist of a caption: one segment as long as the film, beside it.
pub fn media(caption: &Caption, duration_ms: u64) -> String {
    let (seconds, ms) = (duration_ms / 1_000, duration_ms % 1_000);
    let target = duration_ms.div_ceil(1_000).max(1);
    format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXTINF:{seconds}.{ms:03},\n{}.vtt\n#EXT-X-ENDLIST\n",
        stem(caption)
    )
}

/// A WebVTT file whose time 0 is the time stamp `start_pts` of the stream (RFC 8216, section 3.5).
pub fn timed(text: &str, start_pts: u64) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
    format!("{head}\nX-TIMESTAMP-MAP=MPEGTS:{start_pts},LOCAL:00:00:00.000\n{rest}")
}

/// The time stamps at the start of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'a> {
    /// Known, in units of 90 kHz.
    At(u64),
    /// In the first segment, whose URI is relative to the media playlist.
    In(&'a str),
}

/// Where a stream starts, by its media playlist. Segments of fragmented MP4 start at 0. The time stamps of encrypted ones
/// cannot be read: MediaConvert lets MPEG-TS start at 10 s.
pub fn start(media: &str) -> Option<Start<'_>> {
    if media.lines().any(|line| line.starts_with("#EXT-X-MAP:")) {
        return Some(Start::At(0));
    }
    let is_key = |line: &str| line.starts_with("#EXT-X-KEY:") && !line.contains("METHOD=NONE");
    if media.lines().any(is_key) {
        return Some(Start::At(10 * 90_000));
    }
    first_uri(media).map(Start::In)
}

/// The first URI of a playlist.
pub fn first_uri(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A DASH manifest with the captions as files beside the film. Their times count from the start of the period.
pub fn manifest(text: &str, captions: &[Caption]) -> String {
    let Some(at) = text.find("</Period>").filter(|_| !captions.is_empty()) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len() + 1_024);
    out.push_str(&text[..at]);
    for caption in captions {
        let role = match caption.kind {
            CaptionKind::Subtitles => "subtitle",
            CaptionKind::Sdh => "caption",
            CaptionKind::Forced => "forced-subtitle",
        };
        let main = if caption.default {
            "<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/>"
        } else {
            ""
        };
        let _ = write!(
            out,
            "<AdaptationSet contentType=\"text\" mimeType=\"text/vtt\" lang=\"{}\">\
             <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"{role}\"/>{main}<Label>{}</Label>\
             <Representation id=\"captions-{}-{}\" bandwidth=\"256\"><BaseURL>/{}</BaseURL></Representation></AdaptationSet>",
            caption.language,
            xml(&caption.label),
            caption.language,
            caption.kind.as_str(),
            caption.key,
        );
    }
    out.push_str(&text[at..]);
    out
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudfront::{Hash, Signature};
    use crate::grant::Grant;

    fn captions() -> Vec<Caption> {
        let caption = |language: &str, label: &str, kind, default| Caption {
            language: language.to_owned(),
            label: label.to_owned(),
            kind,
            default,
            key: format!("output/film-1/captions/{language}-0a1b2c3d.vtt"),
            ..Caption::default()
        };
        vec![
            caption("de", "Deutsch & <mehr>", CaptionKind::Subtitles, true),
            caption("en", "English", CaptionKind::Sdh, false),
            caption("fr", "Français", CaptionKind::Forced, false),
        ]
    }

    const SDH: &str = ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound\"";

    fn renditions(group: &str, english: &str) -> String {
        let media = |name: &str, language: &str, default: &str, more: &str| {
            format!(
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"{group}\",NAME=\"{name}\",LANGUAGE=\"{language}\",DEFAULT={default},AUTOSELECT=YES{more},URI=\"captions/{language}-0a1b2c3d.m3u8\"\n"
            )
        };
        [
            media("Deutsch & <mehr>", "de", "YES", ""),
            media(english, "en", "NO", SDH),
            media("Français", "fr", "NO", ",FORCED=YES"),
        ]
        .concat()
    }

    #[test]
    fn captions_are_renditions_of_each_variant() {
        let before = "#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"a,b\"\r\na.m3u8\r\n#EXT-X-STREAM-INF:BANDWIDTH=2\nb.m3u8";
        let after = format!(
            "#EXTM3U\r\n{}#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"a,b\",SUBTITLES=\"vod-captions\"\r\na.m3u8\r\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2,SUBTITLES=\"vod-captions\"\nb.m3u8",
            renditions(GROUP, "English")
        );
        assert_eq!(master(before, &captions()), after);
        assert_eq!(master(before, &[]), before);
        assert!(is_master(before) && !is_master("#EXTM3U\n#EXTINF:6,\na.ts\n"));
    }

    #[test]
    fn captions_of_the_template_stay_and_names_are_unique() {
        let own = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"English\",URI=\"v_en.m3u8\"\n";
        let before = format!("#EXTM3U\n{own}#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES=\"subs\"\na.m3u8\n");
        let after = format!(
            "#EXTM3U\n{own}{}#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES=\"subs\"\na.m3u8\n",
            renditions("subs", "English (2)")
        );
        assert_eq!(master(&before, &captions()), after);
    }

    #[test]
    fn a_caption_has_a_playlist_of_one_segment() {
        let captions = captions();
        let found = named(&captions, "en-0a1b2c3d.m3u8").unwrap();
        assert_eq!(
            (found.language.as_str(), named(&captions, "en-0a1b2c3d.vtt")),
            ("en", Some(found))
        );
        assert_eq!(named(&captions, "it-0a1b2c3d.m3u8"), None);
        assert_eq!(
            media(found, 61_250),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:62\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
             #EXTINF:61.250,\nen-0a1b2c3d.vtt\n#EXT-X-ENDLIST\n"
        );
    }

    #[test]
    fn time_0_of_a_caption_is_the_start_of_the_stream() {
        assert_eq!(
            timed("WEBVTT\n\n00:00.000 --> 00:01.000\na\n", 900_000),
            "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\n00:00.000 --> 00:01.000\na\n"
        );
        for (media, expected) in [
            ("#EXTM3U\n#EXTINF:6,\nv_1.ts\n", Some(Start::In("v_1.ts"))),
            (
                "#EXTM3U\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\nv_1.ts\n",
                Some(Start::In("v_1.ts")),
            ),
            (
                "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:6,\nv_1.ts\n",
                Some(Start::At(900_000)),
            ),
            (
                "#EXTM3U\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:6,\nv_1.mp4\n",
                Some(Start::At(0)),
            ),
            ("#EXTM3U\n", None),
        ] {
            assert_eq!(start(media), expected, "{media}");
        }
    }

    #[test]
    fn captions_are_files_beside_a_manifest_and_signed() {
        let before = "<MPD><Period><AdaptationSet/></Period></MPD>";
        let text = manifest(before, &captions());
        assert_eq!(manifest(before, &[]), before);
        let german = "<AdaptationSet contentType=\"text\" mimeType=\"text/vtt\" lang=\"de\">\
            <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"subtitle\"/>\
            <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/><Label>Deutsch &amp; &lt;mehr&gt;</Label>\
            <Representation id=\"captions-de-subtitles\" bandwidth=\"256\">\
            <BaseURL>/output/film-1/captions/de-0a1b2c3d.vtt</BaseURL></Representation></AdaptationSet>";
        assert!(
            text.starts_with(&format!("<MPD><Period><AdaptationSet/>{german}")),
            "{text}"
        );
        assert!(
            text.contains("value=\"caption\"") && text.contains("value=\"forced-subtitle\""),
            "{text}"
        );
        let word = |text: &str| text.to_owned();
        let grant = Grant::from(Signature {
            policy: word("UA__"),
            signature: word("Uw__"),
            key_id: word("K"),
            hash: Hash::Sha256,
        });
        let signed = super::super::mpd(&text, "output/film-1/default/cmaf/video.mpd", &grant).unwrap();
        let signed = String::from_utf8(signed).unwrap();
        assert!(
            signed.contains("<BaseURL>/output/film-1/captions/de-0a1b2c3d.vtt?Policy=UA__&amp;"),
            "{signed}"
        );
    }
}
