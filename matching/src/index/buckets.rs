//! All buckets: by project, by company, or for all; within those by event type pattern.

use std::collections::HashMap;

use super::{
    indexed_rule::{IndexedRule, Scope},
    scope_buckets::ScopeBuckets,
    type_numbers::TypeNumber,
    type_patterns::TypePatterns,
};
use crate::{event::Names, event_type::TypePattern, pattern::paths::Paths};

type ByName = HashMap<Box<str>, ScopeBuckets, ahash::RandomState>;

#[derive(Debug, Default)]
pub(super) struct Buckets {
    types: TypePatterns,
    by_project: ByName,
    by_company: ByName,
    all: ScopeBuckets,
    paths: Paths,
}

impl Buckets {
    pub(super) fn add_type(&mut self, number: TypeNumber, pattern: &TypePattern) {
        self.types.add(number, pattern);
    }

    pub(super) fn remove_type(&mut self, number: TypeNumber) {
        self.types.remove(number);
    }

    pub(super) fn insert(&mut self, rule: &IndexedRule) {
        if let Some(tree) = rule.entry.pattern() {
            self.paths.add(tree);
        }
        let (by_name, names) = match &rule.scope {
            Scope::All => return self.all.insert(rule),
            Scope::Company(company) => (&mut self.by_company, std::slice::from_ref(company)),
            Scope::Companies(companies) => (&mut self.by_company, &**companies),
            Scope::Project(project) => (&mut self.by_project, std::slice::from_ref(project)),
            Scope::Projects(projects) => (&mut self.by_project, &**projects),
        };
        names.iter().for_each(|name| insert(by_name, name, rule));
    }

    pub(super) fn remove(&mut self, rule: &IndexedRule) {
        if let Some(tree) = rule.entry.pattern() {
            self.paths.remove(tree);
        }
        let (by_name, names) = match &rule.scope {
            Scope::All => {
                self.all.remove(rule);
                return;
            }
            Scope::Company(company) => (&mut self.by_company, std::slice::from_ref(company)),
            Scope::Companies(companies) => (&mut self.by_company, &**companies),
            Scope::Project(project) => (&mut self.by_project, std::slice::from_ref(project)),
            Scope::Projects(projects) => (&mut self.by_project, &**projects),
        };
        names.iter().for_each(|name| remove(by_name, name, rule));
    }

    /// The paths that patterns use.
    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The event type patterns that want the event, in order.
    pub(super) fn types_of(&self, names: &Names<'_>) -> Vec<TypeNumber> {
        self.types.wanting(names.event_type)
    }

    /// The scopes that the event is in.
    pub(super) fn scopes_of(&self, names: &Names<'_>) -> impl Iterator<Item = &ScopeBuckets> {
        let project = self.by_project.get(names.project_id);
        let company = self.by_company.get(names.company_id);
        [project, company, Some(&self.all)].into_iter().flatten()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.types.is_empty()
            && self.by_project.is_empty()
            && self.by_company.is_empty()
            && self.paths.is_empty()
            && self.all.is_empty()
    }
}

fn insert(by_name: &mut ByName, name: &str, rule: &IndexedRule) {
    if !by_name.contains_key(name) {
        by_name.insert(name.into(), ScopeBuckets::default());
    }
    by_name.get_mut(name).expect("inserted above").insert(rule);
}

fn remove(by_name: &mut ByName, name: &str, rule: &IndexedRule) {
    if by_name.get_mut(name).is_some_and(|buckets| buckets.remove(rule)) {
        by_name.remove(name);
    }
}
