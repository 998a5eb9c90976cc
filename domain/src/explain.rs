//! Explain: why a rule matches an event, or does not, clause by clause and in words.

use serde::{Deserialize, Serialize};

use crate::{
    event_type::{RESERVED, TypePattern, is_reserved},
    pattern::{Steps, Unmatchable},
    rule::Rule,
};

mod pattern;
mod verdict;

pub use verdict::{Facts, Verdict};

/// What becomes of one rule and one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whether the rule matches.
    pub matched: bool,
    /// All clauses of the rule but those of its pattern: every one must match.
    pub clauses: Vec<Clause>,
    /// The alternatives of its pattern, more than one if it has `$or`: of one of them every clause must
    /// match. Empty without a pattern.
    pub alternatives: Vec<Vec<Clause>>,
}

/// One thing that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// What it is about: a list of the rule, or the path of a field in the body.
    pub of: String,
    /// What the rule wants, in words.
    pub wanted: String,
    /// What the event has, in words.
    pub seen: String,
    /// Whether they fit.
    pub matched: bool,
}

/// What a rule's lists look at in a body.
#[derive(Debug, Deserialize)]
struct Names {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    company_id: String,
    #[serde(default)]
    project_id: String,
}

impl Explanation {
    /// Explains a rule with the body that webhooks receive of an event.
    ///
    /// # Errors
    /// If the body is not a JSON object, its type, company or project is not a string, or it would take
    /// more steps than are left.
    pub fn of(rule: &Rule, body: &str, steps: &Steps) -> Result<Self, Unmatchable> {
        let names: Names = serde_json::from_str(body)?;
        let clauses = names.clauses(rule);
        let alternatives = match &rule.pattern {
            Some(wanted) => pattern::alternatives(&wanted.tree, body, steps)?,
            None => Vec::new(),
        };
        let all_matched = |clauses: &Vec<Clause>| clauses.iter().all(|clause| clause.matched);
        let matched =
            all_matched(&clauses) && (rule.pattern.is_none() || alternatives.iter().any(all_matched));
        Ok(Self { matched, clauses, alternatives })
    }
}

impl Names {
    fn clauses(&self, rule: &Rule) -> Vec<Clause> {
        let fits = |list: &[TypePattern]| list.iter().any(|pattern| pattern.matches(&self.r#type));
        let names_it = |list: &[TypePattern]| list.iter().any(|pattern| pattern.wants(&self.r#type));
        let names = |list: &[String], id: &str| list.iter().any(|listed| listed == id);
        let types = match &rule.event_types {
            Some(list) => Some(wanted("event_types", list, &self.r#type, names_it(list))),
            None => is_reserved(&self.r#type).then(|| Clause {
                of: "event_types".to_owned(),
                wanted: format!("any that does not begin with \"{RESERVED}\": those must be named"),
                seen: told(&self.r#type),
                matched: false,
            }),
        };
        let except_types = rule
            .except_event_types
            .as_ref()
            .map(|list| unwanted("except_event_types", list, &self.r#type, fits(list)));
        let companies = rule
            .companies
            .as_ref()
            .map(|list| wanted("companies", list, &self.company_id, names(list, &self.company_id)));
        let projects = rule
            .projects
            .as_ref()
            .map(|list| wanted("projects", list, &self.project_id, names(list, &self.project_id)));
        let except_projects = rule
            .except_projects
            .as_ref()
            .map(|list| unwanted("except_projects", list, &self.project_id, names(list, &self.project_id)));
        [types, except_types, companies, projects, except_projects].into_iter().flatten().collect()
    }
}

fn wanted(of: &str, list: &[impl ToString], seen: &str, is_listed: bool) -> Clause {
    Clause { of: of.to_owned(), wanted: joined(list, " or "), seen: told(seen), matched: is_listed }
}

fn unwanted(of: &str, list: &[impl ToString], seen: &str, is_listed: bool) -> Clause {
    let wanted = format!("not {}", joined(list, " and not "));
    Clause { of: of.to_owned(), wanted, seen: told(seen), matched: !is_listed }
}

fn joined(list: &[impl ToString], word: &str) -> String {
    let told: Vec<_> = list.iter().map(|item| format!("{:?}", item.to_string())).collect();
    told.join(word)
}

fn told(seen: &str) -> String {
    if seen.is_empty() { "none".to_owned() } else { format!("{seen:?}") }
}

#[cfg(test)]
mod guide;
#[cfg(test)]
mod tests;
