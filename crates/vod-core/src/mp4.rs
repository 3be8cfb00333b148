//! The little of the ISO base media format (ISO/IEC 14496-12) that tells how a picture is turned.

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

/// Degrees clockwise that the matrix of a `tkhd` body asks for (section 8.3.2). `None`: the track has no
/// picture, or the matrix is no plain rotation.
pub fn track_rotation(body: &[u8]) -> Option<u16> {
    // Version 1 has 64-bit times.
    let matrix = if *body.first()? == 1 { 52 } else { 40 };
    let number = |at: usize| Some(i32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?));
    let (width, height) = (number(matrix + 36)?, number(matrix + 40)?);
    if width == 0 || height == 0 {
        return None;
    }
    let sign = |at: usize| number(matrix + at).map(i32::signum);
    match (sign(0)?, sign(4)?, sign(12)?, sign(16)?) {
        (1, 0, 0, 1) => Some(0),
        (0, 1, -1, 0) => Some(90),
        (-1, 0, 0, -1) => Some(180),
        (0, -1, 1, 0) => Some(270),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tkhd(version: u8, [a, b, c, d]: [i32; 4], width: i32) -> Vec<u8> {
        let mut body = vec![0; if version == 1 { 52 } else { 40 }];
        body[0] = version;
        for number in [a, b, 0, c, d, 0, 0, 0, 1 << 30, width, 720 << 16] {
            body.extend(number.to_be_bytes());
        }
        body
    }

    #[test]
    fn rotations() {
        let one = 1 << 16;
        let cases = [
            ([one, 0, 0, one], Some(0)),
            ([0, one, -one, 0], Some(90)),
            ([-one, 0, 0, -one], Some(180)),
            ([0, -one, one, 0], Some(270)),
            ([one, one, -one, one], None),
        ];
        for (matrix, rotation) in cases {
            assert_eq!(track_rotation(&tkhd(0, matrix, 1280 << 16)), rotation);
            assert_eq!(track_rotation(&tkhd(1, matrix, 1280 << 16)), rotation);
            assert_eq!(track_rotation(&tkhd(0, matrix, 0)), None, "sound has no size");
        }
    }

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
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = (box_header(&bytes), track_rotation(&bytes));
        }
    }
}
