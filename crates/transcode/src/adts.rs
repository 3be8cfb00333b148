//! Cuts an ADTS stream into the packed audio segments of HLS.
//!
//! A segment is a run of whole AAC frames with the instant of the first one in front, in an ID3 tag (RFC 8216, section 3.4).

use std::io::{self, Read, Write};

/// Samples of a frame per channel.
const FRAME: u64 = 1024;
/// Ticks per second of transport stream timestamps.
const TICKS: u64 = 90_000;
/// Bytes of a frame's header without checksum.
const HEADER: usize = 7;
/// Sampling rates in hertz by their index (ISO/IEC 14496-3, table 1.18).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/// Cuts `input` at the first frames that begin at or after each multiple of `seconds`, into segments that `create` opens by
/// their number, from 1. The first frame is the encoder's delay: it ends where the video starts, at `start` seconds of the
/// transport streams. Returns the duration of each segment in seconds. A frame that cannot be read is an error.
#[expect(clippy::cast_precision_loss, reason = "sample counts are far below 2^52")]
pub fn cut<W: Write>(
    input: &mut impl Read,
    seconds: f64,
    start: u32,
    mut create: impl FnMut(usize) -> io::Result<W>,
) -> io::Result<Vec<f64>> {
    let mut durations: Vec<f64> = Vec::new();
    let mut output: Option<W> = None;
    let mut frame = Vec::new();
    let mut number = 0_u64;
    while let Some(rate) = next_frame(input, &mut frame)? {
        // In samples from the start of the video; the first frame is before it.
        let at = (number * FRAME) as f64 - FRAME as f64;
        let due = durations.len() as f64 * seconds * f64::from(rate);
        if output.is_none() || at >= due {
            finish(output.take())?;
            let mut file = create(durations.len() + 1)?;
            let first = u64::from(start) * TICKS + number * FRAME * TICKS / u64::from(rate);
            file.write_all(&tag(first.saturating_sub(FRAME * TICKS / u64::from(rate))))?;
            output = Some(file);
            durations.push(0.0);
        }
        if let (Some(file), Some(duration)) = (&mut output, durations.last_mut()) {
            file.write_all(&frame)?;
            *duration += FRAME as f64 / f64::from(rate);
        }
        number += 1;
    }
    finish(output)?;
    Ok(durations)
}

fn finish(file: Option<impl Write>) -> io::Result<()> {
    file.map_or(Ok(()), |mut file| file.flush())
}

/// Reads a frame with its header, and returns its sampling rate; `None` at the end.
fn next_frame(reader: &mut impl Read, frame: &mut Vec<u8>) -> io::Result<Option<u32>> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the encoder's audio cannot be read");
    frame.clear();
    reader.by_ref().take(HEADER as u64).read_to_end(frame)?;
    if frame.is_empty() {
        return Ok(None);
    }
    // Twelve bits of synchronization; two of layer are 0.
    if frame.len() < HEADER || frame[0] != 0xff || frame[1] & 0xf6 != 0xf0 {
        return Err(malformed());
    }
    let rate = RATES
        .get(usize::from(frame[2] >> 2 & 0xf))
        .ok_or_else(malformed)?;
    let length = usize::from(frame[3] & 3) << 11 | usize::from(frame[4]) << 3 | usize::from(frame[5] >> 5);
    let rest = length.checked_sub(HEADER).ok_or_else(malformed)?;
    reader.by_ref().take(rest as u64).read_to_end(frame)?;
    if frame.len() == length {
        Ok(Some(*rate))
    } else {
        Err(malformed())
    }
}

/// An ID3 tag with a `PRIV` frame: the timestamp of a segment, of 33 bits (RFC 8216, section 3.4).
fn tag(timestamp: u64) -> Vec<u8> {
    const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";
    /// Bytes of the frame's content: below 128, so that it is the same with eight and with seven bits a byte.
    const CONTENT: u8 = 45 + 8;
    let mut tag = b"ID3\x04\0\0\0\0\0".to_vec();
    tag.push(10 + CONTENT);
    tag.extend_from_slice(b"PRIV\0\0\0");
    tag.extend_from_slice(&[CONTENT, 0, 0]);
    tag.extend_from_slice(OWNER);
    tag.extend_from_slice(&(timestamp & 0x1_ffff_ffff).to_be_bytes());
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of 48 kHz with this many bytes.
    fn frame(length: u8) -> Vec<u8> {
        let mut frame = vec![0xff, 0xf1, 0x4c, 0x80, length >> 3, length << 5 | 0x1f, 0xfc];
        frame.resize(usize::from(length), 7);
        frame
    }

    fn cut_all(bytes: &[u8], seconds: f64) -> io::Result<(Vec<f64>, Vec<Vec<u8>>)> {
        let folder = tempfile::tempdir()?;
        let path = |number: usize| folder.path().join(format!("{number}.aac"));
        let create = |number| std::fs::File::create(path(number)).map(std::io::BufWriter::new);
        let durations = cut(&mut &*bytes, seconds, 2, create)?;
        let files = (1..=durations.len()).map(|number| std::fs::read(path(number)));
        let files = files.collect::<io::Result<_>>()?;
        Ok((durations, files))
    }

    #[test]
    fn segments_begin_at_frames_and_say_when() {
        let frames: Vec<u8> = (0..200).flat_map(|_| frame(9)).collect();
        let (durations, files) = cut_all(&frames, 2.0).expect("is cut");
        let counts: Vec<f64> = durations
            .iter()
            .map(|seconds| (seconds * 48_000.0 / 1024.0).round())
            .collect();
        // 94 frames are 2.005 s: the 95th from the start of the video begins the next segment.
        assert_eq!(counts, [95.0, 94.0, 11.0]);
        let stamp = |file: &[u8]| u64::from_be_bytes(file[65..73].try_into().expect("eight bytes"));
        assert_eq!(&files[0][..10], b"ID3\x04\0\0\0\0\0\x3f");
        assert_eq!(stamp(&files[0]), 180_000 - 1920);
        assert_eq!(stamp(&files[1]), 180_000 + 94 * 1920);
        assert!(files.iter().all(|file| file[73..75] == [0xff, 0xf1]));
    }

    #[test]
    fn cuts_do_not_drift() {
        let frames: Vec<u8> = (0..60_000).flat_map(|_| frame(8)).collect();
        let (durations, _) = cut_all(&frames, 6.0).expect("is cut");
        for (number, _) in durations.iter().enumerate().skip(1) {
            let start: f64 = durations[..number].iter().sum::<f64>() - 1024.0 / 48_000.0;
            let due = f64::from(u32::try_from(number).expect("is small")) * 6.0;
            assert!((due..due + 0.022).contains(&start), "{number}: {start}");
        }
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [
            vec![0; 20],
            frame(9)[..8].to_vec(),
            frame(9)[..3].to_vec(),
            vec![0xff, 0xf1, 0x7c, 0, 0, 0, 0],
        ] {
            assert!(cut_all(&bytes, 2.0).is_err(), "{bytes:?}");
        }
        assert_eq!(cut_all(&[], 2.0).expect("is nothing").0, Vec::<f64>::new());
    }
}
