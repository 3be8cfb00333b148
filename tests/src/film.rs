//! A film that needs no encoder: for tests of what comes after the encode.

use serde_json::json;
use vod_core::asset::AssetId;

use crate::LocalStack;

/// Puts the record and the outputs of a COMPLETE asset; returns its id.
pub fn put(stack: &LocalStack, source: &str) -> anyhow::Result<String> {
    let id = AssetId::new(&stack.endpoints.bucket, source, None, "1");
    let folder = format!("output/{id}/default");
    let time = "2026-01-01T00:00:00Z";
    let record = json!({"schema": 1, "id": id, "state": "COMPLETE", "progress": 100, "title": "film",
        "source": {"bucket": stack.endpoints.bucket, "key": source, "etag": "1", "size": 9, "uploaded_at": time},
        "outputs": [{"template": "default", "prefix": format!("{folder}/"),
            "hls": {"master": format!("{folder}/hls/video.m3u8"), "variants": []},
            "mp4": [{"key": format!("{folder}/mp4/video.mp4")}]}],
        "created_at": time, "updated_at": time});
    stack.put(&format!("{folder}/hls/video.m3u8"), b"#EXTM3U\nvideo_360.m3u8\n")?;
    stack.put(
        &format!("{folder}/hls/video_360.m3u8"),
        b"#EXTM3U\n#EXTINF:6,\nvideo_360_00001.ts\n",
    )?;
    stack.put(&format!("{folder}/hls/video_360_00001.ts"), b"0123456789")?;
    stack.put(&format!("{folder}/mp4/video.mp4"), b"mp4")?;
    stack.put(&format!("catalog/{id}.json"), record.to_string().as_bytes())?;
    Ok(id.to_string())
}
