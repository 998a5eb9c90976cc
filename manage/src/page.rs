//! Pages of lists: how many rows, from where on, and where the next begins.
//!
//! Every list is asked for by a `limit` and a `cursor`. A cursor is the place of the last row in the list's
//! order, written so that nobody reads anything into it.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use posthorn_matching::{
    event_type::{BadTypePattern, TypePattern},
    storable,
};
use posthorn_store::{Page, Place};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{
    error::{Error, Wrong},
    moment::Moment,
};

/// The rows of a page unless another number is asked for.
const USUAL_LIMIT: usize = 50;
/// The most rows of a page.
const MOST_ROWS: usize = 250;

/// A page of something.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageOf<T> {
    /// What is on the page. It may be less than was asked for, or nothing, though more follows.
    pub data: Vec<T>,
    /// Where the next page begins: the `cursor` to ask for; null if nothing follows.
    pub next_cursor: Option<String>,
}

impl<T> PageOf<T> {
    /// A page without rows, after which nothing follows.
    pub(crate) fn empty() -> Self {
        Self { data: Vec::new(), next_cursor: None }
    }
}

/// Which page is asked for.
#[derive(Debug)]
pub(crate) struct Paging<Key> {
    /// How many rows.
    pub(crate) limit: usize,
    /// Behind which row; `None` for the first page.
    pub(crate) behind: Option<Key>,
}

impl<Key: Serialize + DeserializeOwned> Paging<Key> {
    /// Reads which page is asked for.
    ///
    /// # Errors
    /// If there are no such pages.
    pub(crate) fn read(limit: Option<usize>, cursor: Option<&str>) -> Result<Self, Error> {
        let limit = limit.unwrap_or(USUAL_LIMIT);
        if !(1..=MOST_ROWS).contains(&limit) {
            let detail = format!("a page has 1 to {MOST_ROWS} rows");
            return Err(Error::parameters(vec![Wrong::parameter("limit", "out_of_range", detail)]));
        }
        let wrong = || Wrong::parameter("cursor", "bad_cursor", "take it from `next_cursor` as it is");
        let read = |cursor| read_cursor(cursor).ok_or_else(|| Error::parameters(vec![wrong()]));
        Ok(Self { limit, behind: cursor.map(read).transpose()? })
    }

    /// The page of these rows; they are the last ones if they are fewer than were asked for.
    pub(crate) fn page<Row, T>(
        &self,
        rows: Vec<Row>,
        key: impl Fn(&Row) -> Key,
        view: impl Fn(Row) -> T,
    ) -> PageOf<T> {
        let next = rows.last().filter(|_| rows.len() == self.limit).map(key);
        self.page_until(rows.into_iter().map(view).collect(), next)
    }

    /// The page of these rows, after which the next begins behind `next`.
    pub(crate) fn page_until<T>(&self, data: Vec<T>, next: Option<Key>) -> PageOf<T> {
        PageOf { data, next_cursor: next.as_ref().map(write_cursor) }
    }
}

/// A place in a list that is ordered by time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InTime<Id>(Moment, Id);

impl<Id: Clone + Serialize + DeserializeOwned> Paging<InTime<Id>> {
    /// Behind which row.
    pub(crate) fn place(&self) -> Option<Place<Id>> {
        self.behind.as_ref().map(|InTime(at, id)| Place { at: at.0, id: id.clone() })
    }

    /// The page of what the store has found.
    ///
    /// # Errors
    /// Those of `view`.
    pub(crate) fn page_of<Row, T>(
        &self,
        found: Page<Row, Id>,
        view: impl Fn(Row) -> Result<T, Error>,
    ) -> Result<PageOf<T>, Error> {
        let next = found.next.map(|Place { at, id }| InTime(Moment(at), id));
        Ok(self.page_until(found.rows.into_iter().map(view).collect::<Result<_, _>>()?, next))
    }
}

/// The rows between two times that a list keeps to.
pub(crate) fn times(since: Option<Moment>, until: Option<Moment>) -> (Option<Timestamp>, Option<Timestamp>) {
    (since.map(|since| since.0), until.map(|until| until.0))
}

/// A text that the database can be asked for: PostgreSQL's hold no NUL.
///
/// # Errors
/// If it holds one.
pub(crate) fn text(parameter: &str, text: Option<&str>) -> Result<Option<String>, Error> {
    match text {
        Some(text) if text.contains('\0') => {
            Err(Error::parameters(vec![Wrong::parameter(parameter, "bad_text", "it holds a NUL")]))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

/// Reads an event type with `*`.
pub(crate) fn event_type(parameter: &str, text: Option<&str>) -> Result<Option<TypePattern>, Error> {
    let bad = |error: BadTypePattern| Wrong::parameter(parameter, "bad_event_type", error.to_string());
    text.map(str::parse).transpose().map_err(|error| Error::parameters(vec![bad(error)]))
}

fn write_cursor(place: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place can be written"))
}

fn read_cursor<Key: DeserializeOwned>(cursor: &str) -> Option<Key> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let place = serde_json::from_str(text).ok()?;
    // Read first: only then it is sure to be JSON.
    storable::problems(text).is_empty().then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_with_a_nul_is_refused() {
        assert_eq!(read_cursor::<String>(&write_cursor(&"a\0b")), None);
        assert_eq!(read_cursor(&write_cursor(&"C:\\u0000")), Some("C:\\u0000".to_owned()));
    }

    #[test]
    fn a_place_reads_back_and_nonsense_is_refused() {
        let place = Place { at: "2026-11-23T09:30:00.123456Z".parse().unwrap(), id: "evt_1".to_owned() };
        let first = Paging::<InTime<String>>::read(None, None).unwrap();
        assert_eq!((first.limit, first.place()), (USUAL_LIMIT, None));
        let found = Page { rows: vec![1], next: Some(place.clone()) };
        let page = first.page_of(found, Ok).unwrap();
        let next = Paging::<InTime<String>>::read(Some(1), page.next_cursor.as_deref()).unwrap();
        assert_eq!(next.place(), Some(place));
        assert!(Paging::<InTime<String>>::read(None, Some("nonsense")).is_err());
        assert!(Paging::<String>::read(Some(MOST_ROWS + 1), None).is_err());
        assert!(Paging::<String>::read(Some(0), None).is_err());
    }

    #[test]
    fn fewer_rows_than_were_asked_for_are_the_last() {
        let paging = Paging::read(Some(2), None).unwrap();
        let page = |rows: Vec<i64>| paging.page(rows, |row| *row, |row| row);
        assert!(page(vec![3, 2]).next_cursor.is_some());
        assert!(page(vec![3]).next_cursor.is_none() && page(Vec::new()).next_cursor.is_none());
    }
}
