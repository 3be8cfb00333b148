//! Reads the first presentation time stamp of MPEG-TS (ISO/IEC 13818-1, sections 2.4.3.2 and 2.4.3.6).

/// Bytes of a packet.
const PACKET: usize = 188;

/// The presentation time stamp of the first picture, or of the first sound if there is no picture, in units of 90 kHz.
/// `bytes` are the beginning of a segment.
pub fn first_pts(bytes: &[u8]) -> Option<u64> {
    let mut sound = None;
    for packet in bytes.chunks_exact(PACKET) {
        match pes(packet) {
            Some((stream, Some(pts))) if (0xe0..=0xef).contains(&stream) => return Some(pts),
            Some((_, pts)) => sound = sound.or(pts),
            None => {}
        }
    }
    sound
}

/// The stream id and the time stamp of the PES packet that begins in a packet.
fn pes(packet: &[u8]) -> Option<(u8, Option<u64>)> {
    let is_start = packet[0] == 0x47 && packet[1] & 0x40 != 0;
    let payload = match packet[3] >> 4 & 3 {
        1 => 4,
        3 => 5 + usize::from(packet[4]),
        _ => return None,
    };
    let pes = packet.get(payload..).filter(|_| is_start)?;
    let (Some([0, 0, 1, stream]), Some(flags)) = (pes.first_chunk::<4>(), pes.get(7)) else {
        return None;
    };
    let is_media = matches!(stream, 0xbd | 0xc0..=0xef);
    let pts = pes.get(9..14).filter(|_| flags & 0x80 != 0);
    is_media.then(|| (*stream, pts.map(time_stamp)))
}

/// 33 bits in three pieces, each with a marker bit behind it.
fn time_stamp(bytes: &[u8]) -> u64 {
    let byte = |index: usize| u64::from(bytes[index]);
    (byte(0) >> 1 & 7) << 30 | byte(1) << 22 | (byte(2) >> 1) << 15 | byte(3) << 7 | byte(4) >> 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A packet in which a PES packet begins, after `stuffing` bytes of adaptation field.
    fn packet(stream: u8, pts: Option<u64>, stuffing: Option<u8>) -> Vec<u8> {
        let mut packet = vec![0x47, 0x41, 0x00, if stuffing.is_some() { 0x30 } else { 0x10 }];
        if let Some(length) = stuffing {
            packet.push(length);
            packet.extend(std::iter::repeat_n(0xff, usize::from(length)));
        }
        packet.extend([
            0,
            0,
            1,
            stream,
            0,
            0,
            0x80,
            if pts.is_some() { 0x80 } else { 0 },
            5,
        ]);
        let pts = pts.unwrap_or(0);
        let pieces = [
            pts >> 29 & 0xe | 0x21,
            pts >> 22 & 0xff,
            pts >> 14 & 0xfe | 1,
            pts >> 7 & 0xff,
            pts << 1 & 0xfe | 1,
        ];
        packet.extend(pieces.map(|piece| u8::try_from(piece).unwrap()));
        packet.resize(PACKET, 0xff);
        packet
    }

    #[test]
    fn the_first_picture_counts_and_sound_only_without_one() {
        let table = {
            let mut table = packet(0xe0, Some(1), None);
            // No packet begins here: the tables of the stream.
            table[4..8].copy_from_slice(&[0, 0, 0xb0, 0x0d]);
            table
        };
        for (packets, expected) in [
            (
                vec![
                    table.clone(),
                    packet(0xc0, Some(5), None),
                    packet(0xe0, Some(900_000), Some(7)),
                ],
                Some(900_000),
            ),
            (
                vec![
                    table.clone(),
                    packet(0xc0, Some(5), None),
                    packet(0xc1, Some(6), None),
                ],
                Some(5),
            ),
            (
                vec![packet(0xe0, None, None), packet(0xe0, Some((1 << 33) - 1), None)],
                Some((1 << 33) - 1),
            ),
            (vec![table], None),
            (vec![b"short".to_vec()], None),
        ] {
            assert_eq!(first_pts(&packets.concat()), expected);
        }
    }

    proptest! {
        #[test]
        fn every_time_stamp_reads_back(pts in 0u64..1 << 33) {
            prop_assert_eq!(first_pts(&packet(0xe0, Some(pts), Some(3))), Some(pts));
        }

        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = bytes;
            for start in (0..bytes.len()).step_by(PACKET) {
                bytes[start] = 0x47;
            }
            first_pts(&bytes);
        }
    }
}
