use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Each pattern with events that it matches and events that it doesn't.
fn check(pattern: Value, good: &[Value], bad: &[Value]) {
    let pattern = Pattern::parse(&pattern.to_string()).unwrap();
    for event in good {
        assert!(pattern.matches(event).unwrap(), "{} {event}", pattern.text());
        assert!(pattern.matches_text(&event.to_string()).unwrap(), "{} {event}", pattern.text());
    }
    for event in bad {
        assert!(!pattern.matches(event).unwrap(), "{} {event}", pattern.text());
        assert!(!pattern.matches_text(&event.to_string()).unwrap(), "{} {event}", pattern.text());
    }
}

fn a(value: Value) -> Value {
    json!({ "a": value })
}

#[test]
fn values_are_equal_by_kind_and_value() {
    check(
        a(json!([5, "x", true, null])),
        &[a(json!(5)), a(json!(5.0)), a(json!("x")), a(json!(true)), a(json!(null)), a(json!([1, "x"]))],
        &[a(json!("5")), a(json!(6)), a(json!(false)), a(json!({"x": "x"})), a(json!([])), json!({})],
    );
    check(a(json!([{"exactly": "x"}])), &[a(json!("x"))], &[a(json!("X"))]);
    check(a(json!([{"equals-ignore-case": "éX"}])), &[a(json!("ÉX")), a(json!("éx"))], &[a(json!("e"))]);
}

#[test]
fn strings_are_compared_at_their_ends() {
    check(a(json!([{"prefix": "ab"}])), &[a(json!("ab")), a(json!("abc"))], &[a(json!("Abc")), a(json!(5))]);
    check(a(json!([{"suffix": "ab"}])), &[a(json!("ab")), a(json!("cab"))], &[a(json!("abc"))]);
    check(a(json!([{"prefix": {"equals-ignore-case": "aB"}}])), &[a(json!("Abc"))], &[a(json!("cab"))]);
    check(a(json!([{"suffix": {"equals-ignore-case": "aB"}}])), &[a(json!("cAb"))], &[a(json!("abc"))]);
    check(a(json!([{"wildcard": "a*b*"}])), &[a(json!("ab")), a(json!("axxb-"))], &[a(json!("ba"))]);
    check(
        a(json!([{"wildcard": "*ab*ab*"}])),
        &[a(json!("abab")), a(json!("-ab-ab-"))],
        &[a(json!("-ab-")), a(json!("aab"))],
    );
}

#[test]
fn numbers_lie_in_ranges() {
    check(
        a(json!([{"numeric": [">", 0, "<=", 5]}])),
        &[a(json!(5)), a(json!(0.1))],
        &[a(json!(0)), a(json!("1"))],
    );
    check(a(json!([{"numeric": ["=", 3.0]}])), &[a(json!(3))], &[a(json!(3.1))]);
    check(a(json!([{"numeric": ["<", -1]}])), &[a(json!(-1.5))], &[a(json!(-1))]);
    check(a(json!([{"numeric": [">=", 5, "<=", 5]}])), &[a(json!(5))], &[a(json!(5.1))]);
}

