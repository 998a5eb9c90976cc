//! Rules: which events a webhook wants.
//!
//! A rule is event types × companies × projects; a webhook wants an event if any of its rules
//! matches. A missing list means all, also future ones; an empty list is refused, since "none" and
//! "all" are too easily taken for each other.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{event::Event, event_type::TypePattern};

mod read;

/// The most rules of one webhook.
pub const MOST_RULES: usize = 20;
/// The most entries of a list of event types.
pub const MOST_TYPES: usize = 200;
/// The most entries of a list of companies or projects.
pub const MOST_IDS: usize = 1000;

/// One rule. See the module for what its lists mean.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The event types wanted; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<TypePattern>>,
    /// Event types taken away from those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_event_types: Option<Vec<TypePattern>>,
    /// The companies whose events are wanted; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub companies: Option<Vec<String>>,
    /// The projects whose events are wanted; `None`: all, and events without a project too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projects: Option<Vec<String>>,
    /// Projects taken away from those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_projects: Option<Vec<String>>,
}

/// What is wrong with a place in a rule list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct Problem {
    /// JSON Pointer (RFC 6901) to the place.
    pub pointer: String,
    /// A stable name of the kind of problem.
    pub code: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Rule {
    /// Reads a webhook's rule list.
    ///
    /// # Errors
    /// All problems at once.
    pub fn read_list(rules: &Value) -> Result<Vec<Self>, Vec<Problem>> {
        read::rules(rules)
    }

    /// Whether the event matches.
    pub fn matches(&self, event: &Event) -> bool {
        named(&self.companies, &event.company_id)
            && named(&self.projects, &event.project_id)
            && typed(&self.event_types, &event.event_type)
            && !excepted(&self.except_projects, |project| *project == event.project_id)
            && !excepted(&self.except_event_types, |pattern| pattern.matches(&event.event_type))
    }
}

fn named(list: &Option<Vec<String>>, id: &str) -> bool {
    list.as_ref().is_none_or(|ids| ids.iter().any(|listed| listed == id))
}

fn typed(list: &Option<Vec<TypePattern>>, event_type: &str) -> bool {
    list.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(event_type)))
}

fn excepted<T>(list: &Option<Vec<T>>, is_it: impl Fn(&T) -> bool) -> bool {
    list.as_ref().is_some_and(|items| items.iter().any(is_it))
}

#[cfg(test)]
mod tests;
