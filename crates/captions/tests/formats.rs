//! Caption files of each format are read, refused and written.

use captions::write::{self, Looks};
use captions::{Align, Cue, Format, MAX_CUES, Place, Span, Style, Vertical, ass, cut, read, segments, shift};

fn plain(start: u64, end: u64, text: &str) -> Cue {
    let spans = vec![Span {
        text: text.to_owned(),
        style: Style::default(),
    }];
    Cue {
        start,
        end,
        spans,
        place: Place::default(),
    }
}

fn texts(cues: &[Cue]) -> Vec<(u64, u64, String)> {
    cues.iter().map(|cue| (cue.start, cue.end, cue.text())).collect()
}

fn italic(text: &str) -> Span {
    Span {
        text: text.to_owned(),
        style: Style {
            italic: true,
            ..Style::default()
        },
    }
}

const SRT: &str = "1\r\n00:00:01,000 --> 00:00:02,500\r\nHello &amp; <i>good</i> day\r\n\r\nafter a blank line\r\n\r\n\
                   2\r\n00:00:03,000 --> 00:00:04,000 X1:1 X2:2 Y1:3 Y2:4\r\n{\\an8}- 한국어\r\n- 1 < 2\r\n";

#[test]
fn subrip() {
    let cues = read(Format::Srt, SRT.as_bytes(), None).expect("reads");
    assert_eq!(
        texts(&cues),
        [
            (1000, 2500, "Hello &amp; good day\nafter a blank line".to_owned()),
            (3000, 4000, "- 한국어\n- 1 < 2".to_owned())
        ]
    );
    assert_eq!(cues[0].spans[1], italic(" good"));
    assert_eq!(
        cues[1].place,
        Place {
            vertical: Vertical::Top,
            align: Align::Center
        }
    );
}

#[test]
fn webvtt() {
    let file = "WEBVTT - title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE a note\n\nintro\n\
                00:01.000 --> 00:02.500 line:0 align:start\n<v Ann>Tom &amp; <i.loud>Jerry</i>&nbsp;!\n\n\
                00:00:03.000 --> 00:00:04.000 line:90%\n<00:00:03.500>second<ruby>x<rt>y</rt></ruby>\n\
                01:00:05.000 --> 01:00:06.000\nwithout a blank line\n";
    let cues = read(Format::WebVtt, file.as_bytes(), None).expect("reads");
    assert_eq!(
        texts(&cues),
        [
            (1000, 2500, "Tom & Jerry !".to_owned()),
            (3000, 4000, "secondx".to_owned()),
            (3_605_000, 3_606_000, "without a blank line".to_owned())
        ]
    );
    assert_eq!(
        cues[0].place,
        Place {
            vertical: Vertical::Top,
            align: Align::Start
        }
    );
    assert_eq!(cues[0].spans[1], italic(" Jerry"));
}

#[test]
fn ttml() {
    let file = r#"<?xml version="1.0"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling"
    ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001" ttp:tickRate="10000">
 <head><metadata><title>not text</title></metadata>
  <styling><style xml:id="slanted" tts:fontStyle="italic"/></styling>
  <layout><region xml:id="above"><style tts:origin="10% 5%"/><style tts:displayAlign="before"/></region></layout></head>
 <body begin="10s"><div>
  <p begin="00:00:01.500" end="00:00:02:15" region="above">one
     line<br/>Tom &amp; J&#233;<span style="slanted">slanted</span></p>
  <p begin="30000t" dur="500ms"><span begin="0s" end="0.2s">a</span><span begin="0.2s">b</span></p>
  <p begin="0.1m" end="7s" xml:space="preserve"> </p>
 </div></body>
</tt>"#;
    let cues = read(Format::Ttml, file.as_bytes(), None).expect("reads");
    assert_eq!(
        texts(&cues),
        [
            (11_500, 12_501, "one line\nTom & Jéslanted".to_owned()),
            (13_000, 13_200, "a".to_owned()),
            (13_200, 13_500, "b".to_owned())
        ]
    );
    assert_eq!(cues[0].place.vertical, Vertical::Top);
    assert_eq!(cues[0].spans[1], italic("slanted"));
}

