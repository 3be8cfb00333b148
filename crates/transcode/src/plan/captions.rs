//! Captions: files beside the input become cues, and cues become files, renditions or part of the picture.

use std::collections::BTreeMap;

use captions::write::{self, Looks};
use captions::{Align, Cue, Format, ass};
use mediaconvert_job::model::{
    self, BurninSettings, CaptionDescription, CaptionSelector, CaptionSourceSettings, CaptionStyleSettings,
    FileSourceSettings, Input,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{GroupKind, Refusal};

/// The bytes of caption files by the URLs that the job names.
pub type CaptionFiles = BTreeMap<String, Vec<u8>>;

/// The font of captions in the picture. A character that it lacks comes from any font of the system.
const FONT: &str = "DejaVu Sans";

/// Captions of one language, for one output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptionTrack {
    pub(crate) cues: Vec<Cue>,
    pub format: CaptionFormat,
    /// Styles and places of the source are kept.
    pub(crate) styled: bool,
    /// Name in manifests.
    pub(crate) name: Option<String>,
    /// ISO 639-2 or RFC 5646.
    pub(crate) language: Option<String>,
    /// The captions say what can be heard.
    pub(crate) accessible: bool,
    /// The first captions of their group.
    pub(crate) default: bool,
}

/// The format of a caption file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaptionFormat {
    Srt,
    WebVtt,
    /// TTML of the IMSC text profile, named `.ttml`.
    Ttml,
    /// The same, named `.xml`.
    Imsc,
    Sami,
}

impl CaptionFormat {
    /// Without the dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Srt => "srt",
            Self::WebVtt => "vtt",
            Self::Ttml => "ttml",
            Self::Imsc => "xml",
            Self::Sami => "smi",
        }
    }
}

impl CaptionTrack {
    /// The whole file.
    pub(crate) fn file(&self) -> String {
        let language = self.language.as_deref().unwrap_or_default();
        match self.format {
            CaptionFormat::Srt => write::srt(&self.cues, self.looks()),
            CaptionFormat::WebVtt => write::webvtt(&self.cues, self.looks(), None),
            CaptionFormat::Ttml | CaptionFormat::Imsc => write::ttml(&self.cues, self.looks(), language),
            CaptionFormat::Sami => write::sami(&self.cues, self.looks(), language),
        }
    }

    pub(crate) fn looks(&self) -> Looks {
        if self.styled { Looks::Kept } else { Looks::Plain }
    }
}

/// URLs of the caption files that a job reads.
pub fn caption_files(settings: &Value) -> Vec<String> {
    let inputs = settings["inputs"].as_array().into_iter().flatten();
    let selectors = inputs.filter_map(|input| input["captionSelectors"].as_object());
    let file = |selector: &Value| {
        selector
            .pointer("/sourceSettings/fileSourceSettings/sourceFile")?
            .as_str()
            .map(str::to_owned)
    };
    let mut files: Vec<String> = selectors
        .flat_map(|selectors| selectors.values().filter_map(file))
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// The key of captions that are embedded in the pictures of an input, among those of files.
pub(crate) fn closed_key(input: usize, channel: u64) -> String {
    format!("embedded:{input}:{channel}")
}

/// Reads captions for the outputs of a job.
pub(crate) struct Captions<'a> {
    inputs: &'a [Input],
    /// Absent where a job is only checked: captions are then empty.
    files: Option<&'a CaptionFiles>,
    /// The parts of each input that are shown, one after the other: starts and ends in milliseconds.
    spans: Vec<Vec<(u64, u64)>>,
    /// No output with captions has been planned in this group.
    pub(crate) first: bool,
}

impl<'a> Captions<'a> {
    pub(crate) fn new(
        inputs: &'a [Input],
        files: Option<&'a CaptionFiles>,
        spans: Vec<Vec<(u64, u64)>>,
    ) -> Self {
        Self {
            inputs,
            files,
            spans,
            first: true,
        }
    }

