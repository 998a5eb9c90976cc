use super::*;

fn refused(pattern: &str) -> Vec<(String, &'static str)> {
    let mut found: Vec<_> = Pattern::parse(pattern)
        .unwrap_err()
        .into_iter()
        .map(|problem| {
            assert!(!problem.message.is_empty());
            (problem.pointer, problem.code)
        })
        .collect();
    found.sort_unstable();
    found
}

fn only(pattern: &str) -> (String, &'static str) {
    let mut found = refused(pattern);
    assert_eq!(found.len(), 1, "{pattern}: {found:?}");
    found.remove(0)
}

#[test]
fn every_problem_has_its_place_its_code_and_its_value() {
    for (pattern, pointer, code) in [
        ("{", "", "not_json"),
        ("[1]", "", "not_an_object"),
        ("{}", "", "empty_object"),
        (r#"{"a": {}}"#, "/a", "empty_object"),
        (r#"{"a": 5}"#, "/a", "wrong_type"),
        (r#"{"a/b": [[1]]}"#, "/a~1b/0", "wrong_type"),
        (r#"{"a": []}"#, "/a", "empty_list"),
        (r#"{"a": [{"like": "x"}]}"#, "/a/0/like", "unknown_operator"),
        (r#"{"a": [{}]}"#, "/a/0", "unknown_operator"),
        (r#"{"a": [{"prefix": "x", "suffix": "y"}]}"#, "/a/0", "several_operators"),
        (r#"{"a": [{"prefix": 5}]}"#, "/a/0/prefix", "wrong_type"),
        (r#"{"a": [{"numeric": ["<", 1, ">", 0]}]}"#, "/a/0/numeric", "bad_numeric"),
        (r#"{"a": [{"numeric": ["=", "1"]}]}"#, "/a/0/numeric/1", "bad_numeric"),
        (r#"{"a": [{"numeric": [">", 1, "<", 1]}]}"#, "/a/0/numeric", "empty_range"),
        (r#"{"a": [1e309]}"#, "/a/0", "number_out_of_range"),
        (r#"{"a": [{"exists": "true"}]}"#, "/a/0/exists", "wrong_type"),
        (r#"{"a": [{"wildcard": "a**"}]}"#, "/a/0/wildcard", "bad_wildcard"),
        (r#"{"a": [{"wildcard": "*a*a*a*a*a*"}]}"#, "/a/0/wildcard", "too_many_stars"),
        (r#"{"a": [{"cidr": "10.0.0.0/40"}]}"#, "/a/0/cidr", "bad_cidr"),
        (r#"{"a": [{"anything-but": []}]}"#, "/a/0/anything-but", "empty_list"),
        (r#"{"a": [{"anything-but": [1, "x"]}]}"#, "/a/0/anything-but", "mixed_list"),
        (r#"{"a": [{"anything-but": true}]}"#, "/a/0/anything-but", "wrong_type"),
        (r#"{"a": [{"anything-but": {"prefix": ["x", ""]}}]}"#, "/a/0/anything-but/prefix/1", "wrong_type"),
        (r#"{"$or": [{"a": [1]}]}"#, "/$or", "bad_or"),
        (r#"{"$or": {"a": [1]}}"#, "/$or", "bad_or"),
        (r#"{"$or": [{"a": [1]}, 5]}"#, "/$or/1", "bad_or"),
    ] {
        assert_eq!(only(pattern), (pointer.to_owned(), code), "{pattern}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let pattern = r#"{"a": 1, "b": {"c": [{"like": 1}, {"prefix": 2}]}, "$or": [{"d": []}, {"e": {}}]}"#;
    let places: Vec<_> = refused(pattern).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(places, ["/$or/0/d", "/$or/1/e", "/a", "/b/c/0/like", "/b/c/1/prefix"]);
}

#[test]
fn a_problem_repeats_the_value_and_says_how_to_mend_it() {
    let problem = Pattern::parse(r#"{"data": {"state": "open"}}"#).unwrap_err().remove(0);
    assert_eq!(problem.value, "\"open\"");
    assert_eq!(
        problem.to_string(),
        r#"/data/state: a field's values stand in a list: write ["open"]; found "open""#
    );
    let whole = Pattern::parse("[1]\n").unwrap_err().remove(0).to_string();
    assert_eq!(whole, r#"a pattern is an object such as {"data": {"priority": [1, 2]}}; found [1]"#);
    let long = format!("{{\"a\": \"{}\"}}", "ü".repeat(100));
    assert_eq!(Pattern::parse(&long).unwrap_err()[0].value, format!("\"{}…", "ü".repeat(79)));
}

#[test]
fn limits_are_kept() {
    let fields = |count: usize| {
        let fields: Vec<_> = (0..count).map(|number| format!("\"f{number}\": [1]")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let deep = |depth: usize| format!("{}[1]{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let values = |count: usize| format!("{{\"a\": [{}]}}", vec!["1"; count].join(","));
    let kept_out =
        |count: usize| format!("{{\"a\": [{{\"anything-but\": [{}]}}]}}", vec!["1"; count].join(","));
    let or = |count: usize| {
        let two = |name: usize| format!("\"f{name}\": {{\"$or\": [{{\"a\": [1]}}, {{\"b\": [1]}}]}}");
        format!("{{{}}}", (0..count).map(two).collect::<Vec<_>>().join(","))
    };
    let long = |size: usize| format!("{{\"a\": [\"{}\"]}}", "x".repeat(size - 11));
    for (good, bad, code) in [
        (fields(50), fields(51), "too_many_fields"),
        (deep(10), deep(11), "too_deep"),
        (values(100), values(101), "too_many_values"),
        (kept_out(100), kept_out(101), "too_many_values"),
        (or(6), or(7), "too_many_branches"),
        (long(16 << 10), long((16 << 10) + 1), "too_long"),
    ] {
        assert!(Pattern::parse(&good).is_ok(), "{code}");
        assert_eq!(only(&bad).1, code);
    }
    assert!(refused(&deep(2500)).iter().any(|(_, code)| *code == "too_deep"));
    assert!(refused(&format!("{{\"$or\":[{}", "{\"$or\":[".repeat(1500))).len() == 1);
}

#[test]
fn limits_can_be_changed() {
    let limits = Limits { depth: 1, ..Limits::default() };
    assert!(Pattern::parse_within(r#"{"a": [1]}"#, &limits).is_ok());
    assert_eq!(Pattern::parse_within(r#"{"a": {"b": [1]}}"#, &limits).unwrap_err()[0].code, "too_deep");
}
