//! Input as JSON objects, read field by field, so that all that is wrong with its form is told at once.

use std::collections::BTreeMap;

use posthorn_matching::storable;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use crate::error::{Error, Kind, Wrong};

/// The fields of an object as they are written: numbers keep their digits.
pub type Fields = BTreeMap<String, Box<RawValue>>;

/// Reads a JSON object as far as its fields.
///
/// # Errors
/// If it is none.
pub fn fields(bytes: &[u8]) -> Result<Fields, Error> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Error::new(Kind::Unreadable, format!("the body is not UTF-8: {error}")))?;
    match serde_json::from_str(text) {
        Ok(fields) => Ok(fields),
        Err(error) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) if text.trim_start().starts_with('{') => {
                let unreadable = storable::problems(text).into_iter().map(|problem| Wrong::of("", problem));
                let unreadable: Vec<_> = unreadable.collect();
                let broken = || vec![Wrong::at("", "wrong_type", format!("it cannot be read: {error}"))];
                Err(Error::invalid(if unreadable.is_empty() { broken() } else { unreadable }))
            }
            Ok(_) => Err(Error::invalid(vec![Wrong::at("", "wrong_type", "it is a JSON object")])),
            Err(_) => Err(Error::new(Kind::Unreadable, format!("the body is not JSON: {error}"))),
        },
    }
}

/// Reads fields into a type whose fields are all optional and which denies unknown ones; or tells all
/// that is wrong. Fields do not depend on each other, so each is tried alone.
///
/// # Errors
/// All that is wrong.
pub fn read<T: DeserializeOwned>(fields: &Fields) -> Result<T, Vec<Wrong>> {
    let wrong: Vec<_> = fields.iter().filter_map(|(name, value)| fault::<T>(name, value)).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let whole = serde_json::to_string(fields).expect("what was read can be written");
    serde_json::from_str(&whole).map_err(|error| vec![Wrong::at("", "wrong_type", error.to_string())])
}

fn fault<T: DeserializeOwned>(name: &str, value: &RawValue) -> Option<Wrong> {
    let alone = serde_json::to_string(&BTreeMap::from([(name, value)])).expect("it was read before");
    let mut reader = serde_json::Deserializer::from_str(&alone);
    let error = serde_path_to_error::deserialize::<_, T>(&mut reader).err()?;
    let inner = error.inner().to_string();
    // Places in a text that nobody has written help nobody.
    let said = inner.split(" at line ").next().unwrap_or(&inner).to_owned();
    let code = if said.starts_with("unknown field") { "unknown_field" } else { "wrong_type" };
    let pointer = match code {
        "unknown_field" => pointer_to([name]),
        _ => {
            let segments: Vec<_> = error.path().iter().map(ToString::to_string).collect();
            let segments = segments.iter().map(|it| it.trim_start_matches('[').trim_end_matches(']'));
            let below: Vec<_> = segments.filter(|it| *it != "?" && *it != ".").collect();
            if below.is_empty() { pointer_to([name]) } else { pointer_to(below) }
        }
    };
    Some(Wrong::at(pointer, code, said))
}

/// A JSON Pointer to a place.
pub(crate) fn pointer_to<'a>(path: impl IntoIterator<Item = &'a str>) -> String {
    let escaped = path.into_iter().map(|part| part.replace('~', "~0").replace('/', "~1"));
    escaped.map(|part| format!("/{part}")).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        name: Option<String>,
        count: Option<u8>,
        texts: Option<BTreeMap<String, String>>,
        raw: Option<Box<RawValueEq>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(transparent)]
    struct RawValueEq(Box<RawValue>);

    impl PartialEq for RawValueEq {
        fn eq(&self, other: &Self) -> bool {
            self.0.get() == other.0.get()
        }
    }

    fn faults(json: &str) -> Vec<(String, String)> {
        let wrong = read::<Sample>(&fields(json.as_bytes()).unwrap()).unwrap_err();
        wrong.into_iter().map(|wrong| (wrong.pointer.unwrap(), wrong.code)).collect()
    }

    #[test]
    fn all_faults_are_told_with_their_places() {
        let expected =
            [("/colour", "unknown_field"), ("/count", "wrong_type"), ("/texts/a~1b", "wrong_type")];
        let found = faults(r#"{"name": "x", "colour": 1, "count": 300, "texts": {"a/b": 1}}"#);
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    }

    #[test]
    fn numbers_keep_their_digits() {
        let sample: Sample = read(&fields(br#"{"raw": 1.10}"#).unwrap()).unwrap();
        assert_eq!(sample.raw.unwrap().0.get(), "1.10");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(fields(b"[]").is_err());
        assert!(fields(b"{").is_err());
        assert!(fields(b"\xff").is_err());
    }
}
