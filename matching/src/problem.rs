//! Problems in JSON that a person wrote: the place, what is wrong there, and how to correct it.

use serde::Serialize;

/// The most characters of an offending value that a problem repeats.
const LONGEST_VALUE: usize = 80;

/// A problem at one place of a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}{message}; found {value}", before(.pointer))]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the place; empty for the whole.
    pub pointer: String,
    /// A stable name of the kind of problem.
    pub code: &'static str,
    /// The value there, as JSON, cut short if it is long.
    pub value: String,
    /// What is wrong and how to correct it.
    pub message: String,
}

/// All problems found so far.
#[derive(Debug, Default)]
pub struct Problems(
    /// In the order in which they were found.
    pub Vec<Problem>,
);

impl Problems {
    /// Adds a problem with `value`, a JSON text.
    pub fn add(&mut self, pointer: &str, code: &'static str, value: &str, message: impl Into<String>) {
        let value = shortened(value);
        self.0.push(Problem { pointer: pointer.to_owned(), code, value, message: message.into() });
    }

    /// `found`, unless there are problems.
    ///
    /// # Errors
    /// All of them.
    pub fn or<T>(self, found: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() { Ok(found) } else { Err(self.0) }
    }
}

/// The pointer to `name` under `pointer`.
pub fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn before(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("{pointer}: ") }
}

fn shortened(value: &str) -> String {
    let value = value.trim();
    match value.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
