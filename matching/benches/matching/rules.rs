//! Rules by chance: 70 % with one condition on the data, 15 % with a `*` in their type, 10 % for a whole
//! company, 5 % for all types.

use posthorn_matching::{pattern::Pattern, rule::Rule};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

const THINGS: [&str; 5] = ["todo", "comment", "invoice", "project", "document"];
const VERBS: [&str; 4] = ["created", "updated", "deleted", "archived"];
const STATES: [&str; 4] = ["open", "done", "late", "paid"];

/// The kinds of condition that lie in one place by the hundred thousand.
pub(crate) const KINDS: [&str; 5] = ["equals", "prefix", "suffix", "numeric", "wildcard"];

/// The companies and projects that rules and events name.
pub(crate) struct World {
    projects: u32,
}

/// The same for every run.
pub(crate) fn chance() -> SmallRng {
    SmallRng::seed_from_u64(7)
}

fn one_of<'w>(words: &[&'w str], chance: &mut SmallRng) -> &'w str {
    words[chance.random_range(0..words.len())]
}

pub(crate) fn event_type(chance: &mut SmallRng) -> String {
    format!("{}.{}", one_of(&THINGS, chance), one_of(&VERBS, chance))
}

pub(crate) fn state(chance: &mut SmallRng) -> &'static str {
    one_of(&STATES, chance)
}

impl World {
    /// So many projects that about seven of `rules` rules match an event.
    pub(crate) fn of(rules: usize) -> Self {
        Self { projects: u32::try_from(rules / 50).expect("not so many rules").max(1) }
    }

    /// A project and its company, of which each has ten projects.
    pub(crate) fn project(&self, chance: &mut SmallRng) -> (String, String) {
        let project = chance.random_range(0..self.projects);
        (format!("prj_{project}"), format!("cmp_{}", project / 10))
    }

    /// `number` is the rule's own if its pattern shall be no other's: a value that no event has stands
    /// in it then.
    pub(crate) fn mixed_rule(&self, chance: &mut SmallRng, number: Option<usize>) -> Rule {
        let (project, company) = self.project(chance);
        let (project, company) = (Some(vec![project]), Some(vec![company]));
        let types = |text: &str| Some(vec![text.parse().expect("an event type")]);
        let exact = event_type(chance);
        match chance.random_range(0..100) {
            0..70 => Rule {
                event_types: types(&exact),
                projects: project,
                pattern: Some(condition(chance, number)),
                ..Rule::default()
            },
            70..85 => {
                let wildcard = match chance.random_bool(0.5) {
                    true => format!("{}.*", one_of(&THINGS, chance)),
                    false => format!("*.{}", one_of(&VERBS, chance)),
                };
                Rule { event_types: types(&wildcard), projects: project, ..Rule::default() }
            }
            85..95 => Rule { event_types: types(&exact), companies: company, ..Rule::default() },
            _ => Rule { projects: project, ..Rule::default() },
        }
    }
}

fn condition(chance: &mut SmallRng, number: Option<usize>) -> Pattern {
    let own = number.map_or(String::new(), |number| format!(r#", "rule {number}""#));
    let on = match chance.random_range(0..5) {
        0 => format!(r#""state": ["{}"{own}]"#, state(chance)),
        1 => format!(r#""priority": [{{"numeric": [">=", {}]}}{own}]"#, chance.random_range(1..10)),
        2 => format!(r#""title": [{{"prefix": "Task {}"}}{own}]"#, chance.random_range(0..10)),
        3 => format!(r#""owner": {{"id": ["usr_{}"{own}]}}"#, chance.random_range(0..20)),
        _ => format!(r#""tags": [{{"wildcard": "*{}*"}}{own}]"#, state(chance)),
    };
    parsed(&format!(r#"{{"data": {{{on}}}}}"#))
}

/// Rule number `number` of one project and type, with a condition that no other has.
pub(crate) fn in_one_place(kind: &str, number: usize) -> Rule {
    let test = match kind {
        "equals" => format!(r#""value {number:06}""#),
        "prefix" => format!(r#"{{"prefix": "{number:06} is"}}"#),
        "suffix" => format!(r#"{{"suffix": "is {number:06}"}}"#),
        "numeric" => format!(r#"{{"numeric": [">=", {number}, "<", {}]}}"#, number + 3),
        _ => format!(r#"{{"wildcard": "*<{number:06}>*"}}"#),
    };
    Rule {
        event_types: Some(vec!["todo.created".parse().expect("an event type")]),
        projects: Some(vec!["prj_1".to_owned()]),
        pattern: Some(parsed(&format!(r#"{{"data": {{"value": [{test}]}}}}"#))),
        ..Rule::default()
    }
}

fn parsed(pattern: &str) -> Pattern {
    Pattern::parse(pattern).expect("a good pattern")
}