    /// The captions of an output that has nothing else. `None`: it has none.
    pub(crate) fn track(
        &mut self,
        output: &model::Output,
        group: &GroupKind,
        path: &str,
    ) -> Result<Option<CaptionTrack>, Refusal> {
        let description = match output.caption_descriptions.as_slice() {
            _ if output.video_description.is_some() || !output.audio_descriptions.is_empty() => {
                return Ok(None);
            }
            [] => return Ok(None),
            [description] => description,
            _ => {
                return Err(Refusal::setting(
                    format!("{path}/captionDescriptions/1"),
                    "an output has one caption track",
                ));
            }
        };
        let path = format!("{path}/captionDescriptions/0");
        let settings = &description.destination_settings;
        let kind = settings.destination_type.as_deref().unwrap_or_default();
        let container = output.container_settings.container.as_deref().unwrap_or_default();
        let raw = *group == GroupKind::File && container == "RAW";
        let cmaf = matches!(group, GroupKind::Fragments(group) if group.cmaf);
        let streamed = matches!(group, GroupKind::Hls(_)) || cmaf;
        let no_style = CaptionStyleSettings::default();
        let (format, style) = match kind {
            "WEBVTT" if raw || streamed => (CaptionFormat::WebVtt, &settings.webvtt_destination_settings),
            "SRT" if raw => (CaptionFormat::Srt, &settings.srt_destination_settings),
            "TTML" if raw => (CaptionFormat::Ttml, &settings.ttml_destination_settings),
            "IMSC" if raw => (CaptionFormat::Imsc, &settings.imsc_destination_settings),
            "SMI" if raw => (CaptionFormat::Sami, &no_style),
            _ => {
                let path = format!("{path}/destinationSettings/destinationType");
                let here = if streamed {
                    "only WEBVTT"
                } else {
                    "only SRT, WEBVTT, TTML, IMSC and SMI, in a file group with container RAW"
                };
                return Err(Refusal::setting(
                    path,
                    format!("the local engine does not write {kind} here, {here}"),
                ));
            }
        };
        let cues = self.cues(description, &path)?;
        Ok(Some(CaptionTrack {
            cues,
            format,
            styled: is(style.style_passthrough.as_ref(), "ENABLED")
                || is(style.style_passthrough.as_ref(), "STRICT"),
            name: description.language_description.clone(),
            language: language(description),
            accessible: is(style.accessibility.as_ref(), "ENABLED"),
            default: std::mem::take(&mut self.first),
        }))
    }

    /// The script that draws captions into a picture of the given size. `None`: the output has no captions.
    pub(crate) fn script(
        &self,
        output: &model::Output,
        size: (u32, u32),
        path: &str,
    ) -> Result<Option<String>, Refusal> {
        let mut script = None;
        for (number, description) in output.caption_descriptions.iter().enumerate() {
            let path = format!("{path}/captionDescriptions/{number}");
            let settings = &description.destination_settings;
            let kind = settings.destination_type.as_deref().unwrap_or_default();
            if kind == "EMBEDDED" {
                self.check_embedded(description, &path)?;
                continue;
            }
            if kind != "BURN_IN" {
                let path = format!("{path}/destinationSettings/destinationType");
                let message = format!(
                    "the local engine does not put {kind} into an output with video, only BURN_IN and EMBEDDED. Give captions that are \
                     a file or a rendition an output of their own"
                );
                return Err(Refusal::setting(path, message));
            }
            if script.is_some() {
                return Err(Refusal::setting(
                    path,
                    "one caption track can be burnt into an output",
                ));
            }
            let burnin = &settings.burnin_destination_settings;
            let mut cues = self.cues(description, &path)?;
            if !is(burnin.style_passthrough.as_ref(), "ENABLED") {
                cues = captions::plain(&cues);
            }
            let path = format!("{path}/destinationSettings/burninDestinationSettings");
            script = Some(ass::script(&cues, &look(burnin, size, &path)?));
        }
        Ok(script)
    }

