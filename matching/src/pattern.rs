//! Patterns on an event's data: the Amazon EventBridge event pattern language.
//!
//! A pattern is read once, when a rule is saved, and all problems in it are reported then. Matching can fail
//! only by its cost (`steps`). Patterns are compared with an event's JSON body. docs/filters.md is the guide;
//! where the published language leaves something open, the behaviour is that of its open-source engine
//! (aws/event-ruler).

use std::{str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

pub use crate::problem::Problem as PatternProblem;
pub use limits::Limits;
pub use steps::{MOST_STEPS, Steps, TooCostly};

pub(crate) mod decimal;
pub(crate) mod evaluate;
pub(crate) mod extract;
pub(crate) mod fold;
mod limits;
mod object;
pub(crate) mod part;
pub(crate) mod paths;
mod read;
pub(crate) mod scalar;
pub(crate) mod scan;
pub(crate) mod steps;
pub(crate) mod tree;
pub(crate) mod wildcard;
pub(crate) mod words;

use part::Part;
use paths::Paths;
use tree::Tree;

/// What an event's body must look like.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As it was written.
    text: Box<str>,
    pub(crate) tree: Arc<Tree>,
}

/// Why a text cannot be compared with a pattern.
#[derive(Debug, thiserror::Error)]
pub enum Unmatchable {
    /// The text is not JSON, or not an object with the expected fields.
    #[error("it is not an event's body")]
    NotJson(#[from] serde_json::Error),
    /// It would take too many steps.
    #[error(transparent)]
    TooCostly(#[from] TooCostly),
}

impl Pattern {
    /// Reads a pattern within the default [`Limits`].
    ///
    /// # Errors
    /// All problems at once.
    pub fn parse(text: &str) -> Result<Self, Vec<PatternProblem>> {
        Self::parse_within(text, &Limits::default())
    }

    /// Reads a pattern.
    ///
    /// # Errors
    /// All problems at once.
    pub fn parse_within(text: &str, limits: &Limits) -> Result<Self, Vec<PatternProblem>> {
        let tree = read::tree(text, limits)?;
        Ok(Self { text: text.into(), tree: Arc::new(tree) })
    }

    /// Whether it matches an event's body. Numbers that `serde_json` has rounded (it keeps doubles and
    /// 64-bit integers) compare as it keeps them; [`Pattern::matches_text`] sees every digit.
    ///
    /// # Errors
    /// If that would take more than [`MOST_STEPS`].
    pub fn matches(&self, event: &Value) -> Result<bool, TooCostly> {
        self.matches_part(&Part::of(event, &self.paths()), &Steps::default())
    }

    /// Whether it matches an event's body, given as JSON text.
    ///
    /// # Errors
    /// If the text is not JSON, or telling would take more than [`MOST_STEPS`].
    pub fn matches_text(&self, event: &str) -> Result<bool, Unmatchable> {
        serde_json::from_str::<serde::de::IgnoredAny>(event)?;
        Ok(self.matches_part(&Part::read(event, &self.paths()), &Steps::default())?)
    }

    /// Whether it matches an event of which the fields under [`Pattern::paths`] were read.
    pub(crate) fn matches_part(&self, event: &Part<'_>, steps: &Steps) -> Result<bool, TooCostly> {
        self.tree.matches(event, steps).map_err(|_| steps.too_costly(event))
    }

    /// How many tests it makes of an event at most: the values of all fields, in each alternative.
    pub fn tests(&self) -> usize {
        self.tree.tests()
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn paths(&self) -> Paths {
        let mut paths = Paths::default();
        paths.add(&self.tree);
        paths
    }
}

impl FromStr for Pattern {
    type Err = Vec<PatternProblem>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Patterns are equal if their trees are, however they were written.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree
    }
}

impl Eq for Pattern {}

/// As it was written.
impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue = serde_json::from_str(&self.text).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

/// Reads one that was written, within [`Limits::HIGHEST`].
impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse_within(written.get(), &Limits::HIGHEST).map_err(|problems| {
            let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
            serde::de::Error::custom(told.join("; "))
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
