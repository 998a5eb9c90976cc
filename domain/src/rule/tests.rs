use serde_json::json;

use super::*;
use crate::event::tests::event;

fn rule(value: Value) -> Rule {
    Rule::read_list(&json!([value])).unwrap().remove(0)
}

#[test]
fn a_missing_list_means_all() {
    let all = rule(json!({}));
    assert!(all.matches(&event("todo.created", "c1", "p1")));
    assert!(all.matches(&event("todo.created", "", "")));
}

#[test]
fn every_list_must_agree_and_exceptions_take_away() {
    let rule = rule(json!({
        "event_types": ["todo.*", "comment.created"],
        "except_event_types": ["todo.moved"],
        "companies": ["c1", "c2"],
        "projects": ["p1", "p2"],
        "except_projects": ["p2"]
    }));
    assert!(rule.matches(&event("todo.created", "c1", "p1")));
    assert!(rule.matches(&event("comment.created", "c2", "p1")));
    assert!(!rule.matches(&event("comment.deleted", "c1", "p1")));
    assert!(!rule.matches(&event("todo.moved", "c1", "p1")));
    assert!(!rule.matches(&event("todo.created", "c3", "p1")));
    assert!(!rule.matches(&event("todo.created", "c1", "p2")));
    assert!(!rule.matches(&event("todo.created", "c1", "")));
}

#[test]
fn all_problems_are_told_at_once_each_with_its_place() {
    let problems = Rule::read_list(&json!([
        {"event_types": [], "companies": ["", 5], "pattern/x": {}},
        7,
        {"projects": "p1", "event_types": ["to do"]}
    ]))
    .unwrap_err();
    let mut found: Vec<_> = problems.iter().map(|p| (p.pointer.as_str(), p.code)).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("/0/companies/0", "empty_id"),
            ("/0/companies/1", "wrong_type"),
            ("/0/event_types", "empty_list"),
            ("/0/pattern~1x", "unknown_field"),
            ("/1", "wrong_type"),
            ("/2/event_types/0", "bad_event_type"),
            ("/2/projects", "wrong_type"),
        ]
    );
    assert_eq!(Rule::read_list(&json!([])).unwrap_err()[0].code, "empty_list");
    assert_eq!(Rule::read_list(&json!({})).unwrap_err()[0].code, "wrong_type");
    assert_eq!(Rule::read_list(&json!(vec![json!({}); 21])).unwrap_err()[0].code, "too_many");
}

#[test]
fn a_rule_reads_back_what_it_writes() {
    let written = json!({"event_types": ["todo.*"], "except_projects": ["p1"]});
    assert_eq!(serde_json::to_value(rule(written.clone())).unwrap(), written);
}
