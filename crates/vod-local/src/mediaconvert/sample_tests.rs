use super::*;
use crate::mediaconvert::testing::world::{World, clip_with};

/// The whole object and the hollow copy, both probed.
async fn both(world: &World, clip: Vec<u8>, head: u64) -> (MediaInfo, Option<MediaInfo>, u64) {
    let size = clip.len() as u64;
    let from = Location {
        bucket: "vod".to_owned(),
        key: "input/clip.mp4".to_owned(),
    };
    world.put(&from.key, clip).await;
    let path = world.file("clip");
    let limits = Limits::default();
    let facts = transfer::head(&world.s3, &from).await.unwrap();
    let hollow = probe_hollow(&world.s3, &from, &path, &limits, (&facts, size, head))
        .await
        .unwrap();
    let allocated = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&path).unwrap()) * 512;
    transfer::fetch(&world.s3, &from, &path).await.unwrap();
    (
        transcode::probe::probe(&path, &limits).await.unwrap(),
        hollow,
        allocated,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_at_either_end_tells_as_much_as_the_whole_file() {
    let world = World::new().await;
    for options in [&["-movflags", "+faststart"][..], &[]] {
        let clip = clip_with("640x360", 10, options);
        let size = clip.len() as u64;
        let (whole, hollow, allocated) = both(&world, clip, 64 << 10).await;
        assert_eq!(hollow.as_ref(), Some(&whole), "{options:?}");
        assert!(allocated < size / 2, "{allocated} of {size} bytes were fetched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_else_is_not_trusted() {
    let world = World::new().await;
    // The index of a fragmented file speaks of its first fragment at most.
    for flags in ["frag_keyframe+empty_moov", "frag_keyframe"] {
        let fragmented = clip_with("320x180", 3, &["-g", "30", "-movflags", flags]);
        assert_eq!(both(&world, fragmented, 16 << 10).await.1, None, "{flags}");
    }
    let matroska = clip_with("320x180", 3, &["-f", "matroska"]);
    assert_eq!(both(&world, matroska, 4096).await.1, None);
    let mut cut = clip_with("320x180", 3, &["-movflags", "+faststart"]);
    cut.drain(..100);
    let from = Location {
        bucket: "vod".to_owned(),
        key: "input/cut.mp4".to_owned(),
    };
    let size = cut.len() as u64;
    world.put(&from.key, cut).await;
    let facts = transfer::head(&world.s3, &from).await.unwrap();
    let options = (&facts, size, 4096);
    let info = probe_hollow(&world.s3, &from, &world.file("cut"), &Limits::default(), options)
        .await
        .unwrap();
    assert_eq!(info, None);
}
