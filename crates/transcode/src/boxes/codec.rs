//! Names codecs for manifests, from a stream's own header (RFC 6381).

use std::fmt::Write as _;

use super::{child, number32};

/// A codec with what its name says of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Codec {
    /// Profile, constraints and level.
    Avc([u8; 3]),
    /// MPEG-4 audio with its object type.
    Mp4a(u8),
    /// A name that is complete.
    Other(String),
}

impl Codec {
    /// Reads a sample entry (ISO/IEC 14496-12, section 8.5.2).
    pub(super) fn parse(kind: [u8; 4], entry: &[u8]) -> Option<Self> {
        // Boxes follow the fixed members of visual and audio entries.
        let visual = |name| child(entry.get(78..)?, name);
        let audio = |name| child(entry.get(28..)?, name);
        Some(match &kind {
            b"avc1" | b"avc3" => Self::Avc(visual(*b"avcC")?.get(1..4)?.try_into().ok()?),
            b"hvc1" | b"hev1" => Self::Other(hevc(kind, visual(*b"hvcC")?)?),
            b"av01" => Self::Other(av1(visual(*b"av1C")?)?),
            b"vp08" | b"vp09" => Self::Other(vp9(kind, visual(*b"vpcC")?)?),
            b"mp4a" => Self::Mp4a(object_type(audio(*b"esds")?)?),
            b"ac-3" | b"ec-3" | b"Opus" | b"fLaC" => {
                Self::Other(String::from_utf8_lossy(&kind).to_ascii_lowercase())
            }
            _ => return None,
        })
    }

    pub(super) fn name(&self, rfc_6381: bool) -> String {
        match self {
            Self::Avc([profile, constraints, level]) if rfc_6381 => {
                format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
            }
            Self::Avc([profile, _, level]) => format!("avc1.{profile}.{level}"),
            Self::Mp4a(object_type) => format!("mp4a.40.{object_type}"),
            Self::Other(name) => name.clone(),
        }
    }
}

/// ISO/IEC 14496-15, annex E: profile, compatibility with its bits reversed, tier and level, constraints without
/// trailing zeros.
fn hevc(kind: [u8; 4], config: &[u8]) -> Option<String> {
    let profile = *config.get(1)?;
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let compatibility = number32(config, 2)?.reverse_bits();
    let constraints = config.get(6..12)?;
    let used = constraints
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut name = format!(
        "{}.{space}{}.{compatibility:X}.{tier}{}",
        String::from_utf8_lossy(&kind),
        profile & 0x1f,
        config.get(12)?
    );
    for byte in &constraints[..used] {
        // Writing to a String cannot fail.
        let _ = write!(name, ".{byte:X}");
    }
    Some(name)
}

/// The `CODECS` entry of an H.265 stream, from the start of a transport stream segment.
///
/// The sequence parameter set is in the first packet, so that the transport stream's packet headers do not cut it. It has the
/// members of `hvcC` after its own header of two bytes and one byte of counts (ITU-T H.265, section 7.3.2.2).
pub fn hevc_in_stream(segment: &[u8]) -> Option<String> {
    const SEQUENCE_PARAMETER_SET: u8 = 33;
    let is_start =
        |window: &[u8]| window[..3] == [0, 0, 1] && window[3] >> 1 & 0x3f == SEQUENCE_PARAMETER_SET;
    let start = segment.windows(4).position(is_start)? + 3;
    let mut config = vec![1];
    let mut zeros = 0;
    for byte in segment.get(start + 3..)?.iter().copied() {
        // A 3 after two zeros is no data: it keeps start codes out.
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        config.push(byte);
        if config.len() > 12 {
            break;
        }
    }
    hevc(*b"hvc1", &config)
}

/// AV1 in ISOBMFF, section 5.
fn av1(config: &[u8]) -> Option<String> {
    let (profile, flags) = (*config.get(1)?, *config.get(2)?);
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (true, true) => 12,
        (true, false) => 10,
        _ => 8,
    };
    let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
    Some(format!(
        "av01.{}.{:02}{tier}.{depth:02}",
        profile >> 5,
        profile & 0x1f
    ))
}

/// VP codecs in ISOBMFF, section "Codecs parameter string".
fn vp9(kind: [u8; 4], config: &[u8]) -> Option<String> {
    let (profile, level, depth) = (config.get(4)?, config.get(5)?, config.get(6)? >> 4);
    Some(format!(
        "{}.{profile:02}.{level:02}.{depth:02}",
        String::from_utf8_lossy(&kind)
    ))
}

/// The audio object type in an `esds` box (ISO/IEC 14496-1, section 7.2.6): descriptors within descriptors.
fn object_type(esds: &[u8]) -> Option<u8> {
    let stream = descriptor(esds.get(4..)?, 3)?;
    let flags = *stream.get(2)?;
    // Optional members: a stream this one depends on, a URL, a clock.
    let url = if flags & 0x40 == 0 {
        0
    } else {
        1 + usize::from(*stream.get(3)?)
    };
    let skip = 3 + if flags & 0x80 == 0 { 0 } else { 2 } + url + if flags & 0x20 == 0 { 0 } else { 2 };
    let decoder = descriptor(stream.get(skip..)?, 4)?;
    let specific = descriptor(decoder.get(13..)?, 5)?;
    let (first, second) = (*specific.first()?, specific.get(1).copied().unwrap_or_default());
    Some(match first >> 3 {
        31 => 32 + ((first & 7) << 3 | second >> 5),
        kind => kind,
    })
}

/// The content of the first descriptor, if it has this tag. Sizes take up to four bytes of seven bits.
fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, mut rest) = bytes.split_first()?;
    if *found != tag {
        return None;
    }
    let mut size = 0_usize;
    for _ in 0..4 {
        let (byte, after) = rest.split_first()?;
        rest = after;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.get(..size)
}
