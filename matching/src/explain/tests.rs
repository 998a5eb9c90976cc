use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    pattern::{
        Steps,
        tests::chance::{a_pattern, some_data},
    },
    rule::Limits,
};

fn explained(rule: Value, body: &Value) -> Explanation {
    let rule = Rule::read_list(&json!([rule]).to_string(), &Limits::default()).unwrap().remove(0);
    Explanation::of(&rule, &body.to_string(), &Steps::default()).unwrap()
}

fn clause(of: &str, wanted: &str, seen: &str, matched: bool) -> Clause {
    Clause { of: of.to_owned(), wanted: wanted.to_owned(), seen: seen.to_owned(), matched }
}

#[test]
fn every_clause_says_what_it_wants_and_what_it_sees() {
    let rule = json!({
        "event_types": ["todo.*"], "except_event_types": ["todo.moved"], "projects": ["p1", "p2"],
        "pattern": {"data": {"priority": [{"numeric": [">=", 3]}, "high"], "tags": [{"anything-but": ["x"]}]}}
    });
    let body =
        json!({"type": "todo.created", "project_id": "p3", "data": {"priority": 2, "tags": ["x", "y"]}});
    let explanation = explained(rule, &body);
    assert!(!explanation.matched);
    assert_eq!(
        explanation.clauses,
        [
            clause("event_types", r#""todo.*""#, r#""todo.created""#, true),
            clause("except_event_types", r#"not "todo.moved""#, r#""todo.created""#, true),
            clause("projects", r#""p1" or "p2""#, r#""p3""#, false),
        ]
    );
    assert_eq!(
        explanation.alternatives,
        [[
            clause("data.priority", r#"a number at least 3 or "high""#, "2", false),
            clause("data.tags", r#"a value that is not "x""#, r#""x", "y""#, true),
        ]]
    );
}

#[test]
fn clauses_that_hold_only_in_different_elements_are_told_apart() {
    let rule = json!({"pattern": {"data": {"lines": {"sku": ["a"], "count": [2]}}}});
    let body = json!({"data": {"lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2}]}});
    let explanation = explained(rule, &body);
    assert!(!explanation.matched);
    let told: Vec<_> =
        explanation.alternatives[0].iter().map(|clause| (&*clause.of, clause.matched)).collect();
    assert_eq!(told, [("data.lines.sku", true), ("data.lines.count", true), ("all of these", false)]);
}

#[test]
fn our_own_events_are_wanted_only_by_name() {
    let body = json!({"type": "webhook.disabled", "data": {}});
    assert!(explained(json!({"event_types": ["webhook.*"]}), &body).matched);
    assert!(!explained(json!({"event_types": ["*"]}), &body).matched);
    let explanation = explained(json!({}), &body);
    assert!(!explanation.matched);
    assert_eq!(
        explanation.clauses[0].wanted,
        r#"any that does not begin with "webhook.": those must be named"#
    );
}

#[test]
fn what_is_no_body_is_refused() {
    assert!(Explanation::of(&Rule::default(), "[", &Steps::default()).is_err());
    assert!(Explanation::of(&Rule::default(), r#"{"type": 5}"#, &Steps::default()).is_err());
}

proptest! {
    #[test]
    fn the_explanation_agrees_with_matching(pattern in a_pattern(), data in some_data()) {
        let body = json!({ "data": data });
        let rule = Rule { pattern: Some(pattern.clone()), ..Rule::default() };
        let explanation = Explanation::of(&rule, &body.to_string(), &Steps::default()).unwrap();
        prop_assert_eq!(Ok(explanation.matched), pattern.matches(&body));
        prop_assert_eq!(Ok(pattern.matches_text(&body.to_string()).unwrap()), pattern.matches(&body));
    }
}
