//! Lists how the engine treats each setting of a job. A setting that is not in this table is refused with its
//! path: no setting is ignored silently. `docs/semantics.md` has the whole list, generated from the table by a test.

use std::borrow::Cow;

use mediaconvert_job::error_code;
use serde_json::Value;

use crate::Failure;

#[cfg(test)]
mod list_tests;
mod table;

pub use self::table::{Section, TABLE};

/// The treatment of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// The setting changes the outputs.
    Supported,
    /// Any value is accepted and makes no difference, for this reason.
    Harmless(&'static str),
    /// Only these values are accepted, which describe what the engine does in any case.
    Only(&'static [&'static str]),
    /// Any value is accepted. These values (all if there are none) are approximated as the text says, and the job gets a
    /// warning.
    Approximated(&'static [&'static str], &'static str),
    /// No value is accepted, for this reason.
    Refused(&'static str),
}

/// A setting that this engine does not support, with its JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Refusal {
    /// `MediaConvert`'s error code.
    pub code: u32,
    pub path: String,
    pub message: String,
}

impl Refusal {
    pub(crate) fn setting(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: error_code::BAD_SETTING,
            path: path.into(),
            message: message.into(),
        }
    }

    /// The error of the job.
    pub fn failure(&self) -> Failure {
        Failure {
            code: self.code,
            message: self.to_string(),
        }
    }
}

/// The treatment of the setting at a path.
pub fn of(path: &str) -> Option<Support> {
    let found = |(prefix, settings): &Section| {
        let rest = below(prefix, path)?;
        let mut settings = settings.iter();
        settings
            .find(|(setting, _)| fits(setting, rest))
            .map(|(_, support)| *support)
    };
    TABLE.iter().find_map(found)
}

/// Refuses the first setting that is not supported. Nulls and empty lists have no effect.
pub fn check(settings: &Value) -> Result<(), Refusal> {
    walk(settings, &mut String::new(), &mut |path, value| {
        let message = match of(path) {
            Some(Support::Supported | Support::Harmless(_) | Support::Approximated(..)) => return Ok(()),
            Some(Support::Only(allowed)) if allowed.contains(&text(value).as_ref()) => return Ok(()),
            Some(Support::Only(allowed)) => format!(
                "the local engine does not support {} here, only {}",
                text(value),
                allowed.join(", ")
            ),
            Some(Support::Refused(reason)) => {
                format!("the local engine does not support this setting: {reason}")
            }
            None => "the local engine does not support this setting".to_owned(),
        };
        Err(Refusal::setting(path, message))
    })
}

/// The settings of a job that the engine approximates, each with its path and how.
pub fn approximations(settings: &Value) -> Vec<String> {
    let mut found = Vec::new();
    // The visitor never fails.
    let _: Result<(), std::convert::Infallible> = walk(settings, &mut String::new(), &mut |path, value| {
        if let Some(Support::Approximated(values, how)) = of(path)
            && (values.is_empty() || values.contains(&text(value).as_ref()))
        {
            found.push(format!("{path}: {}: {how}", text(value)));
        }
        Ok(())
    });
    found
}

/// A scalar as the table writes it.
fn text(value: &Value) -> Cow<'_, str> {
    value
        .as_str()
        .map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
}

/// Visits every scalar with its JSON pointer.
pub fn walk<E>(
    value: &Value,
    path: &mut String,
    visit: &mut impl FnMut(&str, &Value) -> Result<(), E>,
) -> Result<(), E> {
    let length = path.len();
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push('/');
                path.push_str(&index.to_string());
                walk(item, path, visit)?;
                path.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                walk(member, path, visit)?;
                path.truncate(length);
            }
        }
        scalar => visit(path, scalar)?,
    }
    Ok(())
}

/// The rest of a path that leads below a prefix.
fn below<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    let mut rest = path.strip_prefix('/')?;
    for expected in prefix.split('/').skip(1) {
        let (found, after) = rest.split_once('/')?;
        if expected != "*" && expected != found {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// Whether the rest of a path is that of a setting.
fn fits(setting: &str, rest: &str) -> bool {
    let (mut pattern, mut path) = (setting.split('/'), rest.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (Some("**"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(expected), Some(found)) if expected == found => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_match_patterns() {
        for (prefix, setting, path, expected) in [
            ("/a/*", "b", "/a/0/b", true),
            ("/a/*", "b", "/a/0/c", false),
            ("/a/*", "b", "/a/0/b/c", false),
            ("/a", "**", "/a/0/b/c", true),
            ("/a", "**", "/a", false),
            ("/a", "*", "/a/Audio Selector 1", true),
            ("", "a/b", "/a/b", true),
        ] {
            let found = below(prefix, path).is_some_and(|rest| fits(setting, rest));
            assert_eq!(found, expected, "{prefix} {setting} {path}");
        }
    }

    #[test]
    fn a_setting_outside_the_table_is_refused_with_its_path() {
        for (settings, message) in [
            (
                json!({"inputs": [{"rotate": 1}]}),
                "/inputs/0/rotate: the local engine does not support this setting",
            ),
            (
                json!({"kantarWatermark": {"channelName": "x"}}),
                "/kantarWatermark/channelName: the local engine does not support this setting: \
                 it needs software or a service of its vendor",
            ),
            (
                json!({"outputGroups": [{"outputs": [{"videoDescription": {"codecSettings": {"codec": "AVC_INTRA"}}}]}]}),
                "/outputGroups/0/outputs/0/videoDescription/codecSettings/codec: \
                 the local engine does not support AVC_INTRA here, only H_264, H_265, AV1, VP8, VP9, MPEG2, PRORES, FRAME_CAPTURE",
            ),
        ] {
            assert_eq!(check(&settings).expect_err("is refused").to_string(), message);
        }
        assert!(
            check(&json!({"esam": null, "nielsenConfiguration": {}, "inputs": [{"inputClippings": []}]}))
                .is_ok()
        );
    }

    #[test]
    fn an_approximated_value_is_a_warning_with_its_path() {
        let group = |acl: &str| {
            json!({"outputGroups": [{"outputGroupSettings": {"fileGroupSettings": {"destinationSettings": {"s3Settings":
                {"accessControl": {"cannedAcl": acl}}}}}}]})
        };
        assert!(check(&group("PUBLIC_READ")).is_ok());
        let found = approximations(&group("PUBLIC_READ"));
        let path = "/outputGroups/0/outputGroupSettings/fileGroupSettings/destinationSettings/s3Settings/accessControl/cannedAcl";
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("{path}: PUBLIC_READ: ")),
            "{found:?}"
        );
        assert!(approximations(&group("BUCKET_OWNER_FULL_CONTROL")).is_empty());
    }

    #[test]
    fn the_table_has_no_path_twice() {
        let in_section = |(prefix, settings): &Section| {
            settings
                .iter()
                .map(|(setting, _)| format!("{prefix}/{setting}"))
                .collect()
        };
        let mut paths: Vec<String> = TABLE.iter().flat_map::<Vec<_>, _>(in_section).collect();
        let settings = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), settings);
    }
}
