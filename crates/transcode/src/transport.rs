//! Finds the pictures in a transport stream that can be shown alone (ISO/IEC 13818-1).
//!
//! ffmpeg's muxer writes the stream's tables in front of each keyframe and marks it as a point of random access.

use std::io::{self, Read};

/// Bytes of a packet.
const PACKET: usize = 188;
/// Timestamps have 33 bits.
const TIMESTAMP: u64 = 1 << 33;
const SYNC: u8 = 0x47;

/// A keyframe, with the tables in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyframe {
    /// First byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// Ticks of 90 kHz after the first keyframe of the stream.
    pub ticks: u64,
}

/// The keyframes of a transport stream.
pub fn keyframes(stream: &mut impl Read) -> io::Result<Vec<Keyframe>> {
    let mut scan = Scan::default();
    let mut packet = Vec::with_capacity(PACKET);
    loop {
        packet.clear();
        stream.by_ref().take(PACKET as u64).read_to_end(&mut packet)?;
        if packet.is_empty() {
            scan.close(scan.at);
            return Ok(scan.found);
        }
        scan.take(&packet).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the encoder's segments cannot be read: a packet is damaged",
            )
        })?;
        scan.at += packet.len() as u64;
    }
}

#[derive(Default)]
struct Scan {
    /// First byte of the packet that is looked at.
    at: u64,
    /// First byte of the tables just before it.
    tables: Option<u64>,
    /// The keyframe that has not ended: its first byte and its timestamp.
    open: Option<(u64, u64)>,
    /// Timestamp of the first keyframe.
    first: Option<u64>,
    found: Vec<Keyframe>,
}

impl Scan {
    /// Takes in a packet; `None`: it is none.
    fn take(&mut self, packet: &[u8]) -> Option<()> {
        if packet.len() != PACKET || packet[0] != SYNC {
            return None;
        }
        let starts = packet[1] & 0x40 != 0;
        let (has_adaptation, has_payload) = (packet[3] & 0x20 != 0, packet[3] & 0x10 != 0);
        let adaptation = if has_adaptation {
            1 + usize::from(packet[4])
        } else {
            0
        };
        let is_random_access = adaptation > 1 && packet[5] & 0x40 != 0;
        let payload = packet.get(4 + adaptation..).filter(|_| has_payload);
        let payload = payload.unwrap_or_default();
        if !starts {
            self.tables = None;
            return Some(());
        }
        if !payload.starts_with(&[0, 0, 1]) {
            // Tables begin with a pointer, not with the start code of a picture or of audio.
            self.tables = self.tables.or(Some(self.at));
            return Some(());
        }
        let tables = self.tables.take();
        // Stream ids of video.
        if payload.get(3).is_some_and(|id| id & 0xf0 == 0xe0) {
            self.close(tables.unwrap_or(self.at));
            if let (true, Some(start)) = (is_random_access, tables) {
                self.open = Some((start, timestamp(payload)?));
            }
        }
        Some(())
    }

    /// Ends the keyframe before this byte.
    fn close(&mut self, end: u64) {
        if let Some((start, timestamp)) = self.open.take() {
            let first = *self.first.get_or_insert(timestamp);
            let ticks = (timestamp + TIMESTAMP - first) % TIMESTAMP;
            self.found.push(Keyframe { start, end, ticks });
        }
    }
}

/// The presentation timestamp in the header of a picture.
fn timestamp(header: &[u8]) -> Option<u64> {
    let bytes = header.get(9..14).filter(|_| header[7] & 0x80 != 0)?;
    // Bits between which markers are: 3, 15 and 15.
    let part = |at: usize| u64::from(bytes[at]) << 7 | u64::from(bytes[at + 1]) >> 1;
    Some(u64::from(bytes[0] >> 1 & 0x7) << 30 | part(1) << 15 | part(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(starts: bool, random_access: bool, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![SYNC, if starts { 0x41 } else { 0x01 }, 0, 0x30, 1];
        packet.push(if random_access { 0x40 } else { 0 });
        packet.extend_from_slice(payload);
        packet.resize(PACKET, 0xff);
        packet
    }

    fn picture(key: bool, timestamp: u64) -> Vec<u8> {
        let byte = |shift: u32, mask: u64| u8::try_from(timestamp >> shift & mask).expect("is a byte");
        let stamp = [
            0x21 | byte(30, 7) << 1,
            byte(22, 0xff),
            byte(15, 0x7f) << 1 | 1,
            byte(7, 0xff),
            byte(0, 0x7f) << 1 | 1,
        ];
        packet(
            true,
            key,
            &[&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5][..], &stamp].concat(),
        )
    }

    #[test]
    fn keyframes_have_their_tables_and_end_before_the_next_picture() {
        let tables = packet(true, false, &[0, 2]);
        let audio = packet(true, true, &[0, 0, 1, 0xc0, 0, 0]);
        let rest = packet(false, false, &[7]);
        let last = TIMESTAMP - 90;
        let stream = [
            tables.clone(),
            tables.clone(),
            picture(true, last),
            rest.clone(),
            audio.clone(),
            picture(false, 0),
            audio,
            tables.clone(),
            picture(true, 180_000),
            tables,
            picture(true, 190_000),
            // Without tables in front it cannot be shown alone.
            picture(true, 200_000),
            rest,
        ];
        let found = keyframes(&mut stream.concat().as_slice()).expect("is read");
        let of = |from: u64, to: u64, ticks| Keyframe {
            start: from * PACKET as u64,
            end: to * PACKET as u64,
            ticks,
        };
        assert_eq!(found, [of(0, 5, 0), of(7, 9, 180_090), of(9, 11, 190_090)]);
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [vec![0; PACKET], vec![SYNC; 20], picture(true, 0)[..187].to_vec()] {
            assert!(keyframes(&mut bytes.as_slice()).is_err(), "{bytes:?}");
        }
        assert_eq!(keyframes(&mut [].as_slice()).expect("is nothing"), []);
    }
}
