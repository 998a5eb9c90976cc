//! What a rule requires of an event beyond the keys of its entries.

use crate::{
    event::Names,
    event_type::TypePattern,
    pattern::{Steps, part::Part, steps::Spent, tree::Tree},
    rule::Rule,
};

/// The lists that are no key, and the pattern.
#[derive(Debug)]
pub(super) struct Predicate {
    lists: Option<Box<Lists>>,
    pattern: Option<Tree>,
}

/// The lists of a rule that are no key of its entries.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Lists {
    companies: Option<Box<[Box<str>]>>,
    except_projects: Box<[Box<str>]>,
    except_event_types: Box<[TypePattern]>,
}

impl Predicate {
    pub(super) fn new(lists: Option<Lists>, pattern: Option<&Tree>) -> Self {
        Self { lists: lists.map(Box::new), pattern: pattern.cloned() }
    }

    pub(super) fn pattern(&self) -> Option<&Tree> {
        self.pattern.as_ref()
    }

    /// Equal for equal predicates.
    pub(super) fn parts(&self) -> (Option<&Lists>, Option<&Tree>) {
        (self.lists.as_deref(), self.pattern.as_ref())
    }

    pub(super) fn matches<'b, 'e: 'b>(
        &self,
        names: &Names<'_>,
        body: impl FnOnce() -> &'b Part<'e>,
        steps: &Steps,
    ) -> Result<bool, Spent> {
        match &self.pattern {
            _ if !self.lists.as_ref().is_none_or(|lists| lists.match_names(names)) => Ok(false),
            Some(tree) => tree.matches(body(), steps),
            None => Ok(true),
        }
    }
}

impl Lists {
    pub(super) fn of(rule: &Rule) -> Option<Self> {
        let companies = rule.projects.as_ref().and(rule.companies.as_ref());
        let (projects, types) = (&rule.except_projects, &rule.except_event_types);
        (companies.is_some() || projects.is_some() || types.is_some()).then(|| Self {
            companies: companies.map(|ids| sorted(ids)),
            except_projects: projects.as_ref().map_or_else(Box::default, |ids| sorted(ids)),
            except_event_types: types.clone().unwrap_or_default().into(),
        })
    }

    fn match_names(&self, names: &Names<'_>) -> bool {
        self.companies.as_ref().is_none_or(|companies| companies.iter().any(|id| **id == *names.company_id))
            && !self.except_projects.iter().any(|id| **id == *names.project_id)
            && !self.except_event_types.iter().any(|pattern| pattern.matches(names.event_type))
    }
}

/// The ids in order, each once.
pub(super) fn sorted(ids: &[String]) -> Box<[Box<str>]> {
    let mut ids: Vec<Box<str>> = ids.iter().map(|id| id.as_str().into()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}
