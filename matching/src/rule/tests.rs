use serde_json::{Value, json};

use super::*;
use crate::{
    event::{
        JsonEvent,
        tests::{event, event_with},
    },
    problem::Problem,
};

fn read(rules: &Value) -> Result<Vec<Rule>, Vec<Problem>> {
    Rule::read_list(&rules.to_string(), &Limits::default())
}

fn rule(value: Value) -> Rule {
    read(&json!([value])).unwrap().remove(0)
}

fn matches(rule: &Rule, event: &JsonEvent<'_>) -> bool {
    rule.matches(event, &Steps::default()).unwrap()
}

#[test]
fn a_missing_list_means_all() {
    let all = rule(json!({}));
    assert!(matches(&all, &event("todo.created", "c1", "p1")));
    assert!(matches(&all, &event("todo.created", "", "")));
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
    assert!(matches(&rule, &event("todo.created", "c1", "p1")));
    assert!(matches(&rule, &event("comment.created", "c2", "p1")));
    assert!(!matches(&rule, &event("comment.deleted", "c1", "p1")));
    assert!(!matches(&rule, &event("todo.moved", "c1", "p1")));
    assert!(!matches(&rule, &event("todo.created", "c3", "p1")));
    assert!(!matches(&rule, &event("todo.created", "c1", "p2")));
    assert!(!matches(&rule, &event("todo.created", "c1", "")));
}

#[test]
fn all_problems_are_told_at_once_each_with_its_place() {
    let problems = read(&json!([
        {"event_types": [], "companies": ["", 5], "pattern/x": {}, "pattern": {"a": 1, "b": []}},
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
            ("/0/pattern/a", "wrong_type"),
            ("/0/pattern/b", "empty_list"),
            ("/0/pattern~1x", "unknown_field"),
            ("/1", "wrong_type"),
            ("/2/event_types/0", "bad_event_type"),
            ("/2/projects", "wrong_type"),
        ]
    );
    assert_eq!(read(&json!([])).unwrap_err()[0].code, "empty_list");
    assert_eq!(read(&json!({})).unwrap_err()[0].code, "wrong_type");
    assert_eq!(Rule::read_list("[{}", &Limits::default()).unwrap_err()[0].code, "not_json");
    assert_eq!(read(&json!(vec![json!({}); 21])).unwrap_err()[0].code, "too_many");
}

#[test]
fn a_rule_reads_back_what_it_writes() {
    let written = json!({"event_types": ["todo.*"], "except_projects": ["p1"], "pattern": {"a": [1.5]}});
    assert_eq!(serde_json::to_value(rule(written.clone())).unwrap(), written);
}

#[test]
fn a_pattern_sees_the_body() {
    let wanted =
        rule(json!({"event_types": ["todo.*"], "pattern": {"data": {"title": ["Pay"], "n": [1.1]}}}));
    let data = json!({"title": "Pay", "n": 1.10});
    assert!(matches(&wanted, &event_with("todo.created", "c1", "p1", &data)));
    assert!(!matches(&wanted, &event_with("comment.created", "c1", "p1", &data)));
    let other = rule(json!({"pattern": {"data": {"title": ["pay"]}, "company_id": ["c1"]}}));
    assert!(!matches(&other, &event_with("todo.created", "c1", "p1", &data)));
}

#[test]
fn a_rule_is_within_companies_only_if_it_names_none_but_those() {
    let within = |json: &str| {
        let rules = Rule::read_list(json, &Limits::default()).unwrap();
        rules[0].is_within(&["c1".to_owned(), "c2".to_owned()])
    };
    assert!(within(r#"[{"companies": ["c1"]}]"#));
    assert!(within(r#"[{"companies": ["c2", "c1"]}]"#));
    assert!(!within(r#"[{"companies": ["c1", "c3"]}]"#));
    assert!(!within("[{}]"));
}

#[test]
fn what_the_patterns_of_a_webhook_compare_is_bounded_however_it_is_spread() {
    let values: Vec<_> = (0..100).collect();
    let fields: serde_json::Map<_, _> = (0..10).map(|at| (format!("f{at}"), json!(values))).collect();
    let rule = json!({"pattern": {"data": fields}});
    assert!(read(&json!([rule, rule])).is_ok());
    let problems = read(&json!([rule, rule, {"pattern": {"data": {"a": [1]}}}])).unwrap_err();
    assert_eq!((problems[0].pointer.as_str(), problems[0].code), ("", "too_many_tests"));
    let or = json!({"pattern": {"data": {"a": values, "b": values, "$or": [{"c": [1]}, {"d": [2]}]}}});
    assert_eq!(Rule::read_list(&json!([or]).to_string(), &Limits::default()).unwrap()[0].tests(), 402);
}

#[test]
fn texts_that_cannot_be_kept_are_told_with_their_place() {
    let problems = |json: &str| {
        let problems = Rule::read_list(json, &Limits::default()).unwrap_err();
        let mut places: Vec<_> = problems.into_iter().map(|it| (it.pointer, it.code)).collect();
        places.sort_unstable();
        places
    };
    let bad = |pointer: &str| (pointer.to_owned(), "bad_text");
    assert_eq!(problems(r#"[{"companies": ["a\u0000"]}]"#), [bad("/0/companies/0")]);
    assert_eq!(
        problems(r#"[{"pattern": {"a": ["\ud800", "\u0000"]}}]"#),
        [bad("/0/pattern/a/0"), bad("/0/pattern/a/1")]
    );
    assert_eq!(problems(r#"[{"pattern": {"a\u0000": [1]}}]"#), [bad("/0/pattern/a\0")]);
    assert!(Rule::read_list(r#"[{"companies": ["C:\\u0000"]}]"#, &Limits::default()).is_ok());
}

#[test]
fn the_company_of_a_webhook_is_the_one_that_all_its_rules_name() {
    let only = |rules: serde_json::Value| {
        let rules = Rule::read_list(&rules.to_string(), &Limits::default()).unwrap();
        Rule::only_company(&rules).map(str::to_owned)
    };
    assert_eq!(only(json!([{"companies": ["c1"]}, {"companies": ["c1", "c1"]}])).as_deref(), Some("c1"));
    assert_eq!(only(json!([{"companies": ["c1"]}, {"companies": ["c2"]}])), None);
    assert_eq!(only(json!([{"companies": ["c1", "c2"]}])), None);
    assert_eq!(only(json!([{"companies": ["c1"]}, {}])), None);
    assert_eq!(only(json!([{"projects": ["p"]}])), None);
    assert_eq!(Rule::only_company(&[]), None);
}
