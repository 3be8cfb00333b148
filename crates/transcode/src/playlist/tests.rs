use super::*;
use crate::plan::{Clock, ClosedCaption, ClosedCaptions};
use crate::probe::Ratio;

fn group() -> HlsGroup {
    HlsGroup {
        integer_durations: false,
        legacy_target: false,
        rfc_6381: true,
        resolution: true,
        client_cache: true,
        base_url: String::new(),
        captions_match_video: false,
        manifests: true,
        clock: None,
        closed_captions: ClosedCaptions::Unsaid,
        encryption: None,
    }
}

fn segment(name: &str, seconds: f64, bytes: u64) -> Segment {
    Segment {
        name: name.to_owned(),
        seconds,
        bytes,
        offset: None,
    }
}

fn segments_of(
    group: &HlsGroup,
    initialization: Option<(&str, Option<u64>)>,
    segments: &[Segment],
) -> String {
    let initialization = initialization.map(|(name, bytes)| Initialization {
        name: name.to_owned(),
        bytes,
    });
    media(group, Contents::Segments, initialization.as_ref(), segments)
}

fn only(variants: &[Variant]) -> Master {
    Master {
        version: 3,
        variants: variants.to_vec(),
        ..Master::default()
    }
}

#[test]
fn a_media_playlist() {
    let segments = [
        segment("video_360_00001.ts", 6.0, 1),
        segment("video 360#_00002.ts", 1.5, 1),
    ];
    insta::assert_snapshot!("media_playlist", segments_of(&group(), None, &segments));
    let old = HlsGroup {
        integer_durations: true,
        legacy_target: true,
        client_cache: false,
        ..group()
    };
    insta::assert_snapshot!(
        "media_playlist_for_old_players",
        segments_of(&old, None, &segments)
    );
}

#[test]
fn a_master_playlist() {
    let variants = [
        variant("video_360.m3u8", (640, 360), &["avc1.4d401e", "mp4a.40.2"]),
        variant("video_540.m3u8", (960, 540), &["avc1.64001f"]),
    ];
    insta::assert_snapshot!("master_playlist", master(&group(), &only(&variants)));
    let plain = HlsGroup {
        resolution: false,
        ..group()
    };
    let plain = master(&plain, &only(&variants));
    assert!(!plain.contains("RESOLUTION"), "{plain}");
}

fn variant(name: &str, size: (u32, u32), codecs: &[&str]) -> Variant {
    let rate = Ratio {
        num: 30_000,
        den: 1001,
    };
    Variant {
        name: name.to_owned(),
        bandwidth: 1_352_000,
        average_bandwidth: 1_108_000,
        codecs: codecs.iter().map(|&codec| codec.to_owned()).collect(),
        picture: Some((size, rate)),
        audio_group: None,
    }
}

#[test]
fn playlists_of_fragments_and_audio_renditions() {
    let variants = [
        Variant {
            audio_group: Some("program_audio_0".to_owned()),
            ..variant("video_360.m3u8", (640, 360), &["avc1.4d401e", "mp4a.40.2"])
        },
        Variant {
            picture: None,
            ..variant("video_radio.m3u8", (0, 0), &["mp4a.40.2"])
        },
    ];
    let described = AudioRendition {
        group: "program_audio_0".to_owned(),
        name: "Director's \"cut\"".to_owned(),
        language: Some("eng".to_owned()),
        default: true,
        auto_select: true,
        describes_video: true,
        channels: 2,
        file: "video audio.m3u8".to_owned(),
    };
    let plain = AudioRendition {
        name: "Alternate Audio".to_owned(),
        language: None,
        default: false,
        describes_video: false,
        ..described.clone()
    };
    let lists = Master {
        version: 6,
        audio: vec![described, plain],
        ..only(&variants)
    };
    let master = master(&group(), &lists);
    insta::assert_snapshot!("master_playlist_with_audio_renditions", master);
    let elsewhere = HlsGroup {
        base_url: "https://cdn.example.com/a".to_owned(),
        ..group()
    };
    let segments = [segment("video_360_000000001.cmfv", 6.0, 1)];
    let playlist = segments_of(&elsewhere, Some(("video_360init.cmfv", None)), &segments);
    let mut ranges = [
        segment("video_360.cmfv", 6.0, 70),
        segment("video_360.cmfv", 2.0, 30),
    ];
    (ranges[0].offset, ranges[1].offset) = (Some(800), Some(870));
    let single = segments_of(&group(), Some(("video_360.cmfv", Some(737))), &ranges);
    insta::assert_snapshot!("media_playlist_of_one_file", single);
    insta::assert_snapshot!("media_playlist_of_fragments", playlist);
}

#[test]
fn durations_are_read_back() {
    let segments = [segment("a_00001.ts", 6.006, 1), segment("a_00002.ts", 0.5, 1)];
    assert_eq!(durations(&segments_of(&group(), None, &segments)), [6.006, 0.5]);
}

#[test]
fn target_durations() {
    for (seconds, legacy, spec) in [(6.0, 7.0, 6.0), (6.4, 7.0, 6.0), (6.5, 7.0, 7.0), (0.2, 1.0, 1.0)] {
        let segments = [segment("a", seconds, 1)];
        let of = |legacy_target| {
            target_duration(
                &HlsGroup {
                    legacy_target,
                    ..group()
                },
                &segments,
            )
        };
        assert_eq!(
            (of(true).to_bits(), of(false).to_bits()),
            (f64::to_bits(legacy), f64::to_bits(spec)),
            "{seconds}"
        );
    }
}

