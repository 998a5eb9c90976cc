//! All shelves: by project, by company, or for all; there by event type pattern.

use std::{collections::HashMap, sync::Arc};

use super::{Filed, filed::Scope, shelf::Shelf, type_numbers::TypeNumber, types::Types};
use crate::{event::Event, event_type::TypePattern, pattern::document::Paths};

/// So many rules of a scope are told apart one by one.
const FEW: usize = 64;
/// By so many places a short list grows: doubling it would leave a third empty.
const GROWTH: usize = 4;

type ByName = HashMap<Box<str>, Scoped, ahash::RandomState>;

#[derive(Debug, Default)]
pub(super) struct Shelves {
    types: Types,
    by_project: ByName,
    by_company: ByName,
    all: Scoped,
    paths: Paths,
}

/// The rules of one project, one company, or all.
#[derive(Debug)]
pub(super) enum Scoped {
    Few(Few),
    #[expect(clippy::box_collection, reason = "most scopes are few, and there are many of those")]
    Many(Box<HashMap<TypeNumber, Shelf, ahash::RandomState>>),
}

/// Rules and the number of an event type of each, in the order of the numbers. They lie apart, so that
/// looking through the numbers fetches nothing else from memory.
#[derive(Debug, Default)]
pub(super) struct Few {
    numbers: Vec<TypeNumber>,
    rules: Vec<Arc<Filed>>,
}

impl Default for Scoped {
    fn default() -> Self {
        Self::Few(Few::default())
    }
}

impl Shelves {
    pub(super) fn add_type(&mut self, number: TypeNumber, pattern: &TypePattern) {
        self.types.add(number, pattern);
    }

    pub(super) fn remove_type(&mut self, number: TypeNumber) {
        self.types.remove(number);
    }

    pub(super) fn put(&mut self, rule: &Arc<Filed>) {
        if let Some(tree) = &rule.pattern {
            self.paths.add(tree);
        }
        match &rule.scope {
            Scope::All => self.all.put(rule),
            Scope::Company(company) => in_name(&mut self.by_company, company).put(rule),
            Scope::Companies(companies) => {
                companies.iter().for_each(|company| in_name(&mut self.by_company, company).put(rule));
            }
            Scope::Project(project) => in_name(&mut self.by_project, project).put(rule),
            Scope::Projects(projects) => {
                projects.iter().for_each(|project| in_name(&mut self.by_project, project).put(rule));
            }
        }
    }

    pub(super) fn remove(&mut self, rule: &Arc<Filed>) {
        if let Some(tree) = &rule.pattern {
            self.paths.remove(tree);
        }
        match &rule.scope {
            Scope::All => {
                self.all.remove(rule);
            }
            Scope::Company(company) => out_of_name(&mut self.by_company, company, rule),
            Scope::Companies(companies) => {
                companies.iter().for_each(|company| out_of_name(&mut self.by_company, company, rule));
            }
            Scope::Project(project) => out_of_name(&mut self.by_project, project, rule),
            Scope::Projects(projects) => {
                projects.iter().for_each(|project| out_of_name(&mut self.by_project, project, rule));
            }
        }
    }

    /// The paths that patterns use.
    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The type patterns that want the event's.
    pub(super) fn types_of(&self, event: &Event) -> Vec<TypeNumber> {
        self.types.wanting(&event.event_type)
    }

    /// Where rules for the event may lie.
    pub(super) fn scopes_of(&self, event: &Event) -> impl Iterator<Item = &Scoped> {
        let project = self.by_project.get(&*event.project_id);
        let company = self.by_company.get(&*event.company_id);
        [project, company, Some(&self.all)].into_iter().flatten()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let is_nothing_for_all = match &self.all {
            Scoped::Few(few) => few.rules.is_empty(),
            Scoped::Many(shelves) => shelves.is_empty(),
        };
        self.types.is_empty()
            && self.by_project.is_empty()
            && self.by_company.is_empty()
            && self.paths.is_empty()
            && is_nothing_for_all
    }
}

fn in_name<'n>(names: &'n mut ByName, name: &str) -> &'n mut Scoped {
    if !names.contains_key(name) {
        names.insert(name.into(), Scoped::default());
    }
    names.get_mut(name).expect("it is there now")
}

fn out_of_name(names: &mut ByName, name: &str, rule: &Arc<Filed>) {
    if names.get_mut(name).is_some_and(|scoped| scoped.remove(rule)) {
        names.remove(name);
    }
}

impl Scoped {
    fn put(&mut self, rule: &Arc<Filed>) {
        if let Self::Few(few) = self
            && few.rules.len() + rule.types.used().len() > FEW
        {
            let mut shelves = HashMap::<TypeNumber, Shelf, ahash::RandomState>::default();
            for (number, rule) in few.numbers.drain(..).zip(few.rules.drain(..)) {
                shelves.entry(number).or_default().put(&rule);
            }
            *self = Self::Many(Box::new(shelves));
        }
        for number in rule.types.distinct() {
            match self {
                Self::Few(few) => few.put(number, rule),
                Self::Many(shelves) => shelves.entry(number).or_default().put(rule),
            }
        }
    }

    /// Whether nothing is left.
    fn remove(&mut self, rule: &Arc<Filed>) -> bool {
        match self {
            Self::Few(few) => {
                few.remove(rule);
                few.rules.is_empty()
            }
            Self::Many(shelves) => {
                for number in rule.types.distinct() {
                    if shelves.get_mut(&number).is_some_and(|shelf| shelf.remove(rule)) {
                        shelves.remove(&number);
                    }
                }
                shelves.is_empty()
            }
        }
    }
}

impl Few {
    /// The rules of these types, which come in order.
    pub(super) fn of_types(&self, types: &[TypeNumber]) -> impl Iterator<Item = &Arc<Filed>> {
        let typed = self.numbers.iter().zip(&self.rules);
        typed.filter(|(number, _)| types.binary_search(number).is_ok()).map(|(_, rule)| rule)
    }

    fn put(&mut self, number: TypeNumber, rule: &Arc<Filed>) {
        if self.rules.len() == self.rules.capacity() {
            self.numbers.reserve_exact(GROWTH);
            self.rules.reserve_exact(GROWTH);
        }
        let place = self.numbers.partition_point(|known| *known <= number);
        self.numbers.insert(place, number);
        self.rules.insert(place, rule.clone());
    }

    fn remove(&mut self, rule: &Arc<Filed>) {
        while let Some(place) = self.rules.iter().position(|known| Arc::ptr_eq(known, rule)) {
            self.numbers.remove(place);
            self.rules.remove(place);
        }
    }
}
