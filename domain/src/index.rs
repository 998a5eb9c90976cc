//! The index that finds the webhooks that want an event.
//!
//! Each rule is filed under what it names: its projects, else its companies, else "all"; and there
//! under its exact event types, or with those that have a `*` or name no type. What is found under
//! an event's project, company and type is then asked itself, so that the index decides only what
//! is looked at.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;

use crate::{event::Event, id::WebhookId, rule::Rule};

/// Rules of many webhooks, by what they name.
#[derive(Debug, Default)]
pub struct Index {
    rules: HashMap<WebhookId, Vec<Arc<Rule>>>,
    by_project: HashMap<String, Shelf>,
    by_company: HashMap<String, Shelf>,
    all: Shelf,
}

/// The rules filed under one project, one company, or all.
#[derive(Debug, Default)]
struct Shelf {
    by_type: HashMap<String, Vec<Filed>>,
    any_type: Vec<Filed>,
}

type Filed = (WebhookId, Arc<Rule>);

impl Index {
    /// Files a webhook's rules in place of those it had.
    pub fn put(&mut self, id: WebhookId, rules: &[Rule]) {
        self.remove(id);
        let rules: Vec<_> = rules.iter().cloned().map(Arc::new).collect();
        for rule in &rules {
            self.on_shelves(rule, |shelf| shelf.put(id, rule));
        }
        self.rules.insert(id, rules);
    }

    /// Takes a webhook's rules away.
    pub fn remove(&mut self, id: WebhookId) {
        let Some(rules) = self.rules.remove(&id) else { return };
        for rule in rules {
            self.on_shelves(&rule, |shelf| shelf.remove(id, &rule));
        }
        self.by_project.retain(|_, shelf| !shelf.is_empty());
        self.by_company.retain(|_, shelf| !shelf.is_empty());
    }

    /// The webhooks that want the event, each once, in the order of their ids.
    pub fn wanting(&self, event: &Event, received_at: Timestamp) -> Vec<WebhookId> {
        let shelves =
            [self.by_project.get(&event.project_id), self.by_company.get(&event.company_id), Some(&self.all)];
        let mut found: Vec<_> = shelves
            .into_iter()
            .flatten()
            .flat_map(|shelf| shelf.for_type(&event.event_type))
            .filter(|(_, rule)| rule.matches(event, received_at))
            .map(|(id, _)| *id)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn on_shelves(&mut self, rule: &Rule, mut act: impl FnMut(&mut Shelf)) {
        match (&rule.projects, &rule.companies) {
            (Some(projects), _) => {
                projects.iter().for_each(|project| act(self.by_project.entry(project.clone()).or_default()));
            }
            (None, Some(companies)) => {
                companies.iter().for_each(|company| act(self.by_company.entry(company.clone()).or_default()));
            }
            (None, None) => act(&mut self.all),
        }
    }
}

impl Shelf {
    fn put(&mut self, id: WebhookId, rule: &Arc<Rule>) {
        match exact_types(rule) {
            Some(types) => {
                for event_type in types {
                    self.by_type.entry(event_type.to_owned()).or_default().push((id, rule.clone()));
                }
            }
            None => self.any_type.push((id, rule.clone())),
        }
    }

    fn remove(&mut self, id: WebhookId, rule: &Rule) {
        match exact_types(rule) {
            Some(types) => {
                for event_type in types {
                    if let Some(filed) = self.by_type.get_mut(event_type) {
                        filed.retain(|(filed_id, _)| *filed_id != id);
                    }
                }
                self.by_type.retain(|_, filed| !filed.is_empty());
            }
            None => self.any_type.retain(|(filed_id, _)| *filed_id != id),
        }
    }

    fn for_type(&self, event_type: &str) -> impl Iterator<Item = &Filed> {
        self.by_type.get(event_type).into_iter().flatten().chain(&self.any_type)
    }

    fn is_empty(&self) -> bool {
        self.by_type.is_empty() && self.any_type.is_empty()
    }
}

/// The rule's event types if it names some and none has a `*`.
fn exact_types(rule: &Rule) -> Option<Vec<&str>> {
    rule.event_types.as_ref()?.iter().map(|pattern| pattern.exact()).collect()
}

#[cfg(test)]
mod tests;
