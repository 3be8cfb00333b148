//! Files beside the input that a job reads: images over the picture, and audio. Each has a name of ours in the work folder.

use std::collections::BTreeMap;

use mediaconvert_job::model::{ImageInserter, JobSettings};
use serde_json::Value;

use crate::plan::{CaptionFiles, Refusal};
use crate::probe::MediaInfo;

/// Images that a job lays over pictures, each as often as it is used: ffmpeg opens it each time. AWS documents no number; its layers
/// allow 100 for each input and output.
const MAX_IMAGES: usize = 64;

/// A file beside the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideFile {
    /// As the job has it.
    pub url: String,
    /// The setting that names it, for errors.
    pub path: String,
    pub kind: SideKind,
    /// Its name in the work folder, in which it has to be when the plan runs.
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideKind {
    /// PNG, TGA or BMP: [`crate::image::size`] judges it.
    Image,
    /// A file that the audio of outputs is taken from: [`crate::probe::probe`] judges it.
    Sound,
}

/// Facts about the files beside the input, by URL.
#[derive(Debug, Clone, Default)]
pub struct SideFiles {
    pub captions: CaptionFiles,
    /// Width and height in pixels.
    pub images: BTreeMap<String, (u32, u32)>,
    pub sounds: BTreeMap<String, MediaInfo>,
}

/// The images and audio files that a job reads, each once.
pub fn side_files(settings: &Value) -> Result<Vec<SideFile>, Refusal> {
    let job: JobSettings = serde::Deserialize::deserialize(settings)
        .map_err(|error| Refusal::setting("/", error.to_string()))?;
    check(&job)?;
    Ok(of(&job))
}

/// Refuses a job with more images than [`MAX_IMAGES`], with the path of the first that is too many.
pub(crate) fn check(job: &JobSettings) -> Result<(), Refusal> {
    let mut images = inserters(job).into_iter().flat_map(|(path, inserter)| {
        let images = 0..inserter.insertable_images.len();
        images.map(move |index| format!("{path}/insertableImages/{index}"))
    });
    let Some(path) = images.nth(MAX_IMAGES) else {
        return Ok(());
    };
    let message =
        format!("a job of the local engine has at most {MAX_IMAGES} images, over all its inputs and outputs");
    Err(Refusal::setting(path, message))
}

/// The image inserters of a job, with their paths.
fn inserters(job: &JobSettings) -> Vec<(String, &ImageInserter)> {
    let inputs = job.inputs.iter().enumerate();
    let mut found: Vec<(String, &ImageInserter)> = inputs
        .map(|(index, input)| (format!("/inputs/{index}/imageInserter"), &input.image_inserter))
        .collect();
    for (index, group) in job.output_groups.iter().enumerate() {
        for (number, output) in group.outputs.iter().enumerate() {
            let path = format!("/outputGroups/{index}/outputs/{number}/videoDescription/videoPreprocessors");
            found.extend(output.video_description.iter().map(|video| {
                let path = format!("{path}/imageInserter");
                (path, &video.video_preprocessors.image_inserter)
            }));
        }
    }
    found
}

/// The files that a job names, in the order of their URLs.
pub(crate) fn of(job: &JobSettings) -> Vec<SideFile> {
    let mut found: BTreeMap<(&str, bool), String> = BTreeMap::new();
    for (index, input) in job.inputs.iter().enumerate() {
        let path = format!("/inputs/{index}");
        for (name, selector) in &input.audio_selectors {
            if let Some(url) = selector.external_audio_file_input.as_deref() {
                let path = format!("{path}/audioSelectors/{name}/externalAudioFileInput");
                found.entry((url, false)).or_insert(path);
            }
        }
    }
    for (path, inserter) in inserters(job) {
        for (index, image) in inserter.insertable_images.iter().enumerate() {
            if let Some(url) = image.image_inserter_input.as_deref() {
                let path = format!("{path}/insertableImages/{index}/imageInserterInput");
                found.entry((url, true)).or_insert(path);
            }
        }
    }
    let files = found.into_iter().enumerate();
    files
        .map(|(index, ((url, is_image), path))| SideFile {
            url: url.to_owned(),
            path,
            kind: if is_image {
                SideKind::Image
            } else {
                SideKind::Sound
            },
            name: if is_image {
                // ffmpeg tells the format of a single image by its suffix.
                format!("side{index}.{}", suffix(url))
            } else {
                format!("side{index}")
            },
        })
        .collect()
}

/// `png`, `tga` or `bmp`, as the name of an image says; `png` if it says nothing of the kind, which its header then contradicts.
pub(crate) fn suffix(url: &str) -> &'static str {
    let named = url.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match named.as_str() {
        "tga" => "tga",
        "bmp" => "bmp",
        _ => "png",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_has_so_many_images_and_no_more() {
        let image = json!({"imageInserterInput": "s3://b/logo.png", "imageX": 0, "imageY": 0, "layer": 0});
        let images = |count: usize| json!({"insertableImages": vec![image.clone(); count]});
        let job = |of_output: usize| {
            json!({"inputs": [{"imageInserter": images(MAX_IMAGES - 1)}], "outputGroups": [{"outputs": [
                {"videoDescription": {"videoPreprocessors": {"imageInserter": images(of_output)}}}]}]})
        };
        assert!(side_files(&job(1)).is_ok());
        let refusal = side_files(&job(2)).expect_err("is refused");
        assert_eq!(
            refusal.to_string(),
            "/outputGroups/0/outputs/0/videoDescription/videoPreprocessors/imageInserter/insertableImages/1: \
             a job of the local engine has at most 64 images, over all its inputs and outputs"
        );
    }

    #[test]
    fn each_file_has_one_name() {
        let image = |url: &str| json!({"insertableImages": [{"imageInserterInput": url, "imageX": 0, "imageY": 0, "layer": 0}]});
        let settings = json!({
            "inputs": [{"imageInserter": image("s3://b/logo.png"),
                "audioSelectors": {"A": {"externalAudioFileInput": "s3://b/a.wav"}}}],
            "outputGroups": [{"outputs": [
                {"videoDescription": {"videoPreprocessors": {"imageInserter": image("s3://b/logo.png")}}},
                {"videoDescription": {"videoPreprocessors": {"imageInserter": image("s3://b/x.TGA")}}}]}]});
        let files = side_files(&settings).expect("is readable");
        let names: Vec<_> = files
            .iter()
            .map(|file| (file.url.as_str(), file.name.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("s3://b/a.wav", "side0"),
                ("s3://b/logo.png", "side1.png"),
                ("s3://b/x.TGA", "side2.tga")
            ]
        );
        assert_eq!(files[0].path, "/inputs/0/audioSelectors/A/externalAudioFileInput");
        assert_eq!(
            files[2].path,
            "/outputGroups/0/outputs/1/videoDescription/videoPreprocessors/imageInserter/insertableImages/0/imageInserterInput"
        );
    }
}
