//! Tags of languages (RFC 5646), as far as caption files need them.

/// Names of languages in themselves, for menus.
const NAMES: [(&str, &str); 40] = [
    ("ar", "العربية"),
    ("bg", "Български"),
    ("bn", "বাংলা"),
    ("ca", "Català"),
    ("cs", "Čeština"),
    ("da", "Dansk"),
    ("de", "Deutsch"),
    ("el", "Ελληνικά"),
    ("en", "English"),
    ("es", "Español"),
    ("et", "Eesti"),
    ("fa", "فارسی"),
    ("fi", "Suomi"),
    ("fr", "Français"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("hr", "Hrvatski"),
    ("hu", "Magyar"),
    ("id", "Bahasa Indonesia"),
    ("it", "Italiano"),
    ("ja", "日本語"),
    ("ko", "한국어"),
    ("lt", "Lietuvių"),
    ("lv", "Latviešu"),
    ("ms", "Bahasa Melayu"),
    ("nb", "Norsk bokmål"),
    ("nl", "Nederlands"),
    ("no", "Norsk"),
    ("pl", "Polski"),
    ("pt", "Português"),
    ("ro", "Română"),
    ("ru", "Русский"),
    ("sk", "Slovenčina"),
    ("sl", "Slovenščina"),
    ("sv", "Svenska"),
    ("th", "ไทย"),
    ("tr", "Türkçe"),
    ("uk", "Українська"),
    ("vi", "Tiếng Việt"),
    ("zh", "中文"),
];

/// A tag in its usual spelling: a language of two or three letters, then optionally a script and a region
/// (`en`, `pt-BR`, `zh-Hant-TW`). `None`: this is no such tag.
pub fn language(tag: &str) -> Option<String> {
    let mut parts = tag.split('-').peekable();
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let primary = parts
        .next()
        .filter(|part| matches!(part.len(), 2 | 3) && letters(part))?;
    let mut found = primary.to_ascii_lowercase();
    if let Some(script) = parts.next_if(|part| part.len() == 4 && letters(part)) {
        let (first, rest) = script.split_at(1);
        found.push('-');
        found.push_str(&first.to_ascii_uppercase());
        found.push_str(&rest.to_ascii_lowercase());
    }
    let is_region = |part: &&str| {
        (part.len() == 2 && letters(part))
            || (part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if let Some(region) = parts.next_if(is_region) {
        found.push('-');
        found.push_str(&region.to_ascii_uppercase());
    }
    parts.next().is_none().then_some(found)
}

/// A name for menus: that of the language in itself, with what follows in the tag, or the tag.
pub fn name(tag: &str) -> String {
    let (primary, rest) = tag.split_once('-').unwrap_or((tag, ""));
    match NAMES.iter().find(|(language, _)| *language == primary) {
        Some((_, name)) if rest.is_empty() => (*name).to_owned(),
        Some((_, name)) => format!("{name} ({rest})"),
        None => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for (tag, expected) in [
            ("en", Some("en")),
            ("EN", Some("en")),
            ("pt-br", Some("pt-BR")),
            ("es-419", Some("es-419")),
            ("zh-hant-tw", Some("zh-Hant-TW")),
            ("sr-latn", Some("sr-Latn")),
            ("gsw", Some("gsw")),
            ("", None),
            ("e", None),
            ("english", None),
            ("en-", None),
            ("en-x-y", None),
            ("en-GB-x", None),
            ("e1", None),
            ("../x", None),
            ("é", None),
        ] {
            assert_eq!(language(tag).as_deref(), expected, "{tag}");
        }
    }

    #[test]
    fn names() {
        for (tag, expected) in [("en", "English"), ("pt-BR", "Português (BR)"), ("gsw", "gsw")] {
            assert_eq!(name(tag), expected);
        }
    }
}
