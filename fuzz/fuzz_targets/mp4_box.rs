//! Bytes of media: walking the boxes of a file always gets on, and looking into a segment ends. Audio is cut between frames.
#![no_main]

use std::cell::RefCell;
use std::io::{self, Cursor, Write};
use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use transcode::adts;
use transcode::boxes::{Track, copy_fragments, hevc_in_stream};
use transcode::playlist::{avc_codec, durations};
use transcode::transport::keyframes;
use vod_core::mp4::box_header;

fuzz_target!(|bytes: &[u8]| {
    let (mut at, mut boxes) = (0_u64, 0_usize);
    while let Some(rest) = usize::try_from(at).ok().and_then(|at| bytes.get(at..))
        && let Some(found) = box_header(rest)
    {
        boxes += 1;
        assert!(boxes <= bytes.len() / 8 + 1, "a box takes eight bytes at least");
        assert!(found.header == 8 || found.header == 16);
        assert_eq!(found.kind, rest[4..8]);
        let Some(size) = found.size else { break };
        assert!(size >= found.header);
        let Some(next) = at.checked_add(size) else { break };
        at = next;
    }

    // The input is an initialization segment, its fragments and both.
    if let Some(track) = Track::parse(bytes) {
        assert!(!track.codec(true).is_empty() && !track.codec(false).is_empty());
        if let Ok(segment) = track.segment(&mut Cursor::new(bytes)) {
            assert!(segment.keyframes.iter().all(|key| key.start < key.end));
        }
    }

    let mut fragments = Vec::new();
    if let Ok(copied) = copy_fragments(&mut Cursor::new(bytes), &mut fragments) {
        assert_eq!(copied, fragments.len() as u64);
        assert!(fragments.len() <= bytes.len());
    }

    if let Ok(found) = keyframes(&mut &*bytes) {
        assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!(found.iter().all(|key| key.start < key.end));
    }

    for rfc_6381 in [true, false] {
        if let Some(codec) = avc_codec(bytes, rfc_6381) {
            assert!(codec.starts_with("avc1.") && codec.len() <= 12, "{codec}");
        }
    }
    if let Some(codec) = hevc_in_stream(bytes) {
        assert!(codec.starts_with("hvc1.") && codec.len() <= 40, "{codec}");
    }
    packed_audio(bytes);
    let playlist = String::from_utf8_lossy(bytes);
    assert!(durations(&playlist).len() <= playlist.matches("#EXTINF:").count());
});

/// Bytes of the tag in front of each segment of packed audio.
const TAG: usize = 73;

/// All frames are in the segments, in their order.
fn packed_audio(bytes: &[u8]) {
    let mut segments: Vec<Segment> = Vec::new();
    let create = |number| {
        let segment = Segment::default();
        segments.push(segment.clone());
        assert_eq!(segments.len(), number);
        Ok(segment)
    };
    let Ok(durations) = adts::cut(&mut &*bytes, 0.1, 2, create) else {
        return;
    };
    assert_eq!(durations.len(), segments.len());
    assert!(durations.iter().all(|seconds| *seconds > 0.0));
    let audio: Vec<u8> = segments
        .iter()
        .flat_map(|segment| segment.0.borrow()[TAG..].to_vec())
        .collect();
    assert_eq!(audio, bytes);
}

/// A file in memory that can be read while it is written.
#[derive(Clone, Default)]
struct Segment(Rc<RefCell<Vec<u8>>>);

impl Write for Segment {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
