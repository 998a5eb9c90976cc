//! What of ours is more than one plain column, or a word in it: how it is read. Words are written by their
//! `label`, and each enum says in one place what its words are ([`posthorn_domain::words`]).
//!
//! A word that is not known is an error that names it and its column: a later version wrote it, or somebody
//! by hand. It never stands for another.

use std::str::FromStr;

use jiff::Timestamp;
use posthorn_domain::{
    outcome::{Outcome, OutcomeParts},
    step::Step,
    words::UnknownWord,
};
use tokio_postgres::Row;

/// A word.
pub(crate) fn word<Word: FromStr<Err = UnknownWord>>(row: &Row, column: &str) -> Result<Word, String> {
    parse(row.get(column), column)
}

/// A word, or null.
pub(crate) fn optional_word<Word: FromStr<Err = UnknownWord>>(
    row: &Row,
    column: &str,
) -> Result<Option<Word>, String> {
    row.get::<_, Option<&str>>(column).map(|text| parse(text, column)).transpose()
}

/// The step of an attempt: the columns `step` and `next_attempt_at`.
pub(crate) fn step(row: &Row) -> Result<Step<Timestamp>, String> {
    Step::of_parts(word(row, "step")?, row.get("next_attempt_at")).map_err(|error| error.to_string())
}

/// The outcome of an attempt: the columns `outcome`, `status`, `unreachable_class` and `error`.
pub(crate) fn outcome(row: &Row) -> Result<Outcome, String> {
    let status: Option<i16> = row.get("status");
    let parts = OutcomeParts {
        kind: word(row, "outcome")?,
        status: status.and_then(|status| status.try_into().ok()),
        class: optional_word(row, "unreachable_class")?,
        error: row.get("error"),
    };
    Outcome::of_parts(parts).map_err(|error| error.to_string())
}

fn parse<Word: FromStr<Err = UnknownWord>>(text: &str, column: &str) -> Result<Word, String> {
    text.parse().map_err(|unknown| format!("column `{column}`: {unknown}"))
}
