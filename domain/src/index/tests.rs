use proptest::{prelude::*, sample::select};
use uuid::Uuid;

use super::*;
use crate::event::tests::event;

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::of(prop::collection::vec(select(words).prop_map(str::to_owned), 1..3))
}

fn types() -> impl Strategy<Value = Option<Vec<crate::event_type::TypePattern>>> {
    some_of(&["a.b", "a.c", "b.b", "a.*", "*.b", "*"])
        .prop_map(|list| list.map(|words| words.iter().map(|word| word.parse().unwrap()).collect()))
}

fn a_rule() -> impl Strategy<Value = Rule> {
    (types(), types(), some_of(&["c1", "c2"]), some_of(&["p1", "p2"]), some_of(&["p1", "p3"])).prop_map(
        |(event_types, except_event_types, companies, projects, except_projects)| Rule {
            event_types,
            except_event_types,
            companies,
            projects,
            except_projects,
            pattern: None,
        },
    )
}

fn an_event() -> impl Strategy<Value = Event> {
    let types = select(&["a.b", "a.c", "b.b", "b.c"][..]);
    let companies = select(&["c1", "c2", ""][..]);
    let projects = select(&["p1", "p2", "p3", ""][..]);
    (types, companies, projects).prop_map(|(t, c, p)| event(t, c, p))
}

/// Puts a webhook's rules, or takes them away.
fn a_change() -> impl Strategy<Value = (u8, Option<Vec<Rule>>)> {
    (0u8..6, prop::option::weighted(0.8, prop::collection::vec(a_rule(), 1..3)))
}

proptest! {
    #[test]
    fn the_index_finds_what_asking_every_rule_finds(
        changes in prop::collection::vec(a_change(), 1..20),
        events in prop::collection::vec(an_event(), 1..10),
    ) {
        let mut index = Index::default();
        let mut plain = std::collections::BTreeMap::new();
        for (number, rules) in changes {
            let id = WebhookId(Uuid::from_u128(number.into()));
            match rules {
                Some(rules) => {
                    index.put(id, &rules);
                    plain.insert(id, rules);
                }
                None => {
                    index.remove(id);
                    plain.remove(&id);
                }
            }
        }
        for event in events {
            let wanting: Vec<_> = plain
                .iter()
                .filter(|(_, rules)| rules.iter().any(|rule| rule.matches(&event, Timestamp::UNIX_EPOCH)))
                .map(|(id, _)| *id)
                .collect();
            prop_assert_eq!(index.wanting(&event, Timestamp::UNIX_EPOCH), wanting);
        }
        for id in plain.keys() {
            index.remove(*id);
        }
        prop_assert!(index.rules.is_empty() && index.by_project.is_empty() && index.by_company.is_empty());
        prop_assert!(index.all.is_empty());
    }
}
