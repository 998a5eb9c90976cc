//! What commands print: the API's JSON for scripts, tables and sheets of it for people.

use comfy_table::{LineStyle, Table, TableStyle};
use jiff::Timestamp;
use serde_json::Value;

use crate::client::{Answer, Listed};

/// A line under the headings, and none between rows.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
/// The most characters of a cell; a sheet has all of them.
const LONGEST_CELL: usize = 80;

/// A column of a table.
pub(crate) struct Column {
    /// What stands above it.
    pub(crate) heading: &'static str,
    /// JSON Pointer to what it shows.
    pub(crate) pointer: &'static str,
    /// What stands for null.
    pub(crate) null: &'static str,
}

/// A column that is empty where there is nothing.
pub(crate) const fn column(heading: &'static str, pointer: &'static str) -> Column {
    Column { heading, pointer, null: "" }
}

/// One thing: for people as `people` prints it.
pub(crate) fn one(json: bool, answer: &Answer, people: impl FnOnce(&Value)) -> anyhow::Result<()> {
    match json {
        true => println!("{}", answer.text()),
        false => people(&answer.read()?),
    }
    Ok(())
}

/// Many things: for people a table, or a sentence if there are none.
pub(crate) fn many(json: bool, listed: &Listed, columns: &[Column], none: &str) -> anyhow::Result<()> {
    if json {
        let rows: Vec<_> = listed.rows.iter().map(|row| row.get()).collect();
        println!("[{}]", rows.join(",\n"));
        return Ok(());
    }
    let rows: Vec<Value> =
        listed.rows.iter().map(|row| serde_json::from_str(row.get())).collect::<Result<_, _>>()?;
    match rows.is_empty() {
        true => println!("{none}"),
        false => table(&rows, columns),
    }
    if listed.more {
        eprintln!("There are more: --limit lists more of them.");
    }
    Ok(())
}

pub(crate) fn table<'a>(rows: impl IntoIterator<Item = &'a Value>, columns: &[Column]) {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(columns.iter().map(|column| column.heading));
    for row in rows {
        table.add_row(columns.iter().map(|column| {
            let value = row.pointer(column.pointer).filter(|value| !value.is_null());
            value.map_or_else(|| column.null.to_owned(), |value| cell(column, value))
        }));
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 1));
    });
    println!("{}", table.trim_fmt());
}

/// A value on one line.
fn cell(column: &Column, value: &Value) -> String {
    let name = column.pointer.rsplit('/').next().unwrap_or_default();
    let text = text_of(name, value).replace(['\n', '\t'], " ");
    match text.char_indices().nth(LONGEST_CELL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The value of this name, a time to the second.
fn text_of(name: &str, value: &Value) -> String {
    let is_time = matches!(name, "at" | "since" | "until") || name.ends_with("_at");
    let time = value.as_str().filter(|_| is_time).and_then(|text| text.parse::<Timestamp>().ok());
    time.map_or_else(|| text(value), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A line for each thing that there is to say, but those of these names.
pub(crate) fn sheet(object: &Value, but: &[&str]) {
    let said = object.as_object().into_iter().flatten();
    let said = said.filter(|(name, value)| !is_nothing(value) && !but.contains(&name.as_str()));
    for (name, value) in said {
        println!("{:<18}{}", name.replace('_', " "), text_of(name, value));
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value in words, safe to print: receivers wrote some of them.
pub(crate) fn text(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        _ => value.to_string(),
    };
    harmless(&text)
}

/// The same without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    let is_text = |c: char| !c.is_control() || c == '\n' || c == '\t';
    text.chars().map(|c| if is_text(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_receiver_wrote_does_not_reach_the_terminal_as_a_command() {
        assert_eq!(text(&json!("a\u{1b}[2Jb\nc")), "a\u{fffd}[2Jb\nc");
    }

    #[test]
    fn a_cell_is_short_and_a_time_in_it_is_told_to_the_second() {
        let in_cell = |pointer, value| cell(&column("", pointer), &json!(value));
        let time = "2026-11-24T00:13:15.897123Z";
        assert_eq!(in_cell("/last_attempt/started_at", time), "2026-11-24T00:13:15Z");
        assert_eq!(in_cell("/at", time), "2026-11-24T00:13:15Z");
        assert_eq!(in_cell("/name", time), time);
        assert_eq!(in_cell("/error", "two\nlines"), "two lines");
        assert_eq!(in_cell("/error", &"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }

    #[test]
    fn values_are_shown_in_words() {
        assert_eq!(text(&json!(["read", "write"])), "read,write");
        assert_eq!(text(&json!({"status": 500})), r#"{"status":500}"#);
        assert_eq!(text(&json!(7)), "7");
    }
}