const SAMI: &str = "<SAMI><HEAD><STYLE><!--\n.ENCC { Name: English; lang: en-US; }\n.KRCC { Name: Korean; lang: ko-KR; }\n--></STYLE></HEAD>\
                    <BODY>\n<SYNC Start=1000>\n<P Class=ENCC>Hello<br>you &lt;3\n<P Class=KRCC>안녕\n\
                    <SYNC Start=\"2000\"><P Class=ENCC>&nbsp;<P Class=KRCC>&nbsp;\n<SYNC Start=3000><P Class='ENCC'><i>end</i></P></BODY></SAMI>";

#[test]
fn sami() {
    let english = [
        (1000, 2000, "Hello\nyou <3".to_owned()),
        (3000, 7000, "end".to_owned()),
    ];
    for language in [None, Some("en"), Some("en-GB")] {
        assert_eq!(
            texts(&read(Format::Sami, SAMI.as_bytes(), language).expect("reads")),
            english
        );
    }
    let korean = read(Format::Sami, SAMI.as_bytes(), Some("ko")).expect("reads");
    assert_eq!(texts(&korean), [(1000, 2000, "안녕".to_owned())]);
    let error = read(Format::Sami, SAMI.as_bytes(), Some("fr")).expect_err("has no French");
    assert_eq!(
        error.to_string(),
        "line 1: the file has no captions of the language `fr`; it names en-us, ko-kr"
    );
}

#[test]
fn utf16_and_marks_of_byte_order() {
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let bytes: Vec<u8> = std::iter::once(0xfeff)
            .chain(SRT.encode_utf16())
            .flat_map(order)
            .collect();
        assert_eq!(
            read(Format::Srt, &bytes, None),
            read(Format::Srt, SRT.as_bytes(), None)
        );
    }
    let marked = [b"\xef\xbb\xbf", SRT.as_bytes()].concat();
    assert_eq!(
        read(Format::Srt, &marked, None),
        read(Format::Srt, SRT.as_bytes(), None)
    );
}

