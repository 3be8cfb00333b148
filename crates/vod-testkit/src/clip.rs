//! Test videos, made by ffmpeg.

/// A moving test picture with a tone, as MP4. `size` is `<width>x<height>`.
pub fn clip(size: &str, seconds: u32) -> Vec<u8> {
    clip_with(size, seconds, &[])
}

/// The same, written with more options of ffmpeg.
pub fn clip_with(size: &str, seconds: u32, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let picture = format!("testsrc2=size={size}:rate=30:duration={seconds}");
    let tone = format!("sine=frequency=440:duration={seconds}");
    let output = std::process::Command::new("ffmpeg")
        .args([
            "-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &tone,
        ])
        .args("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -shortest".split(' '))
        .args(options)
        .arg(&path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(path).unwrap()
}
