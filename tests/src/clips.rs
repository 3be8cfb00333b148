//! Clips, generated with ffmpeg once per target folder: none is checked in.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::tools;

/// Moving picture of this size, rate and length; more filters may follow.
fn picture(size: &str, rate: u32, seconds: f64) -> Vec<String> {
    let source = format!("testsrc2=size={size}:rate={rate}:duration={seconds}");
    ["-f", "lavfi", "-i", &source].map(str::to_owned).to_vec()
}

/// A tone.
fn tone(seconds: f64) -> Vec<String> {
    let source = format!("sine=frequency=440:sample_rate=48000:duration={seconds}");
    ["-f", "lavfi", "-i", &source].map(str::to_owned).to_vec()
}

/// H.264 that is quick to make.
const H264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
const COVER: &[&str] = &["-map", "0", "-map", "1", "-disposition:v", "attached_pic"];
const STEREO: &[&str] = &["-c:a", "aac", "-ac", "2"];

/// An ordinary clip: H.264 and stereo at 30 frames a second.
pub fn ordinary(size: &str, seconds: f64) -> anyhow::Result<PathBuf> {
    let inputs = [picture(size, 30, seconds), tone(seconds)].concat();
    make("ordinary.mp4", &inputs, &[H264, STEREO].concat())
}

/// The same as a QuickTime file.
pub fn quicktime() -> anyhow::Result<PathBuf> {
    let inputs = [picture("320x180", 30, 2.0), tone(2.0)].concat();
    make("quicktime.mov", &inputs, &[H264, STEREO].concat())
}

/// No audio track at all.
pub fn silent() -> anyhow::Result<PathBuf> {
    make("silent.mp4", &picture("320x180", 30, 2.0), H264)
}

/// Neither side divides by two.
pub fn odd_size() -> anyhow::Result<PathBuf> {
    let inputs = [picture("321x179", 30, 2.0), tone(2.0)].concat();
    // 4:4:4, because 4:2:0 cannot have an odd size.
    let codec = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"];
    make("odd.mp4", &inputs, &[&codec, STEREO].concat())
}

/// Frames at uneven distances, as screen recorders and phones make them.
pub fn variable_rate() -> anyhow::Result<PathBuf> {
    let inputs = [picture("320x180", 30, 3.0), tone(3.0)].concat();
    let filter = [
        "-vf",
        "select='lt(mod(n,30),12)+eq(mod(n,30),29)'",
        "-vsync",
        "vfr",
    ];
    make("variable.mp4", &inputs, &[&filter, H264, STEREO].concat())
}

/// Six channels.
pub fn surround() -> anyhow::Result<PathBuf> {
    let inputs = [picture("320x180", 30, 2.0), tone(2.0)].concat();
    make(
        "surround.mp4",
        &inputs,
        &[H264, &["-c:a", "aac", "-ac", "6"]].concat(),
    )
}

/// A kilobyte that plays for 200 hours: three pictures, 100 hours apart.
pub fn long_gaps() -> anyhow::Result<PathBuf> {
    let moments = ["-vf", "setpts=N*360000/TB", "-fps_mode", "passthrough"];
    let codec = ["-c:v", "png", "-video_track_timescale", "1000"];
    make("gaps.mov", &picture("64x64", 1, 3.0), &[moments, codec].concat())
}

/// What a phone films in HDR: HEVC with ten bits in HLG.
pub fn hdr() -> anyhow::Result<PathBuf> {
    let inputs = [picture("320x180", 30, 2.0), tone(2.0)].concat();
    let codec = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p10le",
        "-tag:v",
        "hvc1",
        "-x265-params",
        "log-level=error:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc",
        "-color_primaries",
        "bt2020",
        "-color_trc",
        "arib-std-b67",
        "-colorspace",
        "bt2020nc",
    ];
    make("hdr.mp4", &inputs, &[&codec, STEREO].concat())
}

/// A song with its cover, as players of music write it: MP3 with a picture in its ID3 tag.
pub fn song() -> anyhow::Result<PathBuf> {
    let inputs = [tone(2.0), picture("300x300", 1, 1.0)].concat();
    let codec = ["-c:a", "libmp3lame", "-c:v", "mjpeg", "-id3v2_version", "3"];
    make("song.mp3", &inputs, &[&codec[..], COVER].concat())
}