/// Files, and the errors that they end in.
const BAD: &[(Format, &[u8], &str)] = &[
    (
        Format::Srt,
        b"",
        "line 1: the file has no captions: expected SubRip, with times such as `00:00:01,000 --> 00:00:02,500`",
    ),
    (
        Format::Srt,
        b"WEBVTT\n\n00:01.000 --> 00:02.000\nx\n",
        "line 1: this is a WebVTT file. Name it `.vtt`",
    ),
    (
        Format::Srt,
        b"1\n00:00:01,000 --> 00:00:0x,000\nx\n",
        "line 2: the times are not of the form `00:00:01,000 --> 00:00:02,500`",
    ),
    (
        Format::Srt,
        b"1\n00:00:03,000 --> 00:00:01,000\nx\n",
        "line 2: the caption ends at 00:00:01.000, before its start at 00:00:03.000",
    ),
    (
        Format::Srt,
        b"\n\nhello\n1\n00:00:01,000 --> 00:00:02,000\nx\n",
        "line 3: text before the first caption",
    ),
    (
        Format::Srt,
        b"1\n00:00:01,000 --> 00:00:02,000\ncaf\xe9\n",
        "line 3: the text is not UTF-8. Save the file with the encoding UTF-8, and upload it again",
    ),
    (
        Format::Srt,
        b"\x00\x00\x00\x18ftypmp42",
        "line 1: a zero byte: this is no text file",
    ),
    (
        Format::Srt,
        b"\xff\xfea",
        "line 1: the text begins as UTF-16, and is not. Save the file with the encoding UTF-8",
    ),
    (
        Format::Srt,
        b"1\n101:00:00,000 --> 101:00:01,000\nx\n",
        "line 2: the caption is later than 100 hours",
    ),
    (
        Format::WebVtt,
        b"1\n00:00:01,000 --> 00:00:02,000\nx\n",
        "line 1: the first line of a WebVTT file is `WEBVTT`",
    ),
    (
        Format::WebVtt,
        b"WEBVTTX\n",
        "line 1: the first line of a WebVTT file is `WEBVTT`",
    ),
    (
        Format::WebVtt,
        b"WEBVTT\n\n1 --> 2\nx\n",
        "line 3: the times are not of the form `00:00:01.000 --> 00:00:02.500`",
    ),
    (
        Format::Ttml,
        b"<html/>",
        "line 1: the first element is `html`, not `tt`: this is not TTML",
    ),
    (
        Format::Ttml,
        b"no xml",
        "line 1: the file has no `tt` element: it is not TTML",
    ),
    (Format::Ttml, b"<tt>\n<body>", "line 2: `body` is never closed"),
    (
        Format::Ttml,
        b"<tt><body><p begin=\"1s\">x</p></body></tt>",
        "line 1: the paragraph has no `end` and no `dur`",
    ),
    (
        Format::Ttml,
        b"<tt><body><p begin=\"soon\" end=\"2s\">x</p></body></tt>",
        "line 1: `soon` is not a time between 0 and 100 hours",
    ),
    (
        Format::Ttml,
        b"<!DOCTYPE tt [<!ENTITY a \"b\">]><tt/>",
        "line 1: a document type (DOCTYPE) is not allowed",
    ),
    (
        Format::Ttml,
        b"<tt><body><p begin=\"1s\" end=\"2s\">&a;</p></body></tt>",
        "line 1: the entity `a` is unknown",
    ),
    (
        Format::Sami,
        b"<html>",
        "line 1: a SAMI file begins with `<SAMI>`",
    ),
    (
        Format::Sami,
        b"<SAMI>\n<SYNC Start=soon><P>x",
        "line 2: `<SYNC>` without a `Start` in milliseconds",
    ),
];

#[test]
fn files_that_are_not_what_they_say() {
    for (format, file, message) in BAD {
        let error = read(*format, file, None).expect_err(message);
        assert_eq!(error.to_string(), *message);
    }
}

#[test]
fn too_large_files_are_refused() {
    let many = "00:00:01,000 --> 00:00:02,000\nx\n".repeat(MAX_CUES + 1);
    let error = read(Format::Srt, many.as_bytes(), None).expect_err("is too long");
    assert_eq!(error.why, "the file has more than 50000 captions");
    let large = vec![b' '; captions::MAX_BYTES + 1];
    assert_eq!(
        read(Format::Srt, &large, None).expect_err("is too large").why,
        "the file is larger than 8 MiB"
    );
    let deep = format!("<tt>{}", "<div>".repeat(100));
    let error = read(Format::Ttml, deep.as_bytes(), None).expect_err("is too deep");
    assert_eq!(error.why, "the elements are nested deeper than 32");
}

#[test]
fn overlapping_and_unordered_captions_are_sorted() {
    let file = "00:00:03,000 --> 00:00:05,000\nb\n\n00:00:01,000 --> 00:00:04,000\na\n\n00:00:01,000 --> 00:00:01,000\nno length\n";
    let cues = read(Format::Srt, file.as_bytes(), None).expect("reads");
    assert_eq!(
        texts(&cues),
        [(1000, 4000, "a".to_owned()), (3000, 5000, "b".to_owned())]
    );
}

#[test]
fn moved_cut_and_split() {
    let cues = [plain(1000, 2000, "a"), plain(3000, 5000, "b")];
    assert_eq!(shift(&cues, -1500), [plain(0, 500, "a"), plain(1500, 3500, "b")]);
    assert_eq!(shift(&cues, -2000), [plain(1000, 3000, "b")]);
    assert_eq!(
        cut(&cues, 1500, 3500),
        [plain(1500, 2000, "a"), plain(3000, 3500, "b")]
    );
    let parts = segments::split(&cues, &[2000, 2000, 2000, 2000]);
    assert_eq!(
        parts,
        [
            vec![cues[0].clone()],
            vec![cues[1].clone()],
            vec![cues[1].clone()],
            vec![]
        ]
    );
}

