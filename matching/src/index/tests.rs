use proptest::{prelude::*, sample::select};
use uuid::Uuid;

use super::*;
use crate::{
    event::{JsonEvent, tests::event_with},
    pattern::{
        MOST_STEPS, Pattern, Steps,
        tests::chance::{a_pattern, some_data},
    },
};

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::of(prop::collection::vec(select(words).prop_map(str::to_owned), 1..3))
}

fn types() -> impl Strategy<Value = Option<Vec<crate::event_type::TypePattern>>> {
    some_of(&["a.b", "a.c", "b.b", "a.*", "*.b", "*", "webhook.b", "webhook.*", "w*"])
        .prop_map(|list| list.map(|words| words.iter().map(|word| word.parse().unwrap()).collect()))
}

fn a_rule() -> impl Strategy<Value = Rule> {
    let names = (types(), types(), some_of(&["c1", "c2"]), some_of(&["p1", "p2"]), some_of(&["p1", "p3"]));
    (names, prop::option::weighted(0.6, a_pattern())).prop_map(
        |((event_types, except_event_types, companies, projects, except_projects), pattern)| Rule {
            event_types,
            except_event_types,
            companies,
            projects,
            except_projects,
            pattern,
        },
    )
}

fn an_event() -> impl Strategy<Value = JsonEvent<'static>> {
    let types = select(&["a.b", "a.c", "b.b", "b.c", "webhook.b"][..]);
    let companies = select(&["c1", "c2", ""][..]);
    let projects = select(&["p1", "p2", "p3", ""][..]);
    (types, companies, projects, some_data()).prop_map(|(t, c, p, data)| event_with(t, c, p, &data))
}

/// Rules of one project and type, which differ by their patterns only: enough to fill a long bucket.
fn alike() -> impl Strategy<Value = Rule> {
    a_pattern().prop_map(|pattern| Rule {
        event_types: Some(vec!["a.b".parse().unwrap()]),
        projects: Some(vec!["p1".to_owned()]),
        pattern: Some(pattern),
        ..Rule::default()
    })
}

/// Puts a webhook's rules, or takes them away.
fn a_change(
    rule: impl Strategy<Value = Rule>,
    webhooks: u8,
) -> impl Strategy<Value = (u8, Option<Vec<Rule>>)> {
    (0..webhooks, prop::option::weighted(0.8, prop::collection::vec(rule, 1..3)))
}

