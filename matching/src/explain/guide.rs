//! The examples of docs/filters.md do what the page says.

use serde_json::Value;

use super::Explanation;
use crate::{
    pattern::Steps,
    rule::{Limits, Rule},
};

const PAGE: &str = include_str!("../../../docs/filters.md");

#[test]
fn the_examples_of_the_guide_hold() {
    let examples: Vec<&str> = PAGE.split("```json\n").skip(1).collect();
    assert!(examples.len() >= 12);
    for example in examples {
        let (rule, below) = example.split_once("```").unwrap();
        let rule = Rule::read_list(&format!("[{rule}]"), &Limits::default()).unwrap().remove(0);
        let told = below.split("\n**").next().unwrap().split("\n## ").next().unwrap();
        let mut seen = [false; 2];
        for (start, wanted) in [("Wants: `", true), ("Not: `", false)] {
            for line in told.lines().filter_map(|line| line.strip_prefix(start)) {
                let body = line.trim_end_matches('\\').strip_suffix('`').unwrap();
                serde_json::from_str::<Value>(body).unwrap();
                assert_eq!(
                    Explanation::of(&rule, body, &Steps::default()).unwrap().matched,
                    wanted,
                    "{rule:?} {body}"
                );
                seen[usize::from(wanted)] = true;
            }
        }
        assert_eq!(seen, [true; 2], "{told}");
    }
}
