//! How far a job is.

use super::super::job::Phase;

/// How far a phase is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Progress {
    pub(super) percent: u8,
    pub(super) frames: Option<u64>,
}

/// Percent of the whole job: probing takes 5, transcoding 85, uploading 10.
pub(super) fn overall(phase: Phase, percent: u8) -> u8 {
    let percent = u16::from(percent.min(100));
    let overall = match phase {
        Phase::Probing => percent * 5 / 100,
        Phase::Transcoding => 5 + percent * 85 / 100,
        Phase::Uploading => 90 + percent * 10 / 100,
    };
    u8::try_from(overall).unwrap_or(100)
}

/// How many percent `part` is of `whole`; of nothing, all.
pub(super) fn percent(part: u64, whole: u64) -> u8 {
    u8::try_from((part * 100).checked_div(whole).unwrap_or(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_over_the_phases_never_falls() {
        let phases = [Phase::Probing, Phase::Transcoding, Phase::Uploading];
        let all: Vec<u8> = phases
            .into_iter()
            .flat_map(|phase| (0..=100).map(move |p| overall(phase, p)))
            .collect();
        assert!(all.is_sorted());
        assert_eq!((all.first(), all.last()), (Some(&0), Some(&100)));
        assert_eq!(overall(Phase::Transcoding, 2), 6);
    }
}
