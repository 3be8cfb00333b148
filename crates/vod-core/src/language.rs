//! Languages: tags of captions (RFC 5646), codes of audio tracks (ISO 639), and names for viewers.

/// Code of ISO 639-1, terminology code and bibliographic code of ISO 639-2, the English name, and the name in the language
/// itself. English names have ASCII letters only, because `streamName` matches `^[\w\s]*$`.
const LANGUAGES: &[[&str; 5]] = &[
    ["ar", "ara", "ara", "Arabic", "العربية"],
    ["bg", "bul", "bul", "Bulgarian", "Български"],
    ["bn", "ben", "ben", "Bengali", "বাংলা"],
    ["ca", "cat", "cat", "Catalan", "Català"],
    ["cs", "ces", "cze", "Czech", "Čeština"],
    ["cy", "cym", "wel", "Welsh", "Cymraeg"],
    ["da", "dan", "dan", "Danish", "Dansk"],
    ["de", "deu", "ger", "German", "Deutsch"],
    ["el", "ell", "gre", "Greek", "Ελληνικά"],
    ["en", "eng", "eng", "English", "English"],
    ["es", "spa", "spa", "Spanish", "Español"],
    ["et", "est", "est", "Estonian", "Eesti"],
    ["eu", "eus", "baq", "Basque", "Euskara"],
    ["fa", "fas", "per", "Persian", "فارسی"],
    ["fi", "fin", "fin", "Finnish", "Suomi"],
    ["fr", "fra", "fre", "French", "Français"],
    ["ga", "gle", "gle", "Irish", "Gaeilge"],
    ["he", "heb", "heb", "Hebrew", "עברית"],
    ["hi", "hin", "hin", "Hindi", "हिन्दी"],
    ["hr", "hrv", "hrv", "Croatian", "Hrvatski"],
    ["hu", "hun", "hun", "Hungarian", "Magyar"],
    ["id", "ind", "ind", "Indonesian", "Bahasa Indonesia"],
    ["is", "isl", "ice", "Icelandic", "Íslenska"],
    ["it", "ita", "ita", "Italian", "Italiano"],
    ["ja", "jpn", "jpn", "Japanese", "日本語"],
    ["ko", "kor", "kor", "Korean", "한국어"],
    ["lt", "lit", "lit", "Lithuanian", "Lietuvių"],
    ["lv", "lav", "lav", "Latvian", "Latviešu"],
    ["ms", "msa", "may", "Malay", "Bahasa Melayu"],
    ["nb", "nob", "nob", "Norwegian Bokmal", "Norsk bokmål"],
    ["nl", "nld", "dut", "Dutch", "Nederlands"],
    ["no", "nor", "nor", "Norwegian", "Norsk"],
    ["pl", "pol", "pol", "Polish", "Polski"],
    ["pt", "por", "por", "Portuguese", "Português"],
    ["ro", "ron", "rum", "Romanian", "Română"],
    ["ru", "rus", "rus", "Russian", "Русский"],
    ["sk", "slk", "slo", "Slovak", "Slovenčina"],
    ["sl", "slv", "slv", "Slovenian", "Slovenščina"],
    ["sq", "sqi", "alb", "Albanian", "Shqip"],
    ["sr", "srp", "srp", "Serbian", "Српски"],
    ["sv", "swe", "swe", "Swedish", "Svenska"],
    ["ta", "tam", "tam", "Tamil", "தமிழ்"],
    ["te", "tel", "tel", "Telugu", "తెలుగు"],
    ["th", "tha", "tha", "Thai", "ไทย"],
    ["tr", "tur", "tur", "Turkish", "Türkçe"],
    ["uk", "ukr", "ukr", "Ukrainian", "Українська"],
    ["ur", "urd", "urd", "Urdu", "اردو"],
    ["vi", "vie", "vie", "Vietnamese", "Tiếng Việt"],
    ["zh", "zho", "chi", "Chinese", "中文"],
];

fn known(code: &str) -> Option<&'static [&'static str; 5]> {
    LANGUAGES.iter().find(|language| language[..3].contains(&code))
}

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
    match known(primary) {
        Some([.., name]) if rest.is_empty() => (*name).to_owned(),
        Some([.., name]) => format!("{name} ({rest})"),
        None => tag.to_owned(),
    }
}

/// The code of three letters and the English name of a language, from a code of two or three. `None` if it is neither.
pub fn audio(code: &str) -> Option<(String, String)> {
    let code = code.to_ascii_lowercase();
    if let Some([_, code, _, name, _]) = known(&code) {
        return Some(((*code).to_owned(), (*name).to_owned()));
    }
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_lowercase());
    // `mul`, `und`, `zxx` and `mis` are no languages.
    let is_language = is_code && !["mul", "und", "zxx", "mis"].contains(&code.as_str());
    is_language.then(|| (code.clone(), code.to_ascii_uppercase()))
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
        for (tag, expected) in [
            ("en", "English"),
            ("pt-BR", "Português (BR)"),
            ("deu", "Deutsch"),
            ("gsw", "gsw"),
        ] {
            assert_eq!(name(tag), expected);
        }
    }

    #[test]
    fn codes_of_two_and_three_letters_have_one_code_and_a_name() {
        for (code, expected) in [
            ("de", Some(("deu", "German"))),
            ("GER", Some(("deu", "German"))),
            ("deu", Some(("deu", "German"))),
            ("yor", Some(("yor", "YOR"))),
            ("und", None),
            ("xx", None),
            ("d1u", None),
            ("", None),
        ] {
            let expected = expected.map(|(code, name)| (code.to_owned(), name.to_owned()));
            assert_eq!(audio(code), expected, "{code}");
        }
    }

    #[test]
    fn names_are_stream_names() {
        for [short, code, other, name, own] in LANGUAGES {
            assert!(short.len() == 2 && code.len() == 3 && other.len() == 3, "{name}");
            let is_stream_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b' ';
            assert!(name.bytes().all(is_stream_name) && !own.is_empty(), "{name}");
        }
    }
}
