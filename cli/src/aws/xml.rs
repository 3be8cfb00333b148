//! Responses of the query protocol, read into JSON values.

use aws_smithy_types::error::ErrorMetadata;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use serde_json::{Map, Value};
use vod_aws::call::error_metadata;

/// The code and message of an error response.
pub(super) fn error(body: &[u8]) -> ErrorMetadata {
    let document = parse(body).unwrap_or(Value::Null);
    let error = &document["ErrorResponse"]["Error"];
    error_metadata(
        error["Code"].as_str().unwrap_or_default(),
        error["Message"].as_str(),
    )
}

/// Reads a document. An element with elements becomes an object, one with `member`s an array, any other its text.
/// `None`: it is not XML.
pub(super) fn parse(body: &[u8]) -> Option<Value> {
    let mut reader = Reader::from_str(std::str::from_utf8(body).ok()?);
    let mut root = Element::default();
    let mut open: Vec<(String, Element)> = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => open.push((name(tag.local_name().as_ref())?, Element::default())),
            Event::Empty(tag) => {
                let name = name(tag.local_name().as_ref())?;
                let parent = open.last_mut().map_or(&mut root, |(_, element)| element);
                parent.children.push((name, Value::String(String::new())));
            }
            Event::Text(piece) => {
                if let Some((_, element)) = open.last_mut() {
                    element.text.push_str(&piece.decode().ok()?);
                }
            }
            Event::GeneralRef(piece) => {
                let reference = format!("&{};", piece.decode().ok()?);
                let (_, element) = open.last_mut()?;
                element.text.push_str(&unescape(&reference).ok()?);
            }
            Event::CData(piece) => {
                let (_, element) = open.last_mut()?;
                element.text.push_str(&piece.decode().ok()?);
            }
            Event::End(_) => {
                let (name, element) = open.pop()?;
                let parent = open.last_mut().map_or(&mut root, |(_, element)| element);
                parent.children.push((name, element.value()));
            }
            // AWS sends none, and entities defined in a document are used for attacks.
            Event::DocType(_) => return None,
            Event::Eof => break,
            _ => {}
        }
    }
    (open.is_empty() && !root.children.is_empty()).then(|| root.value())
}

fn name(bytes: &[u8]) -> Option<String> {
    Some(std::str::from_utf8(bytes).ok()?.to_owned())
}

#[derive(Default)]
struct Element {
    text: String,
    children: Vec<(String, Value)>,
}

impl Element {
    fn value(self) -> Value {
        if self.children.is_empty() {
            return Value::String(self.text.trim().to_owned());
        }
        if self.children.iter().all(|(name, _)| name == "member") {
            return self.children.into_iter().map(|(_, value)| value).collect();
        }
        Value::Object(self.children.into_iter().collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors() {
        let body = b"<ErrorResponse><Error><Code>ValidationError</Code><Message>a &amp; b</Message></Error></ErrorResponse>";
        for (body, expected) in [
            (&body[..], (Some("ValidationError"), Some("a & b"))),
            (b"<html>", (None, None)),
        ] {
            let meta = error(body);
            assert_eq!((meta.code(), meta.message()), expected);
        }
    }

    #[test]
    fn documents() {
        for (text, expected) in [
            ("<a>x</a>", Some(json!({"a": "x"}))),
            (
                "<?xml version=\"1.0\"?>\n<r xmlns=\"u\">\n <l><member>1</member><member><k>2</k></member></l>\n <e/></r>",
                Some(json!({"r": {"l": ["1", {"k": "2"}], "e": ""}})),
            ),
            ("<a>a &lt;b&gt; &amp; &#169;</a>", Some(json!({"a": "a <b> & ©"}))),
            ("<a><![CDATA[<x>]]></a>", Some(json!({"a": "<x>"}))),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", None),
            ("<!DOCTYPE a><a>x</a>", None),
            ("<a>&b;</a>", None),
            ("<a><b></a>", None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }
}
