//! What people say of a webhook, by flags.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clap::Args;
use posthorn_domain::webhook::DisablePolicy;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::commands::read_json;

/// Raw, so that numbers in patterns stay as they are written.
type Fields<'a> = BTreeMap<&'a str, Box<RawValue>>;

#[derive(Debug, Args)]
pub(crate) struct Described {
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// What people say about it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The event types it wants, such as todo.created,comment.* [default: all]
    #[arg(long, value_delimiter = ',', value_name = "TYPES", conflicts_with = "rules")]
    event_types: Option<Vec<String>>,
    /// Event types that it doesn't want among those
    #[arg(long, value_delimiter = ',', value_name = "TYPES", conflicts_with = "rules")]
    except_event_types: Option<Vec<String>>,
    /// The companies whose events it wants [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with = "rules")]
    companies: Option<Vec<String>>,
    /// The projects whose events it wants [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with = "rules")]
    projects: Option<Vec<String>>,
    /// Projects that it doesn't want among those
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with = "rules")]
    except_projects: Option<Vec<String>>,
    /// A file with a pattern that the body must match, such as {"data": {"priority": [1, 2]}}
    #[arg(long, value_name = "FILE", conflicts_with = "rules")]
    pattern: Option<PathBuf>,
    /// A file with a JSON list of rules, for more than one rule
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// A header of its own for every request; may be given several times
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = read_pair)]
    headers: Vec<(String, String)>,
    /// Something to remember of it; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = read_pair)]
    metadata: Vec<(String, String)>,
    /// The e-mail address that is told when it fails
    #[arg(long, value_name = "ADDRESS")]
    contact: Option<String>,
    /// Whether attempts may speak HTTP/2, if the receiver offers it in the TLS handshake [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    http2: Option<bool>,
    /// How many attempts each dispatcher makes at a time, 1 to 1000 [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_in_flight: Option<u16>,
    /// What disables it, a delivery whose last retry fails: always (exhausted), or only if nothing was
    /// accepted meanwhile (failing) [default: exhausted]
    #[arg(long, value_name = "POLICY")]
    disable_policy: Option<DisablePolicy>,
    /// The deadline of an attempt, 1s to 30s [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = read_timeout)]
    timeout: Option<Duration>,
}

fn read_timeout(text: &str) -> Result<Duration, String> {
    let timeout =
        humantime::parse_duration(text).map_err(|_| format!("`{text}` is not a time such as 15s"))?;
    match (Duration::from_secs(1)..=Duration::from_secs(30)).contains(&timeout) {
        true => Ok(timeout),
        false => Err("a timeout is 1s to 30s".to_owned()),
    }
}

fn read_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

impl Described {
    /// The body of a request that makes it.
    pub(super) fn body(&self, url: &str) -> anyhow::Result<String> {
        let mut fields = self.fields(Some(url), &[])?;
        fields.entry("rules").or_insert_with(|| raw(&[Fields::new()]));
        Ok(raw(&fields).get().to_owned())
    }

    /// The body of a request that changes it.
    pub(super) fn patch(&self, url: Option<&str>, unset: &[String]) -> anyhow::Result<String> {
        Ok(raw(&self.fields(url, unset)?).get().to_owned())
    }

    /// What was given, and null for what is unset.
    fn fields<'a>(&self, url: Option<&str>, unset: &'a [String]) -> anyhow::Result<Fields<'a>> {
        let given = [
            ("name", self.name.as_ref().map(raw)),
            ("description", self.description.as_ref().map(raw)),
            ("url", url.map(|url| raw(&url))),
            ("rules", self.rules()?),
            ("headers", entries("headers", &self.headers, unset)),
            ("metadata", entries("metadata", &self.metadata, unset)),
            ("contact", self.contact.as_ref().map(raw)),
            ("http2", self.http2.as_ref().map(raw)),
            ("max_in_flight", self.max_in_flight.as_ref().map(raw)),
            ("disable_policy", self.disable_policy.as_ref().map(raw)),
            ("timeout_ms", self.timeout.map(|timeout| raw(&(timeout.as_millis() as u64)))),
        ];
        let unset = unset.iter().map(String::as_str);
        let mut fields: Fields<'a> =
            unset.filter(|field| !field.contains('.')).map(|field| (field, raw(&()))).collect();
        fields.extend(given.into_iter().filter_map(|(field, value)| Some((field, value?))));
        Ok(fields)
    }

    fn rules(&self) -> anyhow::Result<Option<Box<RawValue>>> {
        if let Some(file) = &self.rules {
            return read_json(file).map(Some);
        }
        let lists = [
            ("event_types", &self.event_types),
            ("except_event_types", &self.except_event_types),
            ("companies", &self.companies),
            ("projects", &self.projects),
            ("except_projects", &self.except_projects),
        ];
        let mut rule: Fields<'_> =
            lists.into_iter().filter_map(|(name, list)| Some((name, raw(list.as_ref()?)))).collect();
        if let Some(file) = &self.pattern {
            rule.insert("pattern", read_json(file)?);
        }
        Ok((!rule.is_empty()).then(|| raw(&[rule])))
    }
}

/// The entries that were given, and null for those that are unset.
fn entries(field: &str, given: &[(String, String)], unset: &[String]) -> Option<Box<RawValue>> {
    let of_field = |name: &'_ String| Some((name.strip_prefix(field)?.strip_prefix('.')?.to_owned(), None));
    let mut entries: BTreeMap<String, Option<&String>> = unset.iter().filter_map(of_field).collect();
    entries.extend(given.iter().map(|(name, value)| (name.clone(), Some(value))));
    (!entries.is_empty()).then(|| raw(&entries))
}

fn raw(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(value).expect("what has texts for keys can be written")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        described: Described,
    }

    fn described(flags: &[&str]) -> Described {
        Line::parse_from([&["test"], flags].concat()).described
    }

    fn json_of(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_new_webhook_wants_everything_unless_something_else_is_said() {
        let body = described(&[]).body("https://example.com/").unwrap();
        assert_eq!(json_of(&body), json!({ "url": "https://example.com/", "rules": [{}] }));
        let flags = ["--event-types", "a,b.*", "--companies", "c1", "--header", "x-a=b=c", "--timeout", "2s"];
        let body = described(&flags).body("https://example.com/").unwrap();
        let rules = json!([{ "event_types": ["a", "b.*"], "companies": ["c1"] }]);
        let expected = json!({
            "url": "https://example.com/", "rules": rules, "headers": { "x-a": "b=c" }, "timeout_ms": 2000,
        });
        assert_eq!(json_of(&body), expected);
    }

    #[test]
    fn a_change_names_only_what_changes() {
        let unset = ["contact", "headers.x-a", "metadata.team"].map(str::to_owned);
        let patch = described(&["--name", "n", "--header", "x-b=1"]).patch(None, &unset).unwrap();
        let expected = json!({
            "name": "n", "contact": null, "headers": { "x-a": null, "x-b": "1" }, "metadata": { "team": null },
        });
        assert_eq!(json_of(&patch), expected);
    }
}
