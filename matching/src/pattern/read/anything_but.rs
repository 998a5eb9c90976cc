//! Reads `{"anything-but": …}`.

use super::{
    operand::{Operand, items, only_field, text},
    reader::Reader,
    text::{ignoring_case, wildcard},
};
use crate::pattern::{
    scan::{Kind, Scan},
    tree::Test,
};

const KNOWN_IN_ANYTHING_BUT: &str = "prefix, suffix, equals-ignore-case or wildcard";

pub(super) fn read(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
    let mut scan = Scan::new(operand.text);
    let tests = match scan.kind() {
        Kind::Object => {
            let (name, inner) = only_field(reader, operand.text, &operand.pointer)?;
            unwanted(reader, &name, &inner)?
        }
        Kind::Array | Kind::Text | Kind::Number => items(reader, operand, |reader, item| {
            let test = reader.literal(&mut Scan::new(item.text), &item.pointer)?;
            is_text_or_number(reader, item, &test).then_some(test)
        })?,
        Kind::Bool(_) | Kind::Null => {
            let message =
                "anything-but wants strings, numbers or an operator; for true and false write the other one";
            reader.problems.add(&operand.pointer, "wrong_type", operand.text, message);
            return None;
        }
    };
    let numbers = tests.iter().filter(|test| matches!(test, Test::Number(_))).count();
    if numbers > 0 && numbers < tests.len() {
        let message = "strings and numbers cannot stand in one list; write several rules";
        reader.problems.add(&operand.pointer, "mixed_list", operand.text, message);
        return None;
    }
    Some(Test::AnythingBut(tests.into()))
}

fn is_text_or_number(reader: &mut Reader<'_>, item: &Operand<'_>, test: &Test) -> bool {
    let is_good = matches!(test, Test::Text(_) | Test::Number(_));
    if !is_good {
        let message = "the list of anything-but holds strings or numbers";
        reader.problems.add(&item.pointer, "wrong_type", item.text, message);
    }
    is_good
}

/// What an operator inside `anything-but` keeps out.
fn unwanted(reader: &mut Reader<'_>, name: &str, operand: &Operand<'_>) -> Option<Vec<Test>> {
    match name {
        "prefix" => items(reader, operand, |reader, item| affix_text(reader, item).map(Test::Prefix)),
        "suffix" => items(reader, operand, |reader, item| affix_text(reader, item).map(Test::Suffix)),
        "equals-ignore-case" => items(reader, operand, ignoring_case),
        "wildcard" => items(reader, operand, wildcard),
        _ => {
            let message = format!("this cannot stand in anything-but; use {KNOWN_IN_ANYTHING_BUT}");
            reader.problems.add(&operand.pointer, "unknown_operator", operand.text, message);
            None
        }
    }
}

/// An empty one would keep out every string.
fn affix_text(reader: &mut Reader<'_>, item: &Operand<'_>) -> Option<Box<str>> {
    let text = text(reader, item)?;
    if text.is_empty() {
        let message = "an empty string begins and ends every string; name at least one character";
        reader.problems.add(&item.pointer, "wrong_type", item.text, message);
        return None;
    }
    Some(text.into())
}