/// An audiobook with a PNG cover.
pub fn audiobook() -> anyhow::Result<PathBuf> {
    let inputs = [tone(2.0), picture("300x300", 1, 1.0)].concat();
    let codec = ["-c:a", "aac", "-c:v", "png", "-frames:v", "1", "-f", "mp4"];
    make("audiobook.m4b", &inputs, &[&codec[..], COVER].concat())
}

/// A podcast without a cover.
pub fn podcast() -> anyhow::Result<PathBuf> {
    make("podcast.ogg", &tone(2.0), &["-c:a", "libvorbis", "-ac", "2"])
}

/// A film in two languages, the second a tenth as loud, with subtitles.
pub fn two_languages() -> anyhow::Result<PathBuf> {
    let subtitles = folder()?.join("subtitles.srt");
    let temporary = temporary(&subtitles);
    std::fs::write(&temporary, "1\n00:00:00,500 --> 00:00:01,500\nGood evening\n")?;
    std::fs::rename(temporary, &subtitles)?;
    let subtitles = ["-i".to_owned(), subtitles.to_string_lossy().into_owned()];
    let inputs = [
        picture("320x180", 30, 2.0),
        tone(2.0),
        tone(2.0),
        subtitles.to_vec(),
    ]
    .concat();
    let tracks = [
        "-map",
        "0",
        "-map",
        "1",
        "-map",
        "2",
        "-map",
        "3",
        "-filter:a:1",
        "volume=0.1",
    ];
    let languages = [
        "-metadata:s:a:0",
        "language=eng",
        "-metadata:s:a:1",
        "language=ger",
    ];
    let subtitles = ["-c:s", "srt", "-metadata:s:s:0", "language=eng"];
    make(
        "languages.mkv",
        &inputs,
        &[&tracks[..], &languages, H264, STEREO, &subtitles].concat(),
    )
}

/// A picture of this size whose pixels have this shape.
pub fn shaped(size: &str, pixel: &str) -> anyhow::Result<PathBuf> {
    let inputs = [picture(size, 30, 2.0), tone(2.0)].concat();
    let aspect = format!("setsar={pixel}");
    make("shaped.mp4", &inputs, &[&["-vf", &aspect], H264, STEREO].concat())
}

/// Filmed upright: coded as landscape, with the instruction to turn it.
pub fn portrait() -> anyhow::Result<PathBuf> {
    let landscape = ordinary("320x180", 2.0)?;
    let path = landscape.with_file_name(format!("portrait-{}", file_name(&landscape)));
    if path.is_file() {
        return Ok(path);
    }
    let temporary = temporary(&path);
    let input = landscape.to_string_lossy();
    // From ffmpeg 6 on it is an option of the input; before, metadata of the output.
    let new = ["-display_rotation:v:0", "90", "-i", &input, "-c", "copy"];
    let old = ["-i", &input, "-c", "copy", "-metadata:s:v:0", "rotate=90"];
    ffmpeg(&new, &temporary)
        .or_else(|_| ffmpeg(&old, &temporary))
        .context("this ffmpeg cannot mark a clip as rotated")?;
    std::fs::rename(temporary, &path)?;
    Ok(path)
}

fn make(name: &str, inputs: &[String], codec: &[&str]) -> anyhow::Result<PathBuf> {
    let mut arguments: Vec<&str> = inputs.iter().map(String::as_str).collect();
    arguments.extend(codec);
    let mut hash = DefaultHasher::new();
    arguments.hash(&mut hash);
    // The recipe is part of the name, so that a changed one is made anew.
    let path = folder()?.join(format!("{:016x}-{name}", hash.finish()));
    if path.is_file() {
        return Ok(path);
    }
    let temporary = temporary(&path);
    ffmpeg(&arguments, &temporary)?;
    // Tests run in processes of their own and may make the same clip at once: the last rename wins.
    std::fs::rename(temporary, &path)?;
    Ok(path)
}

fn ffmpeg(arguments: &[&str], output: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-y"])
        .args(arguments)
        .arg(output);
    tools::run(&mut command).map(drop)
}

/// `<target>/clips`, beside the profile's folder.
fn folder() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).context("not below a target folder")?;
    let folder = target.join("clips");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A name of this process's own, with the suffix that tells ffmpeg the format.
fn temporary(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}-{}", std::process::id(), file_name(path)))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
