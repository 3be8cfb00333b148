use std::io::Cursor;

use proptest::prelude::*;

use super::*;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "literals are references")]
fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let size = u32::try_from(content.len() + 8).expect("is short");
    [&size.to_be_bytes(), kind.as_slice(), &content].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("is hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

/// An initialization segment with one track.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "literals are references")]
fn initialization(timescale: u32, edit: u32, entry: &[u8; 4], fixed: usize, config: &[u8]) -> Vec<u8> {
    let description = boxed(entry, &[&vec![0; fixed], config]);
    let table = boxed(b"stbl", &[&boxed(b"stsd", &[&numbers(&[0, 1]), &description])]);
    let media = [
        boxed(b"mdhd", &[&numbers(&[0, 0, 0, timescale, 0, 0])]),
        boxed(b"minf", &[&table]),
    ]
    .concat();
    let edits = boxed(
        b"edts",
        &[&boxed(b"elst", &[&numbers(&[0, 1, 0, edit, 0x1_0000])])],
    );
    let track = boxed(b"trak", &[&edits, &boxed(b"mdia", &[&media])]);
    let extends = boxed(b"mvex", &[&boxed(b"trex", &[&numbers(&[0, 1, 1, 512, 10, 0])])]);
    [boxed(b"ftyp", &[b"cmfc"]), boxed(b"moov", &[&track, &extends])].concat()
}

/// A fragment that starts at `decoded`, with the composition offset and size of each sample.
fn fragment(decoded: u32, samples: &[(i32, u32)]) -> Vec<u8> {
    let list: Vec<u8> = samples
        .iter()
        .flat_map(|(offset, size)| [size.to_be_bytes(), offset.to_be_bytes()].concat())
        .collect();
    let count = u32::try_from(samples.len()).expect("are few");
    let run = |data: u32| boxed(b"trun", &[&numbers(&[0xa01, count, data]), &list]);
    let moof = |data: u32| {
        let header = boxed(b"tfhd", &[&numbers(&[0x2_0000, 1])]);
        boxed(
            b"moof",
            &[&boxed(
                b"traf",
                &[&header, &boxed(b"tfdt", &[&numbers(&[0, decoded])]), &run(data)],
            )],
        )
    };
    let length = u32::try_from(moof(0).len()).expect("is short");
    let bytes: u32 = samples.iter().map(|(_, size)| size).sum();
    [moof(length + 8), boxed(b"mdat", &[&vec![0; bytes as usize]])].concat()
}

const AVC: &str = "014d400cffe1001a674d400ceca0a1bf";

fn video(edit: u32) -> Track {
    let config = boxed(b"avcC", &[&hex(AVC)]);
    Track::parse(&initialization(15_360, edit, b"avc1", 78, &config)).expect("is a track")
}

#[test]
fn codecs_are_named_from_their_headers() {
    let esds =
        "0000000003808080250002000480808017401500000000010dbc0000f6e00580808005118856e5000680808001 02"
            .replace(' ', "");
    for (entry, fixed, kind, config, name) in [
        (b"avc1", 78, b"avcC", AVC, "avc1.4d400c"),
        (
            b"hvc1",
            78,
            b"hvcC",
            "0101600000009000000000001ef000fcfd",
            "hvc1.1.6.L30.90",
        ),
        (
            b"hev1",
            78,
            b"hvcC",
            "0122200000009000000000007bf000fcfd",
            "hev1.2.4.H123.90",
        ),
        (b"av01", 78, b"av1C", "81004c00", "av01.0.00M.10"),
        (b"vp09", 78, b"vpcC", "000000000014820202020000", "vp09.00.20.08"),
        (b"mp4a", 28, b"esds", esds.as_str(), "mp4a.40.2"),
        (b"ac-3", 28, b"dac3", "102a00", "ac-3"),
    ] {
        let config = boxed(kind, &[&hex(config)]);
        let track = Track::parse(&initialization(48_000, 0, entry, fixed, &config));
        assert_eq!(track.expect(name).codec(true), name);
    }
    assert_eq!(video(0).codec(false), "avc1.77.12");
}

#[test]
fn hevc_in_transport_streams() {
    // VPS, then SPS with an emulation prevention byte, as x265 writes them.
    let start = hex(
        "0000000140010c01ffff0160000003009000000300000300 1e0000000142010101600000030090000003000003001ea0"
            .replace(' ', "")
            .as_str(),
    );
    assert_eq!(hevc_in_stream(&start).as_deref(), Some("hvc1.1.6.L30.90"));
    assert_eq!(hevc_in_stream(&start[..30]), None);
}

#[test]
fn segments_start_where_they_are_shown() {
    let track = video(1024);
    assert_eq!((track.timescale, track.edit), (15_360, 1024));
    let first = fragment(0, &[(1024, 300), (1536, 7), (0, 5)]);
    let head = first
        .windows(4)
        .position(|kind| kind == b"mdat")
        .expect("has data")
        + 4;
    let length = first.len() as u64;
    // A fragment may begin with a picture that is shown later than its neighbors.
    let second = fragment(1536, &[(2048, 4)]);
    let whole = track.segment(&mut Cursor::new([first, second].concat()));
    let expected = Segment {
        start: 0,
        end: 2048,
        keyframes: vec![
            Keyframe {
                start: 0,
                end: head as u64 + 300,
                at: 0,
            },
            Keyframe {
                start: length,
                end: length + head as u64 - 16 + 4,
                at: 1536,
            },
        ],
    };
    assert_eq!(whole.expect("is read"), expected);
    let next = track
        .segment(&mut Cursor::new(fragment(1536, &[(1024, 4)])))
        .expect("is read");
    assert_eq!((next.start, next.end), (1536, 2048));

    // Signed offsets have no edit list; audio has one for the delay of its encoder, and no offsets.
    let signed = video(0).segment(&mut Cursor::new(fragment(512, &[(0, 1), (-512, 1)])));
    assert_eq!(
        signed
            .map(|segment| (segment.start, segment.end))
            .expect("is read"),
        (512, 1536)
    );
    let audio = video(1024).segment(&mut Cursor::new(fragment(0, &[(0, 1), (0, 1), (0, 1)])));
    assert_eq!(
        audio
            .map(|segment| (segment.start, segment.end))
            .expect("is read"),
        (0, 512)
    );
}

#[test]
fn damage_is_an_error() {
    let good = fragment(0, &[(0, 5)]);
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("no fragment", boxed(b"mdat", &[b"x"])),
        ("a cut head", good[..6].to_vec()),
        ("no samples", fragment(0, &[])),
        ("a size of 0", [&[0, 0, 0, 0], &good[4..]].concat()),
        ("a huge index", [&u32::MAX.to_be_bytes(), &good[4..]].concat()),
    ] {
        assert!(video(0).segment(&mut Cursor::new(bytes)).is_err(), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..300) {
        let mut init = initialization(48_000, 0, b"avc1", 78, &boxed(b"avcC", &[&hex(AVC)]));
        let at = at % init.len();
        init.splice(at..(at + bytes.len().min(8)).min(init.len()), bytes.iter().copied().take(8));
        drop(Track::parse(&init));
        drop(Track::parse(&bytes));
        drop(video(0).segment(&mut Cursor::new([fragment(0, &[(0, 5)]), bytes].concat())));
    }
}
