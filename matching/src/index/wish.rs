//! What is filed: a webhook, and what it still asks of an event that is found in its place.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use uuid::Uuid;

use super::filed::distinct;
use crate::{
    event,
    event_type::TypePattern,
    pattern::{Steps, document::Part, steps::Spent, tree::Tree},
    rule::Rule,
};

/// Small, and most ask for nothing more: then nothing else is fetched from memory. Equal if the webhook
/// and the rest are the same; equal rests are the same one ([`super::rests`]).
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) webhook: Uuid,
    pub(super) rest: Option<Arc<Rest>>,
}

/// What the place where a rule is filed doesn't say.
#[derive(Debug)]
pub(super) struct Rest {
    names: Option<Box<Names>>,
    pattern: Option<Tree>,
}

/// The lists of a rule that are not its place.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Names {
    companies: Option<Box<[Box<str>]>>,
    except_projects: Box<[Box<str>]>,
    except_event_types: Box<[TypePattern]>,
}

impl Wish {
    pub(super) fn pattern(&self) -> Option<&Tree> {
        self.rest.as_ref()?.pattern.as_ref()
    }

    /// Whether the event is wanted, which was found in its place. `body` reads the event's body.
    pub(super) fn wants<'b, 'e: 'b>(
        &self,
        event: &event::Names<'_>,
        body: impl FnOnce() -> &'b Part<'e>,
        steps: &Steps,
    ) -> Result<bool, Spent> {
        self.rest.as_ref().map_or(Ok(true), |rest| rest.wants(event, body, steps))
    }

    /// Tells wishes apart as [`PartialEq`] does.
    pub(super) fn identity(&self) -> (Uuid, Option<usize>) {
        (self.webhook, self.rest.as_ref().map(|rest| Arc::as_ptr(rest).addr()))
    }
}

impl PartialEq for Wish {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Wish {}

impl Hash for Wish {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl Rest {
    pub(super) fn new(names: Option<Names>, pattern: Option<&Tree>) -> Self {
        Self { names: names.map(Box::new), pattern: pattern.cloned() }
    }

    pub(super) fn parts(&self) -> (Option<&Names>, Option<&Tree>) {
        (self.names.as_deref(), self.pattern.as_ref())
    }

    fn wants<'b, 'e: 'b>(
        &self,
        event: &event::Names<'_>,
        body: impl FnOnce() -> &'b Part<'e>,
        steps: &Steps,
    ) -> Result<bool, Spent> {
        match &self.pattern {
            _ if !self.names.as_ref().is_none_or(|names| names.want(event)) => Ok(false),
            Some(tree) => tree.matches(body(), steps),
            None => Ok(true),
        }
    }
}

impl Names {
    pub(super) fn of(rule: &Rule) -> Option<Self> {
        let companies = rule.projects.as_ref().and(rule.companies.as_ref());
        let (projects, types) = (&rule.except_projects, &rule.except_event_types);
        (companies.is_some() || projects.is_some() || types.is_some()).then(|| Self {
            companies: companies.map(|ids| distinct(ids)),
            except_projects: projects.as_ref().map_or_else(Box::default, |ids| distinct(ids)),
            except_event_types: types.clone().unwrap_or_default().into(),
        })
    }

    fn want(&self, event: &event::Names<'_>) -> bool {
        self.companies.as_ref().is_none_or(|companies| companies.iter().any(|id| **id == *event.company_id))
            && !self.except_projects.iter().any(|id| **id == *event.project_id)
            && !self.except_event_types.iter().any(|pattern| pattern.matches(event.event_type))
    }
}
