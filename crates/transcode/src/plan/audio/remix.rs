//! Remixing of channels: gains from each channel of the input to each of the output.

use mediaconvert_job::model::{OutputChannelMapping, RemixSettings};

use crate::plan::Refusal;
use crate::plan::h264::decimal;

/// At this gain in decibels a channel is mute.
const MUTE: f64 = -60.0;

/// Mixes, one after the other.
pub(super) struct Mix {
    pub(super) filters: Vec<String>,
    /// Channels at their end.
    pub(super) channels: u32,
}

impl Mix {
    /// No mix, of audio with this number of channels.
    pub(super) fn new(channels: u32) -> Self {
        Self {
            filters: Vec::new(),
            channels,
        }
    }

    /// Adds a mix. `path` is that of the settings.
    pub(super) fn add(&mut self, settings: Option<&RemixSettings>, path: &str) -> Result<(), Refusal> {
        let Some(settings) = settings else { return Ok(()) };
        let outputs = &settings.channel_mapping.output_channels;
        if outputs.is_empty() {
            return Ok(());
        }
        let count = u32::try_from(outputs.len()).unwrap_or(u32::MAX);
        if let Some(wanted) = settings.channels_out.filter(|wanted| *wanted != count) {
            let message = format!("{count} output channels are mapped, but channelsOut is {wanted}");
            return Err(Refusal::setting(path, message));
        }
        let Some((_, layout)) = LAYOUTS.iter().find(|(channels, _)| *channels == count) else {
            let message = format!("the local engine makes no audio of {count} channels");
            return Err(Refusal::setting(format!("{path}/channelsOut"), message));
        };
        let gains = outputs.iter().enumerate().map(|(index, mapping)| {
            let path = format!("{path}/channelMapping/outputChannels/{index}");
            Ok(format!(
                "c{index}={}",
                self.sum(mapping, settings.channels_in, &path)?
            ))
        });
        let gains: Vec<String> = gains.collect::<Result<_, Refusal>>()?;
        self.filters.push(format!("pan={layout}|{}", gains.join("|")));
        self.channels = count;
        Ok(())
    }

    /// The sum that one output channel is. Channels that the source does not have are silent.
    fn sum(
        &self,
        mapping: &OutputChannelMapping,
        channels_in: Option<u32>,
        path: &str,
    ) -> Result<String, Refusal> {
        let gains = match (
            mapping.input_channels.as_slice(),
            mapping.input_channels_fine_tune.as_slice(),
        ) {
            (whole, []) => whole,
            ([], fine) => fine,
            _ => {
                let message = "inputChannels and inputChannelsFineTune exclude each other";
                return Err(Refusal::setting(path, message));
            }
        };
        if let Some(wanted) = channels_in.filter(|wanted| gains.len() > *wanted as usize) {
            let message = format!("{} gains are given, but channelsIn is {wanted}", gains.len());
            return Err(Refusal::setting(path, message));
        }
        let heard = gains.iter().take(self.channels as usize).enumerate();
        let terms: Vec<String> = heard
            .filter(|(_, gain)| **gain > MUTE)
            .map(|(index, gain)| format!("{}*c{index}", decimal(10_f64.powf(gain / 20.0))))
            .collect();
        Ok(if terms.is_empty() {
            "0*c0".to_owned()
        } else {
            terms.join("+")
        })
    }
}

/// ffmpeg's layouts by their number of channels, in the order of `MediaConvert`'s channels.
const LAYOUTS: [(u32, &str); 6] = [
    (1, "mono"),
    (2, "stereo"),
    (4, "quad"),
    (6, "5.1"),
    (8, "7.1"),
    (16, "hexadecagonal"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn remix(channels: &[&[f64]], fine: bool) -> RemixSettings {
        let mapping = |gains: &&[f64]| {
            let (whole, fine_tune) = if fine {
                (vec![], gains.to_vec())
            } else {
                (gains.to_vec(), vec![])
            };
            OutputChannelMapping {
                input_channels: whole,
                input_channels_fine_tune: fine_tune,
            }
        };
        let mut settings = RemixSettings::default();
        settings.channel_mapping.output_channels = channels.iter().map(mapping).collect();
        settings
    }

    #[test]
    fn gains_become_a_matrix() {
        for (channels, settings, expected) in [
            (
                2,
                remix(&[&[0.0, -60.0], &[-60.0, 0.0]], false),
                "pan=stereo|c0=1*c0|c1=1*c1",
            ),
            (
                2,
                remix(&[&[-6.5, -6.5]], true),
                "pan=mono|c0=0.473151*c0+0.473151*c1",
            ),
            (2, remix(&[&[6.0, 0.0]], false), "pan=mono|c0=1.995262*c0+1*c1"),
            // The source has one channel, and one output channel is mute.
            (
                1,
                remix(&[&[0.0, 0.0], &[-60.0, 0.0]], false),
                "pan=stereo|c0=1*c0|c1=0*c0",
            ),
        ] {
            let mut mix = Mix::new(channels);
            mix.add(Some(&settings), "").expect("is possible");
            assert_eq!(mix.filters, [expected]);
        }
    }

    #[test]
    fn mappings_that_contradict_themselves_are_refused() {
        let wrong_out = RemixSettings {
            channels_out: Some(2),
            ..remix(&[&[0.0]], false)
        };
        let wrong_in = RemixSettings {
            channels_in: Some(1),
            ..remix(&[&[0.0, 0.0]], false)
        };
        let mut both = remix(&[&[0.0]], false);
        both.channel_mapping.output_channels[0].input_channels_fine_tune = vec![0.5];
        for (settings, message) in [
            (
                wrong_out,
                "/r: 1 output channels are mapped, but channelsOut is 2",
            ),
            (
                wrong_in,
                "/r/channelMapping/outputChannels/0: 2 gains are given, but channelsIn is 1",
            ),
            (
                both,
                "/r/channelMapping/outputChannels/0: inputChannels and inputChannelsFineTune exclude each other",
            ),
            (
                remix(&[&[0.0], &[0.0], &[0.0]], false),
                "/r/channelsOut: the local engine makes no audio of 3 channels",
            ),
        ] {
            let refusal = Mix::new(2).add(Some(&settings), "/r").expect_err(message);
            assert_eq!(refusal.to_string(), message);
        }
    }
}