    /// Captions stay in pictures that have them, and are not put into others.
    fn check_embedded(&self, description: &CaptionDescription, path: &str) -> Result<(), Refusal> {
        let name = description.caption_selector_name.as_deref().unwrap_or_default();
        let selectors = self
            .inputs
            .iter()
            .filter_map(|input| input.caption_selectors.get(name));
        let mut kinds = selectors.map(|selector| selector.source_settings.source_type.as_deref());
        let is_embedded = |kind| matches!(kind, Some("EMBEDDED" | "NULL_SOURCE"));
        if kinds.next().is_some_and(is_embedded) && kinds.all(is_embedded) {
            return Ok(());
        }
        let path = format!("{path}/destinationSettings/destinationType");
        let message = "the local engine embeds captions only from a source that has them embedded";
        Err(Refusal::setting(path, message))
    }

    /// Whether an output keeps the captions that are embedded in the source.
    pub(crate) fn are_embedded(output: &model::Output) -> bool {
        let mut kinds = output
            .caption_descriptions
            .iter()
            .map(|description| &description.destination_settings.destination_type);
        kinds.any(|kind| is(kind.as_ref(), "EMBEDDED"))
    }

    fn cues(&self, description: &CaptionDescription, path: &str) -> Result<Vec<Cue>, Refusal> {
        let name = description.caption_selector_name.as_deref().unwrap_or_default();
        if !self
            .inputs
            .iter()
            .any(|input| input.caption_selectors.contains_key(name))
        {
            let path = format!("{path}/captionSelectorName");
            return Err(Refusal::setting(
                path,
                format!("the input has no caption selector `{name}`"),
            ));
        }
        let mut shown = Vec::new();
        let mut end = 0_i64;
        for (index, (input, spans)) in self.inputs.iter().zip(&self.spans).enumerate() {
            let cues = input.caption_selectors.get(name).map(|selector| {
                let path = format!(
                    "/inputs/{index}/captionSelectors/{}/sourceSettings",
                    name.replace('~', "~0").replace('/', "~1")
                );
                self.source(index, selector, &path)
            });
            let cues = cues.transpose()?.unwrap_or_default();
            // On the timeline of the outputs.
            for &(from, to) in spans {
                let start = i64::try_from(from).unwrap_or(i64::MAX);
                shown.extend(captions::shift(&captions::cut(&cues, from, to), end - start));
                end += i64::try_from(to.saturating_sub(from)).unwrap_or(0);
            }
        }
        Ok(shown)
    }

    fn source(&self, input: usize, selector: &CaptionSelector, path: &str) -> Result<Vec<Cue>, Refusal> {
        let settings = &selector.source_settings;
        let format = match settings.source_type.as_deref().unwrap_or_default() {
            "SRT" => Format::Srt,
            // ffmpeg has made WebVTT of SCC.
            "WEBVTT" | "SCC" => Format::WebVtt,
            "SMI" => Format::Sami,
            "STL" => Format::Stl,
            "EMBEDDED" => return Ok(self.closed(input, settings)),
            "NULL_SOURCE" => return Ok(Vec::new()),
            _ => Format::Ttml,
        };
        let FileSourceSettings {
            source_file,
            time_delta,
            time_delta_units,
        } = &settings.file_source_settings;
        let path = format!("{path}/fileSourceSettings/sourceFile");
        let Some(url) = source_file else {
            return Err(Refusal::setting(path, "captions of this type come from a file"));
        };
        let Some(files) = self.files else {
            return Ok(Vec::new());
        };
        let bytes = files
            .get(url)
            .ok_or_else(|| Refusal::setting(&path, "the file was not read"))?;
        let is_scc = is(settings.source_type.as_ref(), "SCC");
        let cues = captions::read(format, bytes, selector.custom_language_code.as_deref());
        let cues = cues.map_err(|error| {
            let scc = "the file has no captions: expected SCC, which begins with `Scenarist_SCC V1.0`";
            let why = if is_scc { scc.to_owned() } else { error.to_string() };
            Refusal::setting(&path, format!("{url}: {why}"))
        })?;
        let unit = if is(time_delta_units.as_ref(), "MILLISECONDS") {
            1
        } else {
            1000
        };
        Ok(captions::shift(
            &cues,
            time_delta.unwrap_or(0).saturating_mul(unit),
        ))
    }
}

