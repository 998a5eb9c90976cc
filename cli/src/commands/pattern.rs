//! `posthorn pattern …`: patterns tried out, without servers.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use posthorn_matching::{
    Problem,
    explain::Explanation,
    pattern::{Pattern, Steps},
    rule::{Limits, Rule},
};
use serde_json::json;

use crate::{
    commands::read_file,
    settings::{FilterSettings, PatternSettings},
};

mod batch;
pub(super) mod show;

/// The event does not match.
const NO_MATCH: u8 = 1;
/// The pattern or rule is wrong.
const BAD_PATTERN: u8 = 2;
/// It cannot be told, for instance since a file cannot be read.
pub(crate) const CANNOT_TELL: u8 = 3;

#[derive(Debug, Subcommand)]
pub(crate) enum PatternCommand {
    /// Tell whether an event matches a pattern: exit status 0 if it does, 1 if not, 2 for a bad
    /// pattern, 3 if a file cannot be read
    Test(Test),
    /// Tell clause by clause why an event matches a pattern or a rule, or does not; exit status as of
    /// test
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The file with the pattern
    #[arg(long, value_name = "FILE", required_unless_present = "batch", conflicts_with = "batch")]
    pattern: Option<PathBuf>,
    /// The file with the event: the JSON body that webhooks receive
    #[arg(long, value_name = "FILE", required_unless_present = "batch", conflicts_with = "batch")]
    event: Option<PathBuf>,
    /// Read lines {"pattern": "JSON TEXT", "event": "JSON TEXT"} from standard input and answer each
    /// with a line {"match": true} or {"problems": […]}
    #[arg(long)]
    batch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: PatternSettings,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The file with the pattern
    #[arg(long, value_name = "FILE", required_unless_present = "rule")]
    pattern: Option<PathBuf>,
    /// A file with a whole rule instead
    #[arg(long, value_name = "FILE", conflicts_with = "pattern")]
    rule: Option<PathBuf>,
    /// The file with the event: the JSON body that webhooks receive
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: FilterSettings,
}

impl PatternCommand {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Test(test) => test.run(),
            Self::Explain(explain) => explain.run(),
        }
    }
}

impl Test {
    fn run(self) -> anyhow::Result<ExitCode> {
        let limits = self.limits.limits();
        let (Some(pattern), Some(event)) = (&self.pattern, &self.event) else {
            batch::run(&limits)?;
            return Ok(ExitCode::SUCCESS);
        };
        let event_text = read_file(event)?;
        let pattern = match Pattern::parse_within(&read_file(pattern)?, &limits) {
            Ok(pattern) => pattern,
            Err(problems) => return Ok(refuse(&problems, self.json)),
        };
        let matched =
            pattern.matches_text(&event_text).with_context(|| format!("cannot match {}", event.display()))?;
        match self.json {
            true => println!("{}", json!({ "match": matched })),
            false => println!("{}", if matched { "match" } else { "no match" }),
        }
        Ok(status(matched))
    }
}

impl Explain {
    fn run(self) -> anyhow::Result<ExitCode> {
        let body = read_file(&self.event)?;
        let rule = match self.read_rule(&self.limits.limits())? {
            Ok(rule) => rule,
            Err(problems) => return Ok(refuse(&problems, self.json)),
        };
        let explanation = Explanation::of(&rule, &body, &Steps::default())
            .with_context(|| format!("cannot explain {}", self.event.display()))?;
        match self.json {
            true => println!("{:#}", json!(explanation)),
            false => show::explanation(&explanation),
        }
        Ok(status(explanation.matched))
    }

    fn read_rule(&self, limits: &Limits) -> anyhow::Result<Result<Rule, Vec<Problem>>> {
        if let Some(file) = &self.rule {
            let rules = Rule::read_list(&format!("[{}]", read_file(file)?), limits);
            return Ok(rules.map(|mut rules| rules.remove(0)));
        }
        let Some(file) = &self.pattern else { bail!("give a pattern or a rule") };
        let pattern = Pattern::parse_within(&read_file(file)?, &limits.pattern);
        Ok(pattern.map(|pattern| Rule { pattern: Some(pattern), ..Rule::default() }))
    }
}

fn status(matched: bool) -> ExitCode {
    if matched { ExitCode::SUCCESS } else { ExitCode::from(NO_MATCH) }
}

fn refuse(problems: &[Problem], json: bool) -> ExitCode {
    match json {
        true => println!("{}", json!({ "problems": problems })),
        false => problems.iter().for_each(|problem| eprintln!("{problem}")),
    }
    ExitCode::from(BAD_PATTERN)
}
