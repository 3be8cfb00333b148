//! Parses box headers of the ISO base media format (ISO/IEC 14496-12), to find a part of a file without reading it all.

/// The head of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxHeader {
    pub kind: [u8; 4],
    /// Bytes of the header itself: 8 or 16.
    pub header: u64,
    /// Bytes of the whole box; absent where it reaches to the end.
    pub size: Option<u64>,
}

/// Reads a box's head from its first 8 to 16 bytes (section 4.2). `None`: this is no box.
pub fn box_header(bytes: &[u8]) -> Option<BoxHeader> {
    let short = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let kind = bytes.get(4..8)?.try_into().ok()?;
    let (header, size) = match short {
        0 => (8, None),
        1 => (16, Some(u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?))),
        size => (8, Some(u64::from(size))),
    };
    // A size smaller than its own header would never let a reader get on.
    size.is_none_or(|size| size >= header)
        .then_some(BoxHeader { kind, header, size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers() {
        let plain = BoxHeader {
            kind: *b"moov",
            header: 8,
            size: Some(24),
        };
        assert_eq!(box_header(b"\0\0\0\x18moov"), Some(plain));
        let large = BoxHeader {
            kind: *b"mdat",
            header: 16,
            size: Some(1 << 32),
        };
        assert_eq!(box_header(b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0"), Some(large));
        assert_eq!(
            box_header(b"\0\0\0\0mdat"),
            Some(BoxHeader {
                kind: *b"mdat",
                header: 8,
                size: None
            })
        );
        assert_eq!(box_header(b"\0\0\0\x04mdat"), None);
        assert_eq!(box_header(b"short"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            let _ = box_header(&bytes);
        }
    }
}
