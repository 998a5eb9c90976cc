//! Reads a pattern and matches an event with it: the input is both, a line each. Whatever they are,
//! nothing panics, and all ways of asking give one answer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use posthorn_matching::{explain::Explanation, pattern::{Limits, Pattern, Steps}, rule::Rule};

fuzz_target!(|input: &str| {
    let (pattern, event) = input.split_once('\n').unwrap_or((input, "{}"));
    let Ok(pattern) = Pattern::parse(pattern) else { return };
    assert_eq!(Pattern::parse_within(pattern.text(), &Limits::HIGHEST).as_ref(), Ok(&pattern));
    let Ok(matched) = pattern.matches_text(event) else { return };
    let rule = Rule { pattern: Some(pattern.clone()), ..Rule::default() };
    if let Ok(explanation) = Explanation::of(&rule, event, &Steps::default()) {
        assert_eq!(explanation.matched, matched);
    }
    if let Ok(event) = serde_json::from_str(event) {
        // Numbers may have been rounded, so the answer may be another.
        let _ = pattern.matches(&event);
    }
});
