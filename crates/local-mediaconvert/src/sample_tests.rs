use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use transcode::probe::Ratio;
use vod_testkit::clip_with;

use super::*;
use crate::testing::TestStack;

/// So many KiB of either end.
fn ends(kib: u64) -> Ends {
    Ends {
        head: kib << 10,
        tail: kib << 10,
    }
}

/// The whole object and the hollow copy, both probed.
async fn both(stack: &TestStack, clip: Vec<u8>, ends: Ends) -> (MediaInfo, Option<MediaInfo>, u64) {
    let size = clip.len() as u64;
    let from = Location {
        bucket: "vod".to_owned(),
        key: "input/clip.mp4".to_owned(),
    };
    stack.put(&from.key, clip).await;
    let path = stack.file("clip");
    let limits = Limits::default();
    let facts = transfer::head(&stack.s3, &from).await.unwrap();
    let hollow = probe_hollow(&stack.s3, &from, &path, &limits, (&facts, size, ends))
        .await
        .unwrap();
    let allocated = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&path).unwrap()) * 512;
    transfer::fetch(&stack.s3, &from, &path).await.unwrap();
    (
        transcode::probe::probe(&path, &limits).await.unwrap(),
        hollow,
        allocated,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_at_either_end_tells_as_much_as_the_whole_file() {
    let stack = TestStack::new().await;
    for options in [&["-movflags", "+faststart"][..], &[]] {
        let clip = clip_with("640x360", 10, options);
        let size = clip.len() as u64;
        let (whole, hollow, allocated) = both(&stack, clip, ends(64)).await;
        assert_eq!(hollow.as_ref(), Some(&whole), "{options:?}");
        assert!(allocated < size / 2, "{allocated} of {size} bytes were fetched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_other_containers_both_ends_tell_as_much_as_the_whole_file() {
    let stack = TestStack::new().await;
    for format in ["matroska", "mpegts", "vob", "avi", "flv", "asf", "mxf"] {
        let codecs: &[&str] = match format {
            "vob" | "mxf" => &["-c:v", "mpeg2video", "-c:a", "mp2"],
            "asf" => &["-c:v", "msmpeg4", "-c:a", "wmav2"],
            _ => &[],
        };
        let sound: &[&str] = if format == "mxf" {
            &["-c:a", "pcm_s16le", "-ar", "48000"]
        } else {
            &[]
        };
        let options = [codecs, sound, &["-b:v", "4M", "-f", format]].concat();
        let clip = clip_with("640x360", 10, &options);
        let size = clip.len() as u64;
        let (whole, hollow, allocated) = both(&stack, clip, ends(256)).await;
        assert!(
            allocated < size,
            "{format}: {allocated} of {size} bytes were fetched"
        );
        assert_eq!(hollow.map(unmeasured), Some(unmeasured(whole)), "{format}");
    }
}

/// Leaves out the rates, which ffprobe measures in its first 5 MB where a container does not store them: the
/// beginnings here are shorter.
fn unmeasured(mut info: MediaInfo) -> MediaInfo {
    if let Some(video) = &mut info.video {
        (video.bit_rate, video.frame_rate, video.variable_frame_rate) =
            (None, Ratio { num: 0, den: 1 }, false);
    }
    for audio in &mut info.audio {
        audio.bit_rate = None;
    }
    info
}

/// A video of more than is ever copied, with 128 MiB on the disk: its later parts are copies of one.
async fn huge(stack: &TestStack, key: &str) -> u64 {
    const PART: usize = 64 << 20;
    const PARTS: i32 = 17;
    let mut clip = clip_with("320x180", 8, &["-f", "matroska"]);
    clip.resize(PART, 0);
    stack.put("input/beginning", clip).await;
    stack.put("input/nothing", vec![0; PART]).await;
    let upload = stack
        .s3
        .create_multipart_upload()
        .bucket("vod")
        .key(key)
        .send()
        .await
        .unwrap();
    let mut parts = Vec::new();
    for number in 1..=PARTS {
        let part = stack
            .s3
            .upload_part_copy()
            .bucket("vod")
            .key(key)
            .part_number(number);
        let source = if number == 1 {
            "vod/input/beginning"
        } else {
            "vod/input/nothing"
        };
        let copied = part
            .copy_source(source)
            .upload_id(upload.upload_id().unwrap())
            .send()
            .await
            .unwrap();
        let etag = copied.copy_part_result().unwrap().e_tag().unwrap();
        parts.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
    }
    let all = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = stack
        .s3
        .complete_multipart_upload()
        .bucket("vod")
        .key(key)
        .multipart_upload(all);
    complete
        .upload_id(upload.upload_id().unwrap())
        .send()
        .await
        .unwrap();
    u64::from(PARTS.unsigned_abs()) * PART as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_video_is_probed_without_being_copied() {
    let stack = TestStack::new().await;
    let size = huge(&stack, "input/huge.mkv").await;
    let begun = std::time::Instant::now();
    let media = stack.client.probe("s3://vod/input/huge.mkv").await.unwrap();
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        (media.width, media.height, media.audio_tracks),
        (Some(320), Some(180), Some(1))
    );
    assert_eq!(media.duration_ms.map(|ms| ms / 1000), Some(8));
    assert!(size > COPIED);
    assert!(stack.work_folder_is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_else_is_not_trusted() {
    let stack = TestStack::new().await;
    // The index of a fragmented file speaks of its first fragment at most.
    for flags in ["frag_keyframe+empty_moov", "frag_keyframe"] {
        let fragmented = clip_with("320x180", 3, &["-g", "30", "-movflags", flags]);
        assert_eq!(both(&stack, fragmented, ends(16)).await.1, None, "{flags}");
    }
    let text = b"just some words, not a video\n".repeat(1000);
    let from = Location {
        bucket: "vod".to_owned(),
        key: "input/text".to_owned(),
    };
    let size = text.len() as u64;
    stack.put(&from.key, text).await;
    let facts = transfer::head(&stack.s3, &from).await.unwrap();
    let (path, limits) = (stack.file("text"), Limits::default());
    let info = probe_hollow(&stack.s3, &from, &path, &limits, (&facts, size, ends(4)))
        .await
        .unwrap();
    assert_eq!(info, None);
    let mut cut = clip_with("320x180", 3, &["-movflags", "+faststart"]);
    cut.drain(..100);
    let from = Location {
        bucket: "vod".to_owned(),
        key: "input/cut.mp4".to_owned(),
    };
    let size = cut.len() as u64;
    stack.put(&from.key, cut).await;
    let facts = transfer::head(&stack.s3, &from).await.unwrap();
    let options = (&facts, size, ends(4));
    let info = probe_hollow(&stack.s3, &from, &stack.file("cut"), &Limits::default(), options)
        .await
        .unwrap();
    assert_eq!(info, None);
}
