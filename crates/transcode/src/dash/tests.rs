use super::*;

fn form(timeline: bool, style: DashStyle) -> DashForm {
    DashForm {
        timeline,
        style,
        measured_bandwidth: false,
        min_buffer_seconds: None,
        base_url: String::new(),
        on_demand: false,
        hbbtv: false,
        dolby_channels: false,
    }
}

fn video(id: usize, height: u32, rate: u32) -> Representation {
    let modifier = format!("video & {height}");
    Representation {
        id,
        files: Files::Each {
            media: format!("{modifier}_$Number%09d$.cmfv"),
            initialization: format!("{modifier}init.cmfv"),
        },
        codecs: "avc1.4d401f".to_owned(),
        bandwidth: 3_000_000,
        segments: vec![(0, 540_540), (540_540, 1_081_080), (1_081_080, 1_255_254)],
        track: Track::Video {
            size: (height * 16 / 9, height),
            rate: Ratio { num: rate, den: 1001 },
        },
    }
}

fn audio(id: usize, language: Option<&str>) -> Representation {
    Representation {
        id,
        files: Files::Each {
            media: "video_a_$Number%09d$.cmfa".to_owned(),
            initialization: "video_ainit.cmfa".to_owned(),
        },
        codecs: "mp4a.40.2".to_owned(),
        bandwidth: 96_000,
        segments: vec![(0, 287_744), (287_744, 576_512)],
        track: Track::Audio {
            language: language.map(str::to_owned),
            sample_rate: 48_000,
            channels: 2,
        },
    }
}

fn of(form: &DashForm, segment: f64, tracks: &[Representation]) -> String {
    let contents = Mpd {
        segment,
        duration: 13.947,
        tracks: tracks.to_vec(),
        captions: Vec::new(),
    };
    mpd(form, &contents)
}

#[test]
fn manifests() {
    let tracks = [
        video(1, 360, 30_000),
        video(2, 720, 30_000),
        audio(3, Some("eng")),
        audio(4, None),
    ];
    let manifest = |timeline, style| of(&form(timeline, style), 6.006, &tracks);
    insta::assert_snapshot!("basic", manifest(true, DashStyle::Basic));
    insta::assert_snapshot!("compact", manifest(true, DashStyle::Compact));
    insta::assert_snapshot!("full", manifest(true, DashStyle::Full));
    insta::assert_snapshot!("nominal", manifest(false, DashStyle::Basic));
    let on_demand = DashForm {
        on_demand: true,
        ..form(true, DashStyle::Basic)
    };
    let one = Representation {
        files: Files::One {
            name: "video a.cmfa".to_owned(),
            index: 737..805,
        },
        ..audio(1, None)
    };
    insta::assert_snapshot!("one_file", of(&on_demand, 6.0, &[one]));
}

#[test]
fn sets_by_frame_rate_and_a_base_url() {
    let elsewhere = DashForm {
        base_url: "https://cdn.example.com/a?b&c".to_owned(),
        min_buffer_seconds: Some(12),
        ..form(true, DashStyle::Distinct)
    };
    let tracks = [video(1, 360, 30_000), video(2, 720, 60_000)];
    let text = of(&elsewhere, 6.0, &tracks);
    assert_eq!(text.matches("<AdaptationSet").count(), 2, "{text}");
    // Each has one timeline, beside its representations.
    assert_eq!(text.matches("\n      <SegmentTemplate").count(), 2, "{text}");
    assert_eq!(text.matches("<SegmentTimeline").count(), 2, "{text}");
    assert!(
        text.contains("<BaseURL>https://cdn.example.com/a?b&amp;c/</BaseURL>"),
        "{text}"
    );
    assert!(text.contains("minBufferTime=\"PT12S\""), "{text}");
    let one = of(&form(true, DashStyle::Basic), 6.0, &tracks);
    assert_eq!(one.matches("<AdaptationSet").count(), 1, "{one}");
}

#[test]
fn durations() {
    for (seconds, text) in [
        (6.0, "PT6S"),
        (0.25, "PT0.250S"),
        (5291.733, "PT1H28M11.733S"),
        (3600.0, "PT1H0S"),
        (59.9996, "PT1M0S"),
    ] {
        assert_eq!(xsd_duration(seconds), text);
    }
}

#[test]
fn profiles_and_channels_of_other_schemes() {
    let form = DashForm {
        hbbtv: true,
        dolby_channels: true,
        ..form(true, DashStyle::Basic)
    };
    let dolby = Representation {
        codecs: "ec-3".to_owned(),
        ..audio(2, None)
    };
    let text = of(&form, 6.0, &[audio(1, None), dolby]);
    assert!(
        text.contains(
            "profiles=\"urn:mpeg:dash:profile:isoff-main:2011,urn:hbbtv:dash:profile:isoff-live:2012\""
        ),
        "{text}"
    );
    // AAC has no configuration of Dolby's.
    assert_eq!(text.matches("value=\"2\"").count(), 1, "{text}");
    assert!(
        text.contains("\"tag:dolby.com,2014:dash:audio_channel_configuration:2011\" value=\"A000\""),
        "{text}"
    );
}
