//! All shelves: by project, by company, or for all; there by event type pattern.

use std::{collections::HashMap, ops::Range};

use super::{
    filed::{Filed, Scope},
    shelf::Shelf,
    type_numbers::TypeNumber,
    types::Types,
    wish::Wish,
};
use crate::{event::Names, event_type::TypePattern, pattern::document::Paths};

/// So many wishes of a scope are told apart one by one.
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

/// What is filed for one project, one company, or all.
#[derive(Debug)]
pub(super) enum Scoped {
    Few(Few),
    #[expect(clippy::box_collection, reason = "most scopes are few, and there are many of those")]
    Many(Box<HashMap<TypeNumber, Shelf, ahash::RandomState>>),
}

/// Wishes and the number of an event type of each, in the order of the numbers. They lie apart, so that
/// looking through the numbers fetches nothing else from memory.
#[derive(Debug, Default)]
pub(super) struct Few {
    numbers: Vec<TypeNumber>,
    wishes: Vec<Wish>,
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

    pub(super) fn put(&mut self, rule: &Filed) {
        if let Some(tree) = rule.wish.pattern() {
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

    pub(super) fn remove(&mut self, rule: &Filed) {
        if let Some(tree) = rule.wish.pattern() {
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
    pub(super) fn types_of(&self, names: &Names<'_>) -> Vec<TypeNumber> {
        self.types.wanting(names.event_type)
    }

    /// Where rules for the event may lie.
    pub(super) fn scopes_of(&self, names: &Names<'_>) -> impl Iterator<Item = &Scoped> {
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

fn in_name<'n>(names: &'n mut ByName, name: &str) -> &'n mut Scoped {
    if !names.contains_key(name) {
        names.insert(name.into(), Scoped::default());
    }
    names.get_mut(name).expect("it is there now")
}

fn out_of_name(names: &mut ByName, name: &str, rule: &Filed) {
    if names.get_mut(name).is_some_and(|scoped| scoped.remove(rule)) {
        names.remove(name);
    }
}

impl Scoped {
    fn put(&mut self, rule: &Filed) {
        if let Self::Few(few) = self
            && few.numbers.len() + rule.types.used().len() > FEW
        {
            let mut shelves = HashMap::<TypeNumber, Shelf, ahash::RandomState>::default();
            for (number, wish) in few.numbers.iter().zip(&few.wishes) {
                shelves.entry(*number).or_default().put(wish);
            }
            *self = Self::Many(Box::new(shelves));
        }
        for number in rule.types.distinct() {
            match self {
                Self::Few(few) => few.put(number, &rule.wish),
                Self::Many(shelves) => shelves.entry(number).or_default().put(&rule.wish),
            }
        }
    }

    /// Whether nothing is left.
    fn remove(&mut self, rule: &Filed) -> bool {
        for number in rule.types.distinct() {
            match self {
                Self::Few(few) => few.remove(number, &rule.wish),
                Self::Many(shelves) => {
                    if shelves.get_mut(&number).is_some_and(|shelf| shelf.remove(&rule.wish)) {
                        shelves.remove(&number);
                    }
                }
            }
        }
        self.is_empty()
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.numbers.is_empty(),
            Self::Many(shelves) => shelves.is_empty(),
        }
    }
}

impl Few {
    /// Those of these types.
    pub(super) fn of_types(&self, types: &[TypeNumber]) -> impl Iterator<Item = &Wish> {
        types.iter().flat_map(move |number| &self.wishes[self.places(*number)])
    }

    /// Once, however often it is put.
    fn put(&mut self, number: TypeNumber, wish: &Wish) {
        let places = self.places(number);
        if self.wishes[places.clone()].contains(wish) {
            return;
        }
        if self.numbers.len() == self.numbers.capacity() {
            self.numbers.reserve_exact(GROWTH);
            self.wishes.reserve_exact(GROWTH);
        }
        self.numbers.insert(places.end, number);
        self.wishes.insert(places.end, wish.clone());
    }

    fn remove(&mut self, number: TypeNumber, wish: &Wish) {
        if let Some(place) = self.places(number).find(|place| self.wishes[*place] == *wish) {
            self.numbers.remove(place);
            self.wishes.remove(place);
        }
    }

    /// Counts instead of searching: no step waits for what the last one has fetched from memory.
    fn places(&self, number: TypeNumber) -> Range<usize> {
        let start = self.numbers.iter().filter(|known| **known < number).count();
        let count = self.numbers.iter().filter(|known| **known == number).count();
        start..start + count
    }
}
