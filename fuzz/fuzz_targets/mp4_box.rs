//! Bytes of media: walking the boxes of a file always gets on, and looking into a segment ends.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use transcode::boxes::Track;
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

    if let Ok(found) = keyframes(&mut &*bytes) {
        assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!(found.iter().all(|key| key.start < key.end));
    }

    for rfc_6381 in [true, false] {
        if let Some(codec) = avc_codec(bytes, rfc_6381) {
            assert!(codec.starts_with("avc1.") && codec.len() <= 12, "{codec}");
        }
    }
    let playlist = String::from_utf8_lossy(bytes);
    assert!(durations(&playlist).len() <= playlist.matches("#EXTINF:").count());
});
