//! Bodies: JSON objects, bounded, with all that is wrong with their form told at once.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use posthorn_matching::storable;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::{
    bodies::Hold,
    caller::TokenId,
    problem::{Kind, Problem, Wrong},
    state::Shared,
};

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(45);

/// The fields of an object as they are written: numbers keep their digits.
pub(crate) type Fields = BTreeMap<String, Box<RawValue>>;

/// A body, read.
#[derive(Debug)]
pub(crate) struct Body<T> {
    /// What it says.
    pub(crate) value: T,
    /// As it was sent.
    pub(crate) sent: Sent,
}

/// What was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// Counts them as long as they, or what was read of them, are worked on.
    _hold: Hold,
}

/// A body that may be missing: then it says nothing.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) Body<T>);

/// The fields of a merge patch (RFC 7396).
#[derive(Debug)]
pub(crate) struct Patch {
    /// The fields.
    pub(crate) fields: Fields,
    /// Counts their bytes.
    _hold: Hold,
}

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let (bytes, hold) = bytes(request, api, &["application/json"]).await?;
        Ok(Self {
            value: read(&fields(&bytes)?).map_err(Problem::invalid)?,
            sent: Sent { bytes, _hold: hold },
        })
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let has_type = request.headers().contains_key(header::CONTENT_TYPE);
        let types: &[_] = if has_type { &["application/json"] } else { &[] };
        let (bytes, hold) = bytes(request, api, types).await?;
        let fields = if bytes.is_empty() { Fields::new() } else { fields(&bytes)? };
        let value = read(&fields).map_err(Problem::invalid)?;
        Ok(Self(Body { value, sent: Sent { bytes, _hold: hold } }))
    }
}

impl FromRequest<Shared> for Patch {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let types = ["application/merge-patch+json", "application/json"];
        let (bytes, hold) = bytes(request, api, &types).await?;
        Ok(Self { fields: fields(&bytes)?, _hold: hold })
    }
}

/// Reads a body of one of these media types; of any, if there are none given.
async fn bytes(request: Request, api: &Shared, types: &[&str]) -> Result<(Bytes, Hold), Problem> {
    let most = api.settings.most_body_bytes;
    if !types.is_empty() && !types.iter().any(|media_type| is_of(request.headers(), media_type)) {
        let detail = format!("the body needs `content-type: {}`", types[0]);
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let too_large = || Problem::new(Kind::TooLarge, format!("a body may have at most {most} bytes"));
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > most) {
        return Err(too_large());
    }
    let token = request.extensions().get::<TokenId>().copied().unwrap_or_default();
    let mut hold = api.bodies.hold(token.0);
    let (mut body, mut bytes) = (request.into_body(), BytesMut::new());
    let reading = async {
        while let Some(frame) = body.frame().await {
            // One that breaks off is not seen by anybody: its sender has gone.
            let frame = frame.map_err(|_| Problem::new(Kind::BadRequest, "the body broke off"))?;
            let Some(chunk) = frame.data_ref() else { continue };
            if bytes.len() + chunk.len() > most {
                return Err(too_large());
            }
            hold.grow(chunk.len())?;
            bytes.extend_from_slice(chunk);
        }
        Ok(())
    };
    let read = timeout(BODY_TIMEOUT, reading).await;
    let slow = |_| Problem::new(Kind::TooSlow, format!("a body may take {} s", BODY_TIMEOUT.as_secs()));
    read.map_err(slow)??;
    Ok((bytes.freeze(), hold))
}

fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    given.eq_ignore_ascii_case(media_type)
}

/// Reads a JSON object as far as its fields.
fn fields(bytes: &[u8]) -> Result<Fields, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::new(Kind::BadRequest, format!("the body is not UTF-8: {error}")))?;
    match serde_json::from_str(text) {
        Ok(fields) => Ok(fields),
        Err(error) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) if text.trim_start().starts_with('{') => {
                let unreadable = storable::problems(text).into_iter().map(|problem| Wrong::of("", problem));
                let unreadable: Vec<_> = unreadable.collect();
                let broken = || vec![Wrong::at("", "wrong_type", format!("it cannot be read: {error}"))];
                Err(Problem::invalid(if unreadable.is_empty() { broken() } else { unreadable }))
            }
            Ok(_) => Err(Problem::invalid(vec![Wrong::at("", "wrong_type", "it is a JSON object")])),
            Err(_) => Err(Problem::new(Kind::BadRequest, format!("the body is not JSON: {error}"))),
        },
    }
}

/// Reads fields into a type whose fields are all optional and which denies unknown ones; or tells all
/// that is wrong. Fields do not depend on each other, so each is tried alone.
pub(crate) fn read<T: DeserializeOwned>(fields: &Fields) -> Result<T, Vec<Wrong>> {
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