#[test]
fn written_files() {
    let mut cue = plain(1000, 3_723_045, "Tom & <Jerry>\n");
    cue.spans.push(italic("two"));
    cue.place = Place {
        vertical: Vertical::Top,
        align: Align::Start,
    };
    let cues = [cue];
    assert_eq!(
        write::webvtt(&cues, Looks::Kept, Some(180_000)),
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:180000,LOCAL:00:00:00.000\n\n\
         00:00:01.000 --> 01:02:03.045 line:0 align:start\nTom &amp; &lt;Jerry&gt;\n<i>two</i>\n"
    );
    assert_eq!(
        write::webvtt(&cues, Looks::Plain, None),
        "WEBVTT\n\n00:00:01.000 --> 01:02:03.045\nTom &amp; &lt;Jerry&gt;\ntwo\n"
    );
    assert_eq!(
        write::srt(&cues, Looks::Kept),
        "1\n00:00:01,000 --> 01:02:03,045\n{\\an7}Tom & <Jerry>\n<i>two</i>\n\n"
    );
    let ttml = write::ttml(&cues, Looks::Kept, "en");
    assert!(
        ttml.contains("<p begin=\"00:00:01.000\" end=\"01:02:03.045\" region=\"top\" tts:textAlign=\"start\">Tom &amp; &lt;Jerry&gt;<br/><span tts:fontStyle=\"italic\">two</span></p>"),
        "{ttml}"
    );
    let sami = write::sami(&cues, Looks::Kept, "en");
    assert!(sami.contains("<SYNC Start=1000><P Class=CC>Tom &amp; &lt;Jerry&gt;<br><i>two</i></P></SYNC>\n<SYNC Start=3723045><P Class=CC>&nbsp;</P></SYNC>"), "{sami}");
}

#[test]
fn a_script_for_burn_in() {
    let mut cue = plain(1234, 61_500, "a {b} \\n\n");
    cue.spans.push(italic("c"));
    let white = ass::Color {
        red: 255,
        green: 255,
        blue: 255,
        opacity: 255,
    };
    let half_red = ass::Color {
        red: 255,
        green: 0,
        blue: 0,
        opacity: 128,
    };
    let look = ass::Look {
        picture: (640, 360),
        font: "DejaVu Sans,x".to_owned(),
        font_size: 20,
        color: white,
        outline: half_red,
        outline_size: 2,
        background: None,
        shadow: None,
        shadow_size: 0,
        align: None,
        left: None,
        top: None,
    };
    let script = ass::script(&[cue.clone()], &look);
    assert!(script.contains("Style: Default,DejaVu Sansx,20,&H00FFFFFF,&H00FFFFFF,&H7F0000FF,&HFF000000,0,0,0,0,100,100,0,0,1,2,0,2,18,18,18,1\n"), "{script}");
    assert!(
        script.ends_with("Dialogue: 0,0:00:01.23,0:01:01.50,Default,,0,0,0,,{\\an2}{\\b0\\i0\\u0}a \\{b} \\\u{2060}n\\N{\\b0\\i1\\u0}c\n"),
        "{script}"
    );
    let boxed = ass::Look {
        background: Some(half_red),
        left: Some(10),
        top: Some(20),
        ..look
    };
    let script = ass::script(&[cue.clone()], &boxed);
    assert!(
        script.contains("&H7F0000FF,0,0,0,0,100,100,0,0,4,2,0,2"),
        "{script}"
    );
    assert!(script.contains("{\\an7\\pos(10,20)}"), "{script}");
    let script = ass::script(
        &[cue],
        &ass::Look {
            left: None,
            align: Some(Align::Center),
            ..boxed
        },
    );
    assert!(script.contains("{\\an8\\pos(320,20)}"), "{script}");
}
