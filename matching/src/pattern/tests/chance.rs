//! Patterns and data by chance, from so few words that they often meet.

use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

use crate::pattern::Pattern;

const WORDS: [&str; 8] = ["", "a", "ab", "abc", "bc", "AB", "x*y", "10.1.2.3"];
const NAMES: [&str; 4] = ["a", "b", "c", "b.c"];

fn word() -> impl Strategy<Value = Value> {
    select(&WORDS[..]).prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3i64..4).prop_map(Value::from),
        select(&[0.5, -1.5, 2.0, 1e300, 1e20][..]).prop_map(Value::from)
    ]
}

fn literal() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => word(),
        3 => number(),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn some_words() -> impl Strategy<Value = Value> {
    prop::collection::vec(select(&WORDS[1..]), 1..3).prop_map(|words| json!(words))
}

fn numeric() -> impl Strategy<Value = Value> {
    let one =
        (select(&["=", "<", "<=", ">", ">="][..]), number()).prop_map(|(sign, number)| json!([sign, number]));
    let two = (select(&[">", ">="][..]), -3i64..2, select(&["<", "<="][..]), 1i64..4)
        .prop_map(|(low, from, high, size)| json!([low, from, high, from + size]));
    prop_oneof![one, two]
}

fn wildcard() -> impl Strategy<Value = &'static str> {
    select(&["*", "a*", "*c", "*b*", "a*c", "*a*c", r"x\*y", "ab*", "*bc", "10.*"][..])
}

fn test() -> impl Strategy<Value = Value> {
    let affix = prop_oneof![word(), word().prop_map(|word| json!({ "equals-ignore-case": word }))];
    prop_oneof![
        6 => literal(),
        2 => (select(&["prefix", "suffix"][..]), affix).prop_map(|(name, affix)| json!({ name: affix })),
        2 => numeric().prop_map(|numeric| json!({ "numeric": numeric })),
        2 => wildcard().prop_map(|wildcard| json!({ "wildcard": wildcard })),
        1 => word().prop_map(|word| json!({ "equals-ignore-case": word })),
        1 => any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        1 => select(&["10.0.0.0/8", "10.1.2.0/24", "11.0.0.0/8", "::/0"][..]).prop_map(|cidr| json!({ "cidr": cidr })),
        1 => some_words().prop_map(|words| json!({ "anything-but": words })),
        1 => number().prop_map(|number| json!({ "anything-but": number })),
        1 => (select(&["prefix", "suffix", "equals-ignore-case"][..]), some_words())
            .prop_map(|(name, words)| json!({ "anything-but": { name: words } })),
        1 => wildcard().prop_map(|wildcard| json!({ "anything-but": { "wildcard": wildcard } })),
    ]
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::vec((select(&NAMES[..]), value), 1..3)
        .prop_map(|fields| {
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()
        })
        .prop_map(Value::Object)
}

fn conditions() -> impl Strategy<Value = Value> {
    let tests = prop::collection::vec(test(), 1..3).prop_map(Value::from).boxed();
    tests.prop_recursive(3, 8, 2, |inner| {
        let or = prop::collection::vec(object(inner.clone()), 2..4);
        (object(inner), prop::option::weighted(0.2, or)).prop_map(|(mut object, or)| {
            if let Some(or) = or {
                object["$or"] = or.into();
            }
            object
        })
    })
}

/// A pattern on `data`.
pub(crate) fn a_pattern() -> impl Strategy<Value = Pattern> {
    object(conditions()).prop_filter_map("too many alternatives", |data| {
        Pattern::parse(&json!({ "data": data }).to_string()).ok()
    })
}

/// An object to be an event's data.
pub(crate) fn some_data() -> impl Strategy<Value = Value> {
    let value = literal().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from), object(inner)]
    });
    object(value)
}
