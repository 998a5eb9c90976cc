//! Explain: why a rule matches an event, or does not, clause by clause and in words.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, JsonEvent, Names},
    event_type::{RESERVED, TypePattern, is_reserved},
    pattern::{Steps, Unmatchable},
    rule::Rule,
};

mod clause;
mod pattern;

pub use clause::Clause;

/// How one rule and one event compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whether the rule matches.
    pub matched: bool,
    /// The clauses of the rule's lists: all must match.
    pub clauses: Vec<Clause>,
    /// The alternatives of its pattern, more than one if it has `$or`: all clauses of at least one must match.
    /// Empty without a pattern.
    pub alternatives: Vec<Vec<Clause>>,
}

impl Explanation {
    /// Explains a rule with the body that webhooks receive of an event.
    ///
    /// # Errors
    /// If the body is not a JSON object, its type, company or project is not a string, or it would take
    /// more steps than are left.
    pub fn of(rule: &Rule, body: &str, steps: &Steps) -> Result<Self, Unmatchable> {
        let event = JsonEvent::read(body)?;
        let clauses = clauses(rule, event.names());
        let alternatives = match &rule.pattern {
            Some(wanted) => pattern::alternatives(&wanted.tree, &event, steps)?,
            None => Vec::new(),
        };
        let all_matched = |clauses: &Vec<Clause>| clauses.iter().all(|clause| clause.matched);
        let matched =
            all_matched(&clauses) && (rule.pattern.is_none() || alternatives.iter().any(all_matched));
        Ok(Self { matched, clauses, alternatives })
    }
}

fn clauses(rule: &Rule, names: Names<'_>) -> Vec<Clause> {
    let Names { event_type, company_id, project_id } = names;
    let matches = |list: &[TypePattern]| list.iter().any(|pattern| pattern.matches(event_type));
    let wants = |list: &[TypePattern]| list.iter().any(|pattern| pattern.wants(event_type));
    let names = |list: &[String], id: &str| list.iter().any(|listed| listed == id);
    let types = match &rule.event_types {
        Some(list) => Some(wanted("event_types", list, event_type, wants(list))),
        None => is_reserved(event_type).then(|| reserved(event_type)),
    };
    let except_types = rule.except_event_types.as_ref();
    let except_types =
        except_types.map(|list| unwanted("except_event_types", list, event_type, matches(list)));
    let companies = rule.companies.as_ref();
    let companies = companies.map(|list| wanted("companies", list, company_id, names(list, company_id)));
    let projects = rule.projects.as_ref();
    let projects = projects.map(|list| wanted("projects", list, project_id, names(list, project_id)));
    let except_projects = rule.except_projects.as_ref();
    let except_projects =
        except_projects.map(|list| unwanted("except_projects", list, project_id, names(list, project_id)));
    [types, except_types, companies, projects, except_projects].into_iter().flatten().collect()
}

/// A rule without event types does not want the reserved ones.
fn reserved(event_type: &str) -> Clause {
    Clause {
        of: "event_types".to_owned(),
        wanted: format!("any that does not begin with \"{RESERVED}\": those must be named"),
        seen: quoted(event_type),
        matched: false,
    }
}

fn wanted(of: &str, list: &[impl ToString], seen: &str, is_listed: bool) -> Clause {
    Clause { of: of.to_owned(), wanted: joined(list, " or "), seen: quoted(seen), matched: is_listed }
}

fn unwanted(of: &str, list: &[impl ToString], seen: &str, is_listed: bool) -> Clause {
    let wanted = format!("not {}", joined(list, " and not "));
    Clause { of: of.to_owned(), wanted, seen: quoted(seen), matched: !is_listed }
}

fn joined(list: &[impl ToString], word: &str) -> String {
    let quoted: Vec<_> = list.iter().map(|item| format!("{:?}", item.to_string())).collect();
    quoted.join(word)
}

fn quoted(seen: &str) -> String {
    if seen.is_empty() { "none".to_owned() } else { format!("{seen:?}") }
}

#[cfg(test)]
mod guide;
#[cfg(test)]
mod tests;
