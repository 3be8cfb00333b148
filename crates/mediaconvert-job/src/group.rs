//! Lists the types of output groups.

/// A type of output groups.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupType {
    /// The value of `outputGroupSettings/type`.
    pub name: &'static str,
    /// The member of `outputGroupSettings` with the settings of this type.
    pub member: &'static str,
    /// A short name for folders.
    pub folder: &'static str,
    /// The containers that outputs may have since November 2020 (<https://github.com/openfun/marsha/pull/790>); empty if any is
    /// allowed.
    pub containers: &'static [&'static str],
}

const TYPES: [GroupType; 5] = [
    group("HLS_GROUP_SETTINGS", "hlsGroupSettings", "hls", &["M3U8", "RAW"]),
    group("CMAF_GROUP_SETTINGS", "cmafGroupSettings", "cmaf", &["CMFC"]),
    group(
        "DASH_ISO_GROUP_SETTINGS",
        "dashIsoGroupSettings",
        "dash",
        &["MPD", "CMFC"],
    ),
    group(
        "MS_SMOOTH_GROUP_SETTINGS",
        "msSmoothGroupSettings",
        "smooth",
        &["ISMV"],
    ),
    FILE,
];

const FILE: GroupType = group("FILE_GROUP_SETTINGS", "fileGroupSettings", "mp4", &[]);

const fn group(
    name: &'static str,
    member: &'static str,
    folder: &'static str,
    containers: &'static [&'static str],
) -> GroupType {
    GroupType {
        name,
        member,
        folder,
        containers,
    }
}

impl GroupType {
    /// The type with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TYPES.iter().find(|group| group.name == name)
    }

    /// The type with this name; a file group if the name is absent or unknown.
    pub fn or_file(name: Option<&str>) -> &'static Self {
        name.and_then(Self::named).unwrap_or(&FILE)
    }
}
