//! Jobs that read images and audio beside their input.

use mediaconvert_api::testing;
use serde_json::{Value, json};
use vod_testkit::clip;

use super::testing::TestStack;

/// A white PNG of 20 by 20 pixels.
fn image() -> Vec<u8> {
    let output = std::process::Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "color=white:s=20x20",
        ])
        .args(["-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "-"])
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

fn with_image(url: &str) -> Value {
    let mut settings = testing::settings("s3://vod/input/a.mp4", "s3://vod/output/a/video");
    settings["outputGroups"][0]["outputs"][0]["videoDescription"]["videoPreprocessors"] = json!({ "imageInserter": {
        "insertableImages": [{ "imageInserterInput": url, "imageX": 10, "imageY": 10, "layer": 0 }] } });
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn files_beside_the_input_are_read_from_the_bucket() {
    let stack = TestStack::new().await;
    stack.put("input/a.mp4", clip("320x180", 1)).await;
    stack.put("logo.png", image()).await;
    let mut settings = with_image("s3://vod/logo.png");
    settings["inputs"][0]["audioSelectors"]["Audio Selector 1"]["externalAudioFileInput"] =
        json!("s3://vod/input/a.mp4");
    settings["outputGroups"][0]["outputs"][0]["audioDescriptions"] = json!([{ "audioSourceName": "Audio Selector 1",
        "codecSettings": { "codec": "AAC", "aacSettings": {
            "bitrate": 96_000, "codingMode": "CODING_MODE_2_0", "sampleRate": 48_000 } } }]);
    stack.create(&settings).await;
    stack.until("COMPLETE").await;
    stack.until_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_judged_before_it_is_decoded() {
    let stack = TestStack::new().await;
    stack.put("input/a.mp4", clip("320x180", 1)).await;
    let mut wide = image();
    wide[16..20].copy_from_slice(&30_000_u32.to_be_bytes());
    stack.put("wide.png", wide).await;
    stack.put("page.png", b"<html>not found</html>".to_vec()).await;
    stack.put("empty.png", Vec::new()).await;
    let path = "/outputGroups/0/outputs/0/videoDescription/videoPreprocessors/imageInserter/insertableImages/0/imageInserterInput";
    let too_wide = format!(
        "{path}: s3://vod/wide.png: it has 30000x20 pixels; the limit is 16,777,216 pixels and 8192 on a side"
    );
    for (name, code, message) in [
        ("wide.png", 1040, too_wide),
        (
            "page.png",
            1040,
            format!("{path}: s3://vod/page.png: it is no PNG, TGA or BMP image"),
        ),
        (
            "empty.png",
            1040,
            format!("{path}: s3://vod/empty.png: it is no PNG, TGA or BMP image"),
        ),
        (
            "missing.png",
            1404,
            "The object s3://vod/missing.png does not exist".to_owned(),
        ),
    ] {
        let failure = stack.failure(&with_image(&format!("s3://vod/{name}"))).await;
        assert_eq!(failure.0, code, "{name}: {}", failure.1);
        assert!(failure.1.contains(&message), "{name}: {}", failure.1);
    }
    let (code, message) = stack.failure(&with_image("https://example.com/logo.png")).await;
    assert_eq!(code, 1040);
    assert!(message.contains("reads s3:// only"), "{message}");
    stack.until_clean().await;
}
