//! Rules: which events a subscriber wants.
//!
//! A rule is event types × companies × projects × an optional pattern on the body; a subscriber wants an event
//! if any of its rules matches. A missing list means all, also future ones; an empty list is refused, since
//! it could be meant as "none" or as "all".

use serde::Serialize;

use crate::{
    event::{self, Event, Names},
    event_type::{TypePattern, is_reserved},
    pattern::{Pattern, Steps, TooCostly},
};

mod limits;
mod read;

pub use limits::Limits;

/// One rule. See the module for what its lists mean.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The event types wanted; `None`: all but Posthorn's own.
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
    /// What the body must look like; `None`: anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
}

impl Rule {
    /// Whether the event matches.
    ///
    /// # Errors
    /// If that would take more steps than are left.
    pub fn matches(&self, event: &dyn Event, steps: &Steps) -> Result<bool, TooCostly> {
        match &self.pattern {
            _ if !self.matches_names(event.names()) => Ok(false),
            Some(pattern) => pattern.matches_part(&event::body(event, &pattern.paths()), steps),
            None => Ok(true),
        }
    }

    /// Whether one of the rules matches the event.
    ///
    /// # Errors
    /// If that would take more steps than are left.
    pub fn any_matches(rules: &[Self], event: &dyn Event, steps: &Steps) -> Result<bool, TooCostly> {
        for rule in rules {
            if rule.matches(event, steps)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many tests its pattern makes of an event at most.
    pub fn tests(&self) -> usize {
        self.pattern.as_ref().map_or(0, Pattern::tests)
    }

    /// The company that all these rules name; `None` if they name none, or several.
    pub fn only_company(rules: &[Self]) -> Option<&str> {
        let companies = rules.iter().map(|rule| rule.companies.as_deref().unwrap_or_default());
        let mut distinct: Vec<_> = companies.clone().flatten().collect();
        distinct.sort_unstable();
        distinct.dedup();
        match distinct.as_slice() {
            [only] if companies.clone().all(|named| !named.is_empty()) => Some(only),
            _ => None,
        }
    }

    /// Whether it can match only events of these companies.
    pub fn is_within(&self, companies: &[String]) -> bool {
        self.companies.as_ref().is_some_and(|own| own.iter().all(|company| companies.contains(company)))
    }

    /// Whether it can match an event of this company.
    pub fn may_want_company(&self, company: &str) -> bool {
        named(&self.companies, company)
    }

    /// Whether it can match an event of this type.
    pub fn may_want_type(&self, event_type: &str) -> bool {
        typed(&self.event_types, event_type)
            && !excepted(&self.except_event_types, |pattern| pattern.matches(event_type))
    }

    /// Whether all but the pattern matches.
    fn matches_names(&self, names: Names<'_>) -> bool {
        named(&self.companies, names.company_id)
            && named(&self.projects, names.project_id)
            && typed(&self.event_types, names.event_type)
            && !excepted(&self.except_projects, |project| *project == names.project_id)
            && !excepted(&self.except_event_types, |pattern| pattern.matches(names.event_type))
    }
}

fn named(list: &Option<Vec<String>>, id: &str) -> bool {
    list.as_ref().is_none_or(|ids| ids.iter().any(|listed| listed == id))
}

fn typed(list: &Option<Vec<TypePattern>>, event_type: &str) -> bool {
    match list {
        Some(patterns) => patterns.iter().any(|pattern| pattern.wants(event_type)),
        None => !is_reserved(event_type),
    }
}

fn excepted<T>(list: &Option<Vec<T>>, is_it: impl Fn(&T) -> bool) -> bool {
    list.as_ref().is_some_and(|items| items.iter().any(is_it))
}

#[cfg(test)]
mod tests;
