//! Languages of audio tracks: their codes, and their names for viewers.

/// Code of ISO 639-1, terminology code and bibliographic code of ISO 639-2, and the English name. Names have ASCII letters only,
/// because `streamName` matches `^[\w\s]*$`.
const LANGUAGES: &[(&str, &str, &str, &str)] = &[
    ("ar", "ara", "ara", "Arabic"),
    ("bg", "bul", "bul", "Bulgarian"),
    ("bn", "ben", "ben", "Bengali"),
    ("ca", "cat", "cat", "Catalan"),
    ("cs", "ces", "cze", "Czech"),
    ("cy", "cym", "wel", "Welsh"),
    ("da", "dan", "dan", "Danish"),
    ("de", "deu", "ger", "German"),
    ("el", "ell", "gre", "Greek"),
    ("en", "eng", "eng", "English"),
    ("es", "spa", "spa", "Spanish"),
    ("et", "est", "est", "Estonian"),
    ("eu", "eus", "baq", "Basque"),
    ("fa", "fas", "per", "Persian"),
    ("fi", "fin", "fin", "Finnish"),
    ("fr", "fra", "fre", "French"),
    ("ga", "gle", "gle", "Irish"),
    ("he", "heb", "heb", "Hebrew"),
    ("hi", "hin", "hin", "Hindi"),
    ("hr", "hrv", "hrv", "Croatian"),
    ("hu", "hun", "hun", "Hungarian"),
    ("id", "ind", "ind", "Indonesian"),
    ("is", "isl", "ice", "Icelandic"),
    ("it", "ita", "ita", "Italian"),
    ("ja", "jpn", "jpn", "Japanese"),
    ("ko", "kor", "kor", "Korean"),
    ("lt", "lit", "lit", "Lithuanian"),
    ("lv", "lav", "lav", "Latvian"),
    ("ms", "msa", "may", "Malay"),
    ("nl", "nld", "dut", "Dutch"),
    ("no", "nor", "nor", "Norwegian"),
    ("pl", "pol", "pol", "Polish"),
    ("pt", "por", "por", "Portuguese"),
    ("ro", "ron", "rum", "Romanian"),
    ("ru", "rus", "rus", "Russian"),
    ("sk", "slk", "slo", "Slovak"),
    ("sl", "slv", "slv", "Slovenian"),
    ("sq", "sqi", "alb", "Albanian"),
    ("sr", "srp", "srp", "Serbian"),
    ("sv", "swe", "swe", "Swedish"),
    ("ta", "tam", "tam", "Tamil"),
    ("te", "tel", "tel", "Telugu"),
    ("th", "tha", "tha", "Thai"),
    ("tr", "tur", "tur", "Turkish"),
    ("uk", "ukr", "ukr", "Ukrainian"),
    ("ur", "urd", "urd", "Urdu"),
    ("vi", "vie", "vie", "Vietnamese"),
    ("zh", "zho", "chi", "Chinese"),
];

/// The code of three letters and the name of a language, from a code of two or three. `None` if it is neither.
pub(super) fn of(code: &str) -> Option<(String, String)> {
    let code = code.to_ascii_lowercase();
    let known = LANGUAGES
        .iter()
        .find(|(short, code2, other, _)| [*short, *code2, *other].contains(&code.as_str()));
    if let Some((_, code, _, name)) = known {
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
            assert_eq!(of(code), expected, "{code}");
        }
    }

    #[test]
    fn names_are_stream_names() {
        for (short, code, other, name) in LANGUAGES {
            assert!(short.len() == 2 && code.len() == 3 && other.len() == 3, "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
        }
    }
}