/// Asks the index and every rule, after each change.
fn check(changes: Vec<(u8, Option<Vec<Rule>>)>, events: &[JsonEvent<'_>]) -> Result<(), TestCaseError> {
    let index = Index::default();
    let mut plain = std::collections::BTreeMap::new();
    for (number, rules) in changes {
        let id = Uuid::from_u128(number.into());
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
        for event in events {
            let wanting: Vec<_> = plain
                .iter()
                .filter(|(_, rules)| Rule::any_matches(rules, event, &Steps::default()).unwrap())
                .map(|(id, _)| *id)
                .collect();
            prop_assert_eq!(index.wanting(event, MOST_STEPS).unwrap(), wanting);
        }
    }
    for id in plain.keys() {
        index.remove(*id);
    }
    check_empty(&index)
}

/// Nothing is left once all webhooks are gone.
fn check_empty(index: &Index) -> Result<(), TestCaseError> {
    prop_assert!(index.buckets.read(Buckets::is_empty));
    prop_assert!(index.writer().rules.is_empty());
    prop_assert!(index.writer().predicates.is_empty());
    Ok(())
}

#[test]
fn equal_rules_of_a_webhook_come_and_go_together() {
    let webhook = |number: u128| Uuid::from_u128(number);
    let rule = |types: &[&str], n: Option<u128>| Rule {
        event_types: Some(types.iter().map(|name| name.parse().unwrap()).collect()),
        projects: Some(vec!["p1".to_owned()]),
        pattern: n.map(|n| format!(r#"{{"data": {{"n": [{n}]}}}}"#).parse().unwrap()),
        ..Rule::default()
    };
    let event = event_with("a.b", "c1", "p1", &serde_json::json!({ "n": 0 }));
    let wanting = |index: &Index| index.wanting(&event, MOST_STEPS).unwrap();
    for (others, n) in [0, 10, 100].into_iter().flat_map(|others| [(others, None), (others, Some(0))]) {
        let index = Index::default();
        (1..=others).for_each(|number| index.put(webhook(number), &[rule(&["a.b"], Some(number))]));
        let alike = [rule(&["a.b"], n), rule(&["a.*", "a.b"], n), rule(&["a.b", "a.b"], n)];
        index.apply([(webhook(0), &alike[..]), (webhook(0), &alike[..2])]);
        assert_eq!(wanting(&index), [webhook(0)]);
        index.put(webhook(0), &alike[..1]);
        assert_eq!(wanting(&index), [webhook(0)]);
        index.put(webhook(0), &[rule(&["b.b"], n)]);
        assert_eq!(wanting(&index), Vec::<Uuid>::new());
        (0..=others).for_each(|number| index.remove(webhook(number)));
        check_empty(&index).unwrap();
    }
}

/// A rule for one project.
fn rule_of(event_type: &str, pattern: Option<serde_json::Value>) -> Rule {
    Rule {
        event_types: Some(vec![event_type.parse().unwrap()]),
        projects: Some(vec!["p1".to_owned()]),
        pattern: pattern.map(|pattern| pattern.to_string().parse().unwrap()),
        ..Rule::default()
    }
}

#[test]
fn event_type_patterns_that_share_an_end_are_told_apart() {
    let patterns = ["*.done", "todo.*.done", "todo.*", "tod*", "*", "todo.done", "todo.a.done", "*.b.done"];
    let changes = patterns.iter().zip(0..).map(|(pattern, id)| (id, Some(vec![rule_of(pattern, None)])));
    let types = ["todo.done", "todo.a.done", "todo.a.b.done", "todo.a", "tod", "x.done", "x"];
    let events = types.map(|name| event_with(name, "c1", "p1", &serde_json::json!({})));
    check(changes.collect(), &events).unwrap();
}

#[test]
fn every_kind_of_condition_is_found_in_a_large_bucket() {
    use serde_json::json;
    let conditions = [
        (json!("x"), json!("x")),
        (json!(5), json!(5.0)),
        (json!(true), json!(true)),
        (json!(null), json!(null)),
        (json!({"prefix": "ab"}), json!("abc")),
        (json!({"suffix": "yz"}), json!("xyz")),
        (json!({"equals-ignore-case": "mIx"}), json!("MiX")),
        (json!({"prefix": {"equals-ignore-case": "qu"}}), json!("QUiz")),
        (json!({"suffix": {"equals-ignore-case": "end"}}), json!("wEND")),
        (json!({"wildcard": "k*mid*l"}), json!("k-mid-l")),
        (json!({"wildcard": "v*"}), json!("vv")),
        (json!({"wildcard": "*w"}), json!("ww")),
        (json!({"numeric": [">", 10, "<=", 20]}), json!(20)),
        (json!({"numeric": [">", 1000]}), json!(1e9)),
        (json!({"cidr": "10.0.0.0/8"}), json!("10.1.2.3")),
        (json!({"cidr": "2001:db8::/32"}), json!("2001:db8::1")),
        (json!({"exists": true}), json!("anything")),
        (json!({"exists": false}), json!({})),
        (json!({"anything-but": ["no"]}), json!("yes")),
    ];
    let fillers = (0..20).map(|number| json!(format!("filler{number}")));
    let wanted = conditions.iter().map(|(condition, _)| condition.clone()).chain(fillers);
    let rules = wanted.map(|wanted| rule_of("a.b", Some(json!({ "data": { "n": [wanted] } }))));
    let changes = rules.zip(0..).map(|(rule, id)| (id, Some(vec![rule]))).collect();
    let events = conditions.map(|(_, seen)| event_with("a.b", "c1", "p1", &json!({ "n": seen })));
    check(changes, &events).unwrap();
}

proptest! {
    #[test]
    fn the_index_finds_what_asking_every_rule_finds(
        changes in prop::collection::vec(a_change(a_rule(), 6), 1..20),
        events in prop::collection::vec(an_event(), 1..10),
    ) {
        check(changes, &events)?;
    }

    #[test]
    fn a_bucket_of_ranges_finds_what_asking_every_rule_finds(
        ranges in prop::collection::vec((-50i32..50, 0u8..20, 0usize..5), 30..60),
        numbers in prop::collection::vec(-60i32..80, 1..10),
    ) {
        let changes = ranges.iter().zip(0u8..).map(|((low, size, kind), number)| {
            let high = low + i32::from(*size) + 1;
            let numeric = [
                format!("[\">=\", {low}, \"<\", {high}]"),
                format!("[\">\", {low}e-1, \"<=\", {high}.5]"),
                format!("[\"<=\", {low}]"),
                format!("[\">\", {high}]"),
                format!("[\">=\", {low}, \"<=\", {low}.0]"),
            ];
            let pattern = format!("{{\"data\": {{\"n\": [{{\"numeric\": {}}}]}}}}", numeric[*kind]);
            let rule = Rule { pattern: crate::pattern::Pattern::parse(&pattern).ok(), ..Rule::default() };
            (number, Some(vec![rule]))
        });
        let events: Vec<_> =
            numbers.iter().map(|n| event_with("a.b", "c1", "p1", &serde_json::json!({ "n": n }))).collect();
        check(changes.collect(), &events)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_large_bucket_finds_what_asking_every_rule_finds(
        changes in prop::collection::vec(a_change(alike(), 100), 90..120),
        data in prop::collection::vec(some_data(), 1..10),
    ) {
        let events: Vec<_> = data.iter().map(|data| event_with("a.b", "c1", "p1", data)).collect();
        check(changes, &events)?;
    }
}

/// Twenty webhooks of a company name a thousand fields each, and an event has them all.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test bounds how long it takes")]
fn wide_patterns_on_a_wide_event_take_no_square_of_time() {
    let name = |webhook: usize, field: usize| format!("f{webhook:02}_{field:03}");
    let index = Index::default();
    let ids = (0..20).map(|webhook: usize| {
        let rules: Vec<_> = (0..20)
            .map(|rule| {
                let fields =
                    (rule * 50..rule * 50 + 50).map(|field| (name(webhook, field), serde_json::json!([1])));
                let fields: serde_json::Map<_, _> = fields.collect();
                serde_json::json!({ "companies": ["c1"], "pattern": { "data": fields } })
            })
            .collect();
        let rules = serde_json::to_string(&rules).unwrap();
        let id = Uuid::from_u128(webhook as u128);
        index.put(id, &Rule::read_list(&rules, &crate::rule::Limits::default()).unwrap());
        id
    });
    let ids: Vec<_> = ids.collect();
    let names = (0..20).flat_map(|webhook| (0..1000).map(move |field| name(webhook, field)));
    let data: serde_json::Map<_, _> = names.map(|name| (name, serde_json::json!(1))).collect();
    let event = event_with("a.b", "c1", "", &data.into());
    let started = std::time::Instant::now();
    assert_eq!(index.wanting(&event, MOST_STEPS).unwrap(), ids);
    // Some tens of milliseconds unoptimised; seconds if each field looks at every other.
    assert!(started.elapsed() < std::time::Duration::from_secs(1), "{:?}", started.elapsed());
}

/// Webhooks enough for a large bucket, each with fifty prefixes.
fn with_prefixes(webhooks: u128) -> Index {
    let index = Index::default();
    for webhook in 0..webhooks {
        let prefixes: Vec<_> =
            (0..50).map(|n| serde_json::json!({ "prefix": format!("{webhook}-{n}-") })).collect();
        let pattern = serde_json::json!({ "data": { "tags": prefixes } });
        let companies = Some(vec!["c1".to_owned()]);
        let pattern = Pattern::parse(&pattern.to_string()).ok();
        index.put(Uuid::from_u128(webhook), &[Rule { companies, pattern, ..Rule::default() }]);
    }
    index
}

#[test]
fn an_event_that_costs_too_much_finds_nobody_and_says_why() {
    let tags: Vec<_> = (0..10_000).map(|n| format!("x{n}")).collect();
    let wide = event_with("a.b", "c1", "p1", &serde_json::json!({ "tags": tags }));
    for webhooks in [3, 100] {
        let index = with_prefixes(webhooks);
        let told = index.wanting(&wide, 100_000).unwrap_err().to_string();
        assert!(told.contains("\"data.tags\" holds 10000 values"), "{told}");
        // The event of another company, and a small one, are not counted.
        let other = event_with("a.b", "c2", "p1", &serde_json::json!({ "tags": tags }));
        assert_eq!(index.wanting(&other, 0), Ok(Vec::new()));
        let small = event_with("a.b", "c1", "p1", &serde_json::json!({ "tags": ["1-2-x"] }));
        assert_eq!(index.wanting(&small, 0), Ok(vec![Uuid::from_u128(1)]));
    }
}

/// Every value of the list leads to every webhook, and each is asked once all the same.
#[test]
fn what_many_values_find_is_asked_once() {
    let index = Index::default();
    for webhook in 0..100 {
        let pattern = r#"{"data": {"tags": [{"anything-but": "x"}], "done": [{"exists": false}]}}"#;
        let rule = Rule { pattern: Pattern::parse(pattern).ok(), ..Rule::default() };
        index.put(Uuid::from_u128(webhook), &[rule]);
    }
    let tags: Vec<_> = (0..2000).map(|n| n.to_string()).collect();
    for (data, count) in
        [(serde_json::json!({ "tags": tags }), 100), (serde_json::json!({ "tags": tags, "done": true }), 0)]
    {
        let event = event_with("a.b", "c1", "p1", &data);
        // 200,000 times four steps for what is found; asking each time would take as much again.
        let found = index.wanting(&event, 900_000).unwrap();
        assert_eq!(found.len(), count);
    }
}