#[test]
fn every_digit_counts_in_text() {
    let pattern = Pattern::parse(r#"{"a": [12345678901234567890.25]}"#).unwrap();
    assert!(pattern.matches_text(r#"{"a": 1234567890123456789025e-2}"#).unwrap());
    assert!(!pattern.matches_text(r#"{"a": 12345678901234567890.26}"#).unwrap());
    assert!(!pattern.matches_text(r#"{"a": 1e999999999999999999999}"#).unwrap());
}

#[test]
fn a_range_ends_where_a_rounded_number_does() {
    let pattern = r#"{"a": [{"numeric": [">=", 12345678901234567890.25, "<=", 12345678901234567890.25]}]}"#;
    let pattern = Pattern::parse(pattern).unwrap();
    let rounded: Value = serde_json::from_str(r#"{"a": 12345678901234567890.25}"#).unwrap();
    assert!(pattern.matches(&rounded).unwrap());
    assert!(!pattern.matches_text(r#"{"a": 12345678901234567890.26}"#).unwrap());
}

#[test]
fn what_must_be_absent_chooses_no_element() {
    let pattern = json!({"a": {"b": [{"exists": false}]}});
    let with_c = json!({"a": {"b": [{"exists": false}], "c": [1]}});
    let mixed = json!({"a": [{"c": 1}, {"b": 2}]});
    check(pattern, &[json!({"a": [{"c": 1}, {"c": 2}]}), json!({"a": []})], std::slice::from_ref(&mixed));
    check(with_c, &[mixed], &[json!({"a": [{"b": 1, "c": 1}, {}]})]);
}

#[test]
fn an_object_is_no_value_of_its_name() {
    let pattern = json!({"a": [{"exists": false}], "a.b": ["x"]});
    check(pattern, &[json!({"a": {"b": "x"}})], &[json!({"a": {"b": "y"}}), json!({"a": 1})]);
}

#[test]
fn networks_hold_addresses_of_their_own_kind() {
    check(
        a(json!([{"cidr": "10.0.0.0/8"}, {"cidr": "2001:db8::/32"}])),
        &[a(json!("10.255.0.1")), a(json!("2001:db8:1::5"))],
        &[a(json!("11.0.0.1")), a(json!("2001:db9::")), a(json!("10.0.0")), a(json!("::ffff:10.0.0.1"))],
    );
}

#[test]
fn anything_but_wants_a_value_that_is_not_listed() {
    let other = [a(json!("z")), a(json!(7)), a(json!(null)), a(json!(["x", "z"]))];
    check(
        a(json!([{"anything-but": ["x", "y"]}])),
        &other,
        &[a(json!("x")), a(json!(["x", "y"])), json!({})],
    );
    check(a(json!([{"anything-but": 5}])), &[a(json!("5")), a(json!(6))], &[a(json!(5.0))]);
    check(
        a(json!([{"anything-but": {"prefix": ["x", "y"]}}])),
        &[a(json!("zx")), a(json!(1))],
        &[a(json!("xa"))],
    );
    check(a(json!([{"anything-but": {"suffix": "x"}}])), &[a(json!("xz"))], &[a(json!("zx"))]);
    check(a(json!([{"anything-but": {"equals-ignore-case": "x"}}])), &[a(json!("y"))], &[a(json!("X"))]);
    check(a(json!([{"anything-but": {"wildcard": "a*c"}}])), &[a(json!("ab"))], &[a(json!("abc"))]);
}

#[test]
fn only_values_exist() {
    let valueless = [json!({}), a(json!({})), a(json!([])), a(json!({"b": 1})), a(json!([{"b": 1}]))];
    check(a(json!([{"exists": true}])), &[a(json!(null)), a(json!(0)), a(json!([[1]]))], &valueless);
    check(a(json!([{"exists": false}])), &valueless, &[a(json!(null)), a(json!([1]))]);
    check(a(json!([{"exists": false}, "x"])), &[json!({}), a(json!("x"))], &[a(json!("y"))]);
}

#[test]
fn one_element_of_an_array_must_fit_as_a_whole() {
    let lines = |value: Value| json!({ "lines": value });
    check(
        lines(json!({"sku": ["a"], "count": [2]})),
        &[
            lines(json!([{"sku": "b", "count": 2}, {"sku": "a", "count": 2}])),
            lines(json!({"sku": "a", "count": 2})),
        ],
        &[lines(json!([{"sku": "a", "count": 1}, {"sku": "b", "count": 2}]))],
    );
    check(
        lines(json!({"sku": ["a"], "note": [{"exists": false}]})),
        &[lines(json!([{"sku": "b", "note": "n"}, {"sku": "a"}]))],
        &[lines(json!([{"sku": "a", "note": "n"}, {"sku": "b"}]))],
    );
    let absent = lines(json!({"note": [{"exists": false}]}));
    check(absent, &[lines(json!([{"sku": "a"}])), json!({})], &[lines(json!([{"sku": "a"}, {"note": "n"}]))]);
}

#[test]
fn alternatives_go_with_what_stands_around_them() {
    let pattern = json!({"x": [1], "$or": [{"y": [2]}, {"d": {"z": [3]}, "w": [4]}]});
    check(
        pattern,
        &[json!({"x": 1, "y": 2}), json!({"x": 1, "d": {"z": 3}, "w": 4})],
        &[json!({"x": 1}), json!({"y": 2}), json!({"x": 1, "w": 4})],
    );
    let consistent = json!({"d": {"x": [1]}, "$or": [{"d": {"y": [2]}}, {"d": {"y": [3]}}]});
    check(consistent, &[json!({"d": [{"x": 1, "y": 3}]})], &[json!({"d": [{"x": 1}, {"y": 3}]})]);
    for replaced in [
        json!({"x": [1], "$or": [{"x": [2]}, {"y": [3]}]}),
        json!({"$or": [{"x": [2]}, {"y": [3]}], "x": [1]}),
    ] {
        check(replaced, &[json!({"x": 2}), json!({"x": 1, "y": 3})], &[json!({"x": 1})]);
    }
}

#[test]
fn a_pattern_writes_what_it_read() {
    let text = r#"{"data":{"n":[12345678901234567890123.5]}}"#;
    let pattern = Pattern::parse(text).unwrap();
    assert_eq!(serde_json::to_string(&pattern).unwrap(), text);
    assert_eq!(serde_json::from_str::<Pattern>(text).unwrap(), pattern);
}

proptest! {
    #[test]
    fn no_text_makes_reading_or_matching_panic(pattern in "[{}\\[\\]\":,a$or*\\\\1e.-]{0,60}", event in ".{0,40}") {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            let _ = pattern.matches_text(&event);
        }
    }
}