impl Captions<'_> {
    /// Captions from the pictures; none if there are none.
    fn closed(&self, input: usize, settings: &CaptionSourceSettings) -> Vec<Cue> {
        let channel = settings.embedded_source_settings.source608_channel_number;
        let webvtt = self
            .files
            .and_then(|files| files.get(&closed_key(input, channel.unwrap_or(1).into())));
        webvtt
            .and_then(|webvtt| captions::read(Format::WebVtt, webvtt, None).ok())
            .unwrap_or_default()
    }
}

fn is(setting: Option<&String>, value: &str) -> bool {
    setting.is_some_and(|setting| setting == value)
}

fn language(description: &CaptionDescription) -> Option<String> {
    let custom = description
        .custom_language_code
        .clone()
        .filter(|code| !code.is_empty());
    custom.or_else(|| description.language_code.as_ref().map(|code| code.to_lowercase()))
}

/// The look of burnt-in captions: white with a black outline, at the bottom, unless the job says otherwise
/// (API reference, `BurninDestinationSettings`).
fn look(settings: &BurninSettings, size: (u32, u32), path: &str) -> Result<ass::Look, Refusal> {
    let color = |name: &str, setting: Option<&String>, opacity: u8| {
        let Some(setting) = setting else { return Ok(None) };
        let color = named(setting, settings.hex_font_color.as_deref());
        let color = color.map_err(|message| Refusal::setting(format!("{path}/{name}"), message))?;
        Ok(color.map(|color| ass::Color { opacity, ..color }))
    };
    let white = ass::Color {
        red: 255,
        green: 255,
        blue: 255,
        opacity: settings.font_opacity.unwrap_or(255),
    };
    let black = ass::Color {
        red: 0,
        green: 0,
        blue: 0,
        opacity: 255,
    };
    let background = color(
        "backgroundColor",
        settings.background_color.as_ref(),
        settings.background_opacity.unwrap_or(0),
    )?;
    let shadow = color(
        "shadowColor",
        settings.shadow_color.as_ref(),
        settings.shadow_opacity.unwrap_or(255),
    )?;
    let offsets = [settings.shadow_x_offset, settings.shadow_y_offset];
    let offset = offsets.into_iter().flatten().map(i32::unsigned_abs).max();
    Ok(ass::Look {
        picture: size,
        font: FONT.to_owned(),
        font_size: settings
            .font_size
            .filter(|size| *size > 0)
            .unwrap_or_else(|| (size.1 / 18).max(8)),
        color: color(
            "fontColor",
            settings.font_color.as_ref(),
            settings.font_opacity.unwrap_or(255),
        )?
        .unwrap_or(white),
        outline: color("outlineColor", settings.outline_color.as_ref(), 255)?.unwrap_or(black),
        outline_size: settings.outline_size.unwrap_or(2),
        background: background.filter(|color| color.opacity > 0),
        shadow,
        shadow_size: offset.unwrap_or(2),
        align: match settings.alignment.as_deref() {
            Some("LEFT") => Some(Align::Start),
            Some("CENTERED") => Some(Align::Center),
            _ => None,
        },
        left: settings.x_position,
        top: settings.y_position,
    })
}

/// A color by its name; absent for the default.
fn named(name: &str, hex: Option<&str>) -> Result<Option<ass::Color>, &'static str> {
    let rgb = match name {
        "AUTO" | "NONE" => return Ok(None),
        "WHITE" => Some(0xff_ff_ff),
        "BLACK" => Some(0),
        "YELLOW" => Some(0xff_ff_00),
        "RED" => Some(0xff_00_00),
        "GREEN" => Some(0x00_ff_00),
        "BLUE" => Some(0x00_00_ff),
        "HEX" => hex.and_then(rgb),
        _ => None,
    };
    let [_, red, green, blue] = u32::to_be_bytes(rgb.ok_or("is not a color")?);
    Ok(Some(ass::Color {
        red,
        green,
        blue,
        opacity: 255,
    }))
}

/// `RRGGBB`, and more digits that are an opacity.
fn rgb(hex: &str) -> Option<u32> {
    let digits = hex
        .get(..6)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}
