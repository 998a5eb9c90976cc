//! Many patterns and events, a line each.

use std::io::{BufRead, BufReader, Write};

use anyhow::Context;
use posthorn_matching::pattern::{Limits, Pattern, PatternProblem, Unmatchable};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::output;

#[derive(Deserialize)]
struct Line {
    pattern: String,
    event: String,
}

/// Answers every line of standard input. Answers gather only while more lines are at hand, so that
/// whoever waits for one before the next line gets it.
pub(super) fn run(limits: &Limits) -> anyhow::Result<()> {
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line).context("cannot read standard input")? > 0 {
        if !line.trim().is_empty() {
            let answered = writeln!(out, "{}", answer(line.trim_end(), limits));
            answered.unwrap_or_else(|error| output::end(&error));
        }
        if input.buffer().is_empty() {
            out.flush().unwrap_or_else(|error| output::end(&error));
        }
        line.clear();
    }
    out.flush().unwrap_or_else(|error| output::end(&error));
    Ok(())
}

fn answer(line: &str, limits: &Limits) -> Value {
    let Line { pattern, event } = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(error) => {
            return problem("bad_line", line, &format!("this is no pattern with an event: {error}"));
        }
    };
    match Pattern::parse_within(&pattern, limits) {
        Err(problems) => json!({ "problems": problems }),
        Ok(pattern) => match pattern.matches_text(&event) {
            Ok(matched) => json!({ "match": matched }),
            Err(Unmatchable::NotJson(error)) => {
                problem("bad_event", &event, &format!("the event is not JSON: {error}"))
            }
            Err(Unmatchable::TooCostly(costly)) => problem("too_costly", &event, &costly.to_string()),
        },
    }
}

fn problem(code: &'static str, value: &str, message: &str) -> Value {
    let problem =
        PatternProblem { pointer: String::new(), code, value: value.to_owned(), message: message.to_owned() };
    json!({ "problems": [problem] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_own_answer() {
        let answered = |pattern: &str, event: &str| {
            answer(&json!({ "pattern": pattern, "event": event }).to_string(), &Limits::default())
        };
        let pattern = r#"{"data": {"n": [12345678901234567890.5]}}"#;
        assert_eq!(answered(pattern, r#"{"data": {"n": 123456789012345678905e-1}}"#), json!({"match": true}));
        assert_eq!(answered(pattern, r#"{"data": {"n": 5}}"#), json!({"match": false}));
        let codes = |answer: Value| -> Vec<(String, String)> {
            let problems = answer["problems"].as_array().unwrap();
            let told = |problem: &Value, name: &str| problem[name].as_str().unwrap().to_owned();
            problems.iter().map(|problem| (told(problem, "pointer"), told(problem, "code"))).collect()
        };
        let found = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
        assert_eq!(
            codes(answered(r#"{"a": 1, "b": []}"#, "{}")),
            [found("/a", "wrong_type"), found("/b", "empty_list")]
        );
        assert_eq!(codes(answered(pattern, "{")), [found("", "bad_event")]);
        assert_eq!(codes(answer(r#"{"pattern": {}}"#, &Limits::default())), [found("", "bad_line")]);
    }
}
