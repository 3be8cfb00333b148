//! Audio codecs: one row of [`CODECS`] each, and their settings as ffmpeg's options.

use mediaconvert_job::model::{AudioCodecSettings, AudioEncoderSettings};

use crate::plan::Refusal;
use crate::probe::AudioTrack;

/// An audio codec.
pub(crate) struct Codec {
    /// As `codecSettings/codec` has it.
    name: &'static str,
    /// The member with its settings.
    member: &'static str,
    settings: fn(&AudioCodecSettings) -> &AudioEncoderSettings,
    encoder: Encoder,
    /// ffmpeg's muxer for a file of it alone, and the suffix of such a file.
    pub(crate) raw: (&'static str, &'static str),
    /// `CODECS` in playlists over transport streams, where they can carry it.
    pub(crate) in_transport_stream: Option<&'static str>,
}

/// The options that an encoder takes for its rate or quality.
enum Encoder {
    Aac,
    /// Dolby: ffmpeg's name, and default rates in bit/s for mono, stereo and 5.1.
    Dolby(&'static str, [u32; 3]),
    /// Of a rate in bit/s, with its default.
    Rate(&'static str, u32),
    /// MP3: of a rate, or of a quality.
    Mp3,
    Vorbis,
    /// Without loss: encoders for 16 and 24 bits.
    Samples(&'static str, &'static str),
    Flac,
}

const fn codec(
    name: &'static str,
    member: &'static str,
    settings: fn(&AudioCodecSettings) -> &AudioEncoderSettings,
    encoder: Encoder,
    raw: (&'static str, &'static str),
    in_transport_stream: Option<&'static str>,
) -> Codec {
    Codec {
        name,
        member,
        settings,
        encoder,
        raw,
        in_transport_stream,
    }
}

#[rustfmt::skip]
const CODECS: [Codec; 10] = [
    codec("AAC", "aacSettings", |all| &all.aac_settings, Encoder::Aac, ("adts", "aac"), Some("mp4a.40.2")),
    codec("AC3", "ac3Settings", |all| &all.ac3_settings, Encoder::Dolby("ac3", [96_000, 192_000, 384_000]), ("ac3", "ac3"), Some("ac-3")),
    codec("EAC3", "eac3Settings", |all| &all.eac3_settings, Encoder::Dolby("eac3", [96_000, 192_000, 384_000]), ("eac3", "eac3"), Some("ec-3")),
    codec("MP3", "mp3Settings", |all| &all.mp3_settings, Encoder::Mp3, ("mp3", "mp3"), None),
    codec("MP2", "mp2Settings", |all| &all.mp2_settings, Encoder::Rate("libtwolame", 192_000), ("mp2", "mp2"), None),
    codec("OPUS", "opusSettings", |all| &all.opus_settings, Encoder::Rate("libopus", 96_000), ("ogg", "ogg"), None),
    codec("VORBIS", "vorbisSettings", |all| &all.vorbis_settings, Encoder::Vorbis, ("ogg", "ogg"), None),
    codec("WAV", "wavSettings", |all| &all.wav_settings, Encoder::Samples("pcm_s16le", "pcm_s24le"), ("wav", "wav"), None),
    codec("AIFF", "aiffSettings", |all| &all.aiff_settings, Encoder::Samples("pcm_s16be", "pcm_s24be"), ("aiff", "aiff"), None),
    codec("FLAC", "flacSettings", |all| &all.flac_settings, Encoder::Flac, ("flac", "flac"), None),
];

/// The wanted form of an audio encode.
pub(crate) struct Chosen {
    pub(crate) options: Vec<(&'static str, String)>,
    /// Hertz.
    pub(crate) sample_rate: u32,
    /// ffmpeg's channel layout, and the number of its channels.
    pub(crate) layout: (&'static str, u32),
}

impl Codec {
    /// The codec of a description. `path` is that of its `codecSettings`.
    pub(crate) fn of(all: &AudioCodecSettings, path: &str) -> Result<&'static Self, Refusal> {
        let name = all.codec.as_deref().unwrap_or_default();
        CODECS
            .iter()
            .find(|codec| codec.name == name)
            .ok_or_else(|| Refusal::setting(format!("{path}/codec"), "codec is a required property"))
    }

    /// Bits per second, where the job gives them.
    pub(crate) fn bitrate(&self, all: &AudioCodecSettings) -> Option<u32> {
        (self.settings)(all).bitrate
    }

    /// Settings as options. `path` is that of `codecSettings`.
    pub(crate) fn choose(
        &self,
        all: &AudioCodecSettings,
        track: &AudioTrack,
        path: &str,
    ) -> Result<Chosen, Refusal> {
        let settings = (self.settings)(all);
        let path = format!("{path}/{}", self.member);
        let layout = self.layout(settings, track, &path)?;
        let sample_rate = match (settings.sample_rate, &self.encoder) {
            (Some(rate), _) => rate,
            (None, Encoder::Aac) => return Err(missing("sampleRate", &path)),
            (None, _) => 48_000,
        };
        Ok(Chosen {
            options: self.options(settings, layout.1, &path)?,
            sample_rate,
            layout,
        })
    }

    fn options(
        &self,
        settings: &AudioEncoderSettings,
        channels: u32,
        path: &str,
    ) -> Result<Vec<(&'static str, String)>, Refusal> {
        let rate = |default: u32| ("b", settings.bitrate.unwrap_or(default).to_string());
        let is_vbr = settings.rate_control_mode.as_deref() == Some("VBR");
        let quality = || settings.vbr_quality.as_ref().and_then(serde_json::Value::as_i64);
        let deep = settings.bit_depth.is_some_and(|bits| bits > 16);
        let named = |name: &str| ("c", name.to_owned());
        Ok(match &self.encoder {
            Encoder::Aac if is_vbr => vec![named("aac"), ("q", aac_quality(settings).to_owned())],
            Encoder::Aac => {
                let bitrate = settings.bitrate.ok_or_else(|| missing("bitrate", path))?;
                vec![named("aac"), ("b", bitrate.to_string())]
            }
            Encoder::Dolby(name, defaults) => {
                let default = match channels {
                    1 => defaults[0],
                    2 => defaults[1],
                    _ => defaults[2],
                };
                let mut options = vec![named(name), rate(default)];
                options.extend(settings.dialnorm.map(|level| ("dialnorm", format!("-{level}"))));
                options
            }
            Encoder::Mp3 if is_vbr => vec![named("libmp3lame"), ("q", quality().unwrap_or(4).to_string())],
            Encoder::Mp3 => vec![named("libmp3lame"), rate(128_000)],
            Encoder::Rate(name, default) => vec![named(name), rate(*default)],
            Encoder::Vorbis => vec![named("libvorbis"), ("q", quality().unwrap_or(4).to_string())],
            Encoder::Samples(short, long) => vec![named(if deep { long } else { short })],
            Encoder::Flac => vec![
                named("flac"),
                ("sample_fmt", if deep { "s32" } else { "s16" }.to_owned()),
            ],
        })
    }

    fn layout(
        &self,
        settings: &AudioEncoderSettings,
        track: &AudioTrack,
        path: &str,
    ) -> Result<(&'static str, u32), Refusal> {
        let follow = match track.channels {
            1 => ("mono", 1),
            6.. => ("5.1", 6),
            _ => ("stereo", 2),
        };
        Ok(match (settings.coding_mode.as_deref(), settings.channels) {
            (Some("CODING_MODE_1_0"), _) | (None, Some(1)) => ("mono", 1),
            (Some("CODING_MODE_5_1" | "CODING_MODE_3_2_LFE"), _) => ("5.1", 6),
            // Of Dolby Digital Plus, whose low frequency channel is a setting of its own.
            (Some("CODING_MODE_3_2"), _) if settings.lfe_control.as_deref() == Some("LFE") => ("5.1", 6),
            (Some("CODING_MODE_3_2"), _) => ("5.0", 5),
            (None, None) if matches!(self.encoder, Encoder::Aac) => return Err(missing("codingMode", path)),
            (Some("CODING_MODE_AUTO"), _) | (None, Some(0) | None) => follow,
            (Some("CODING_MODE_2_0"), _) | (None, Some(2)) => ("stereo", 2),
            (Some(mode), _) => {
                let message = format!("the local engine does not support {mode}");
                return Err(Refusal::setting(format!("{path}/codingMode"), message));
            }
            (None, Some(channels)) => {
                let message = format!("the local engine makes no audio of {channels} channels");
                return Err(Refusal::setting(format!("{path}/channels"), message));
            }
        })
    }
}

fn missing(name: &str, path: &str) -> Refusal {
    Refusal::setting(path, format!("{name} is a required property"))
}

/// The AAC encoder's scale: 1 is about 100 kbit/s for stereo.
fn aac_quality(settings: &AudioEncoderSettings) -> &'static str {
    match settings.vbr_quality.as_ref().and_then(serde_json::Value::as_str) {
        Some("LOW") => "0.5",
        Some("MEDIUM_LOW") => "0.8",
        Some("HIGH") => "2",
        _ => "1.2",
    }
}
