//! What the engine does with each setting of a job. A setting that is not in this table is refused with its
//! path: nothing is ignored in silence.

use serde_json::Value;

use crate::Failure;

mod table;

pub use self::table::{Section, TABLE};

/// What happens to a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Changes what is made.
    Honoured,
    /// Any value is accepted, and makes no difference here; why.
    Harmless(&'static str),
    /// Only these values are accepted: what the engine does anyway.
    Only(&'static [&'static str]),
}

/// What a job asks for and this engine cannot give, with the setting's JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Refusal {
    /// `MediaConvert`'s error code.
    pub code: u32,
    pub path: String,
    pub message: String,
}

/// Code of a job whose settings cannot be carried out.
pub const BAD_SETTING: u32 = 1040;
impl Refusal {
    pub(crate) fn setting(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: BAD_SETTING,
            path: path.into(),
            message: message.into(),
        }
    }

    /// How the job ends.
    pub fn failure(&self) -> Failure {
        Failure {
            code: self.code,
            message: self.to_string(),
        }
    }
}

/// What is done with the setting at a path.
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

/// Refuses the first setting that would not be honoured. Nulls and empty lists say nothing.
pub fn check(settings: &Value) -> Result<(), Refusal> {
    walk(settings, &mut String::new(), &mut |path, value| {
        let allowed = match of(path) {
            Some(Support::Honoured | Support::Harmless(_)) => return Ok(()),
            Some(Support::Only(allowed)) => allowed,
            None => {
                return Err(Refusal::setting(
                    path,
                    "the local engine cannot honour this setting",
                ));
            }
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if allowed.contains(&text.as_str()) {
            return Ok(());
        }
        let message = format!(
            "the local engine cannot honour {text} here, only {}",
            allowed.join(", ")
        );
        Err(Refusal::setting(path, message))
    })
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
    fn what_is_not_in_the_table_is_refused_by_its_path() {
        for (settings, message) in [
            (
                json!({"inputs": [{"rotate": 1}]}),
                "/inputs/0/rotate: the local engine cannot honour this setting",
            ),
            (
                json!({"outputGroups": [{"outputGroupSettings": {"fileGroupSettings": {"destinationSettings": {"s3Settings":
                    {"accessControl": {"cannedAcl": "PUBLIC_READ"}}}}}}]}),
                "/outputGroups/0/outputGroupSettings/fileGroupSettings/destinationSettings/s3Settings/accessControl/cannedAcl: \
                 the local engine cannot honour PUBLIC_READ here, only BUCKET_OWNER_FULL_CONTROL",
            ),
            (
                json!({"outputGroups": [{"outputs": [{"videoDescription": {"codecSettings": {"codec": "H_265"}}}]}]}),
                "/outputGroups/0/outputs/0/videoDescription/codecSettings/codec: \
                 the local engine cannot honour H_265 here, only H_264, FRAME_CAPTURE",
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