#[test]
fn rates() {
    let segments = [
        segment("a", 6.0, 600_000),
        segment("b", 6.0, 300_000),
        segment("c", 0.1, 50_000),
    ];
    assert_eq!(bandwidth(&segments), (800_000, 628_100));
    assert_eq!(bandwidth(&[]), (0, 0));
    assert_eq!(bandwidth(&[segment("a", 0.0, 1)]), (0, 0));
    // A short and busy end counts together with the segment before it: the peak is never below the average.
    let busy_end = [segment("a", 6.0, 60_000), segment("b", 1.0, 80_000)];
    assert_eq!(bandwidth(&busy_end), (160_000, 160_000));
    // Two short ones on both sides of a long one are too long for a set with it.
    let (busy, quiet) = (segment("a", 4.0, 1_000), segment("b", 9.0, 90));
    let mut far_apart = vec![busy.clone(), quiet.clone(), busy];
    far_apart.extend(vec![quiet; 5]);
    assert_eq!(bandwidth(&far_apart), (671, 328));
}

#[test]
fn codecs() {
    let start = [
        0x47, 0x40, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x64, 0x00, 0x1f, 0xac,
    ];
    assert_eq!(avc_codec(&start, true).as_deref(), Some("avc1.64001f"));
    assert_eq!(avc_codec(&start, false).as_deref(), Some("avc1.100.31"));
    assert_eq!(avc_codec(&[0; 100], true), None);
}

#[test]
fn dates_come_once_in_a_period() {
    let segments: Vec<Segment> = (1..=5)
        .map(|number| segment(&format!("{number}.ts"), 4.0, 1))
        .collect();
    let with_period = |period| HlsGroup {
        clock: Some(Clock {
            start_ms: 1_767_225_599_500,
            period,
        }),
        ..group()
    };
    let dates = |period| {
        let text = segments_of(&with_period(period), None, &segments);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let found = lines.iter().enumerate().filter_map(|(number, line)| {
            let date = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:")?;
            Some(format!("{} {date}", lines[number + 2]))
        });
        found.collect::<Vec<_>>()
    };
    assert_eq!(
        dates(7),
        [
            "1.ts 2025-12-31T23:59:59.500Z",
            "3.ts 2026-01-01T00:00:07.500Z",
            "5.ts 2026-01-01T00:00:15.500Z"
        ]
    );
    assert_eq!(dates(0).len(), 5);
    assert_eq!(dates(600).len(), 1);
}

#[test]
fn i_frames_and_closed_captions() {
    let ranges = [
        Segment {
            offset: Some(0),
            ..segment("video_00001.ts", 0.4, 940)
        },
        Segment {
            offset: Some(3760),
            ..segment("video_00001.ts", 2.0, 1128)
        },
    ];
    let integer = HlsGroup {
        integer_durations: true,
        ..group()
    };
    insta::assert_snapshot!(
        "i_frame_playlist",
        media(&integer, Contents::IFrames, None, &ranges)
    );
    let listed = |channel, language: Option<&str>| ClosedCaption {
        channel,
        name: format!("Captions {channel}"),
        language: language.map(str::to_owned),
        default: channel == 1,
    };
    let captioned = HlsGroup {
        closed_captions: ClosedCaptions::Listed(vec![listed(1, Some("eng")), listed(3, None)]),
        ..group()
    };
    let lists = Master {
        version: 4,
        i_frames: vec![variant("video_I-Frame.m3u8", (640, 360), &["avc1.4d401e"])],
        ..only(&[variant("video.m3u8", (640, 360), &["avc1.4d401e", "mp4a.40.2"])])
    };
    insta::assert_snapshot!("master_playlist_with_i_frames", master(&captioned, &lists));
    let none = HlsGroup {
        closed_captions: ClosedCaptions::None,
        ..group()
    };
    assert!(master(&none, &lists).contains(",CLOSED-CAPTIONS=NONE\nvideo.m3u8\n"));
}

#[test]
fn keys() {
    use crate::plan::{Encryption, Key};

    let segments = [segment("a_00001.ts", 6.0, 1), segment("a_00002.ts", 6.0, 1)];
    let encryption = Encryption {
        key: Key([1; 16]),
        vector: None,
        vector_listed: false,
        url: "https://example.com/key?a=\"b".to_owned(),
        format: Some("identity".to_owned()),
        format_versions: None,
    };
    let lines = |vector, vector_listed, contents| {
        let group = HlsGroup {
            encryption: Some(Encryption {
                vector,
                vector_listed,
                ..encryption.clone()
            }),
            ..group()
        };
        let text = media(&group, contents, None, &segments);
        let lines = text.lines().filter(|line| line.starts_with("#EXT-X-KEY"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = "#EXT-X-KEY:METHOD=AES-128,URI=\"https://example.com/key?a='b\",KEYFORMAT=\"identity\"";
    assert_eq!(lines(None, false, Contents::Segments), [plain]);
    assert_eq!(lines(None, false, Contents::Captions), Vec::<String>::new());
    let constant = lines(Some(Key([16; 16])), true, Contents::Segments);
    assert_eq!(constant.len(), 1);
    assert!(
        constant[0].contains(",IV=0x10101010101010101010101010101010,"),
        "{constant:?}"
    );
    let each = lines(None, true, Contents::Segments);
    assert!(
        each[1].contains(",IV=0x00000000000000000000000000000002,"),
        "{each:?}"
    );
}
