//! Many patterns and events, a line each.

use std::io::{BufRead, Write};

use anyhow::Context;
use posthorn_domain::pattern::{Limits, Pattern, PatternProblem};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Line {
    pattern: String,
    event: String,
}

/// Answers every line of standard input.
pub(super) fn run(limits: &Limits) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line.context("cannot read standard input")?;
        if !line.trim().is_empty() {
            writeln!(out, "{}", answer(&line, limits)).context("cannot write the answers")?;
        }
    }
    out.flush().context("cannot write the answers")
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
            Err(error) => problem("bad_event", &event, &format!("the event is not JSON: {error}")),
        },
    }
}

fn problem(code: &'static str, value: &str, message: &str) -> Value {
    let problem =
        PatternProblem { pointer: String::new(), code, value: value.to_owned(), message: message.to_owned() };
    json!({ "problems": [problem] })
}
