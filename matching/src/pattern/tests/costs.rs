//! What matching costs, in steps.

use serde_json::json;

use super::*;

/// Matches `{"data": {"list": …}}` and tells the answer and the steps.
fn asked(tests: &Value, list: &Value, most: u64) -> (Result<bool, TooCostly>, u64) {
    let pattern = Pattern::parse(&json!({ "data": { "list": tests } }).to_string()).unwrap();
    let body = json!({ "data": { "list": list } }).to_string();
    let steps = Steps::new(most);
    let answer = pattern.matches_part(&Part::read(&body, &pattern.paths()), &steps);
    (answer, steps.spent())
}

/// Fifty tests of a kind, of which none holds for the texts and numbers below.
fn fifty(test: impl Fn(usize) -> Value) -> Value {
    (0..50).map(test).collect()
}

fn thousand(item: impl Fn(usize) -> Value) -> Value {
    (0..1000).map(item).collect()
}

#[test]
fn each_test_of_each_value_is_counted_and_the_budget_is_never_overdrawn() {
    let texts = thousand(|number| json!(format!("text {number}")));
    let numbers = thousand(|number| json!(number));
    for (tests, list) in [
        (fifty(|n| json!({ "prefix": format!("p{n}") })), &texts),
        (fifty(|n| json!({ "suffix": format!("s{n}") })), &texts),
        (fifty(|n| json!({ "wildcard": format!("*w{n}*") })), &texts),
        (fifty(|n| json!({ "equals-ignore-case": format!("E{n}") })), &texts),
        (fifty(|n| json!({ "cidr": format!("10.0.{n}.0/24") })), &texts),
        (fifty(|n| json!({ "numeric": ["<", -1 - n as i64] })), &numbers),
        (fifty(|n| json!(-1 - n as i64)), &numbers),
    ] {
        let (answer, spent) = asked(&tests, list, u64::MAX);
        assert_eq!(answer, Ok(false), "{tests}");
        assert!(spent >= 50_000, "{spent} steps for {tests}");
        let (answer, spent) = asked(&tests, list, 10_000);
        let told = answer.expect_err("it takes more").to_string();
        assert!(told.contains("10000 steps") && told.contains("\"data.list\" holds 1000 values"), "{told}");
        assert!(spent <= 10_000);
    }
    let objects = thousand(|number| json!({ "a": number, "b": [number, { "c": "x" }] }));
    let fields = json!({ "a": [-1], "b": { "c": [{ "prefix": "y" }], "d": [{ "exists": false }] } });
    let (answer, spent) = asked(&fields, &objects, u64::MAX);
    assert!(answer == Ok(false) && spent >= 2000, "{spent} steps");
    assert!(asked(&fields, &objects, 500).0.is_err());
}

#[test]
fn long_texts_cost_what_reading_them_costs() {
    let long = json!("x".repeat(100_000));
    for test in [json!({ "wildcard": "*y*" }), json!({ "equals-ignore-case": "Y" })] {
        let (answer, spent) = asked(&json!([test]), &long, u64::MAX);
        assert!(answer == Ok(false) && spent >= 10_000, "{spent} steps for {test}");
        let told = asked(&json!([test]), &long, 1000).0.expect_err("it takes more").to_string();
        assert!(told.contains("\"data.list\" holds a long text"), "{told}");
    }
    let capitals = json!("Ä".repeat(1000));
    let (_, spent) = asked(&json!([{ "equals-ignore-case": "Y" }]), &capitals, u64::MAX);
    assert!(spent >= 8000, "folding takes longer than reading: {spent} steps");
    let (_, spent) = asked(&json!([{ "prefix": "y" }]), &long, u64::MAX);
    assert!(spent < 100, "a prefix does not read it: {spent} steps");
}

#[test]
fn names_in_a_long_list_take_no_product() {
    let texts = thousand(|number| json!(format!("text {number}")));
    let (answer, spent) = asked(&fifty(|n| json!(format!("name {n}"))), &texts, u64::MAX);
    assert!(answer == Ok(false) && spent < 10_000, "{spent} steps");
}

#[test]
fn an_explanation_takes_no_more_than_it_may() {
    let pattern = json!({ "data": { "list": fifty(|n| json!({ "prefix": format!("p{n}") })) } });
    let rule = crate::rule::Rule { pattern: Pattern::parse(&pattern.to_string()).ok(), ..Default::default() };
    let body = json!({ "data": { "list": thousand(|number| json!(format!("text {number}"))) } }).to_string();
    let explained = |most| crate::explain::Explanation::of(&rule, &body, &Steps::new(most));
    assert!(!explained(1_000_000).unwrap().matched);
    assert!(matches!(explained(10_000), Err(Unmatchable::TooCostly(_))));
}
