//! Queries: what stands behind `?`, with all that is wrong with it told at once; pages and cursors.

use axum::{extract::FromRequestParts, http::request::Parts};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use posthorn_domain::moment;
use posthorn_matching::storable;
use posthorn_store::Place;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{
    problem::{Problem, Wrong},
    state::Shared,
};

/// The rows of a page unless another number is asked for.
const USUAL_LIMIT: usize = 50;
/// The most rows of a page.
const MOST_ROWS: usize = 250;

/// A query, read into a type whose fields are all optional and which denies unknown ones.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Shared) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self).map_err(Problem::parameters)
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Vec<Wrong>> {
    let parameters = query.split('&').filter(|pair| !pair.is_empty());
    let wrong: Vec<_> = parameters.filter_map(fault::<T>).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    serde_urlencoded::from_str(query)
        .map_err(|error| vec![Wrong::parameter("", "repeated", error.to_string())])
}

fn fault<T: DeserializeOwned>(parameter: &str) -> Option<Wrong> {
    let error = serde_urlencoded::from_str::<T>(parameter).err()?.to_string();
    let name = parameter.split('=').next().unwrap_or_default();
    let code = if error.starts_with("unknown field") { "unknown_parameter" } else { "wrong_type" };
    Some(Wrong::parameter(name, code, error))
}

/// A page of something.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageOf<T> {
    /// What is on the page. It may be less than was asked for, or nothing, though more follows.
    pub(crate) data: Vec<T>,
    /// Where the next page begins: the `cursor` to ask for; null if nothing follows.
    pub(crate) next_cursor: Option<String>,
}

/// How many rows a page has.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(USUAL_LIMIT) {
        limit @ 1..=MOST_ROWS => Ok(limit),
        _ => {
            let detail = format!("a page has 1 to {MOST_ROWS} rows");
            Err(Problem::parameters(vec![Wrong::parameter("limit", "out_of_range", detail)]))
        }
    }
}

/// Where the next page begins, if this one of as many rows as were asked for is not the last.
pub(crate) fn next_page<Row, Key: Serialize>(
    rows: &[Row],
    limit: usize,
    key: impl Fn(&Row) -> Key,
) -> Option<String> {
    rows.last().filter(|_| rows.len() == limit).map(|last| write_cursor(&key(last)))
}

/// PostgreSQL's text holds no NUL: nothing is called so.
pub(crate) fn no_nul(parameter: &str, text: &str) -> Result<String, Problem> {
    match text.contains('\0') {
        true => Err(Problem::parameters(vec![Wrong::parameter(parameter, "bad_text", "it holds a NUL")])),
        false => Ok(text.to_owned()),
    }
}

/// Writes where a page ends.
pub(crate) fn write_cursor(place: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place can be written"))
}

/// Reads a cursor.
pub(crate) fn read_cursor<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let read = |cursor: &str| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let place = serde_json::from_str(text).ok()?;
        // Read first: only then it is sure to be JSON.
        storable::problems(text).is_empty().then_some(place)
    };
    let wrong = || Wrong::parameter("cursor", "bad_cursor", "take it from `next_cursor` as it is");
    cursor.map(|cursor| read(cursor).ok_or_else(|| Problem::parameters(vec![wrong()]))).transpose()
}

/// A place as a cursor has it.
#[derive(Serialize, Deserialize)]
struct Written<Id>(Moment, Id);

/// Reads a place from a cursor.
pub(crate) fn read_place<Id: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<Place<Id>>, Problem> {
    let place = read_cursor::<Written<Id>>(cursor)?;
    Ok(place.map(|Written(at, id)| Place { at: at.0, id }))
}

/// Writes a place as a cursor.
pub(crate) fn write_place<Id: Serialize>(place: Place<Id>) -> String {
    write_cursor(&Written(Moment(place.at), place.id))
}

/// A time between the years 1970 and 9999, RFC 3339 with any offset. The last hours of 9999, which mean "never",
/// are its last moment that can be computed with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Moment(pub(crate) Timestamp);

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let time: moment::Moment = text.parse().map_err(|_: moment::NotAMoment| {
            format!("`{text}` is not a time such as 2026-11-23T09:30:00Z (RFC 3339)")
        })?;
        match time.timestamp() {
            time if time >= Timestamp::UNIX_EPOCH => Ok(Self(time)),
            _ => Err(format!("`{text}` is not between the years 1970 and 9999")),
        }
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    #[derive(Default)]
    struct Sample {
        limit: Option<usize>,
        word: Option<String>,
    }

    #[test]
    fn all_faults_of_a_query_are_told() {
        let wrong = read::<Sample>("limit=x&colour=red&word=a%20b").unwrap_err();
        let found: Vec<_> =
            wrong.iter().map(|it| (it.parameter.as_deref().unwrap(), it.code.as_str())).collect();
        assert_eq!(found, [("limit", "wrong_type"), ("colour", "unknown_parameter")]);
        let sample = read::<Sample>("limit=3&word=a%20b").unwrap();
        assert_eq!(sample, Sample { limit: Some(3), word: Some("a b".to_owned()) });
        assert!(read::<Sample>("word=a&word=b").is_err());
    }

    #[test]
    fn the_last_second_of_9999_is_a_time() {
        let read = |text: &str| Moment::try_from(text.to_owned()).map(|moment| moment.0);
        assert_eq!(read("9999-12-31T23:59:59Z"), Ok(Timestamp::MAX));
        assert_eq!(read("1970-01-01T00:00:00Z"), Ok(Timestamp::UNIX_EPOCH));
        assert!(read("1969-12-31T23:59:59Z").is_err() && read("yesterday").is_err());
    }

    #[test]
    fn a_cursor_with_a_nul_is_refused() {
        let cursor = write_cursor(&"a\0b");
        assert!(read_cursor::<String>(Some(&cursor)).is_err());
        assert_eq!(read_cursor(Some(&write_cursor(&"C:\\u0000"))).unwrap(), Some("C:\\u0000".to_owned()));
    }

    #[test]
    fn a_cursor_reads_back_and_nonsense_is_refused() {
        let place = Place { at: "2026-11-23T09:30:00.123456Z".parse().unwrap(), id: "evt_1".to_owned() };
        let cursor = write_place(place.clone());
        assert_eq!(read_place(Some(&cursor)).unwrap(), Some(place));
        assert!(read_place::<String>(Some("nonsense")).is_err());
        assert_eq!(read_place::<String>(None).unwrap(), None);
    }
}
