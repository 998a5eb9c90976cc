//! What stands behind an operator's name.

use super::reader::Reader;
use crate::{
    pattern::{
        scan::{Kind, Scan},
        tree::Test,
    },
    problem::below,
};

pub(super) const KNOWN_OPERATORS: &str =
    "prefix, suffix, equals-ignore-case, anything-but, numeric, exists, wildcard, cidr or exactly";

/// An operand as it is written, and its place.
pub(super) struct Operand<'a> {
    pub(super) text: &'a str,
    pub(super) pointer: String,
}

/// The only field of an object: an operator's name and operand.
pub(super) fn only_field<'a>(
    reader: &mut Reader<'_>,
    text: &'a str,
    pointer: &str,
) -> Option<(String, Operand<'a>)> {
    let mut scan = Scan::new(text);
    scan.enter();
    let mut fields = Vec::new();
    while let Some(name) = scan.next_field() {
        fields.push((name.into_owned(), scan.skip()));
    }
    match fields.len() {
        1 => fields.pop().map(|(name, text)| {
            let pointer = below(pointer, &name);
            (name, Operand { text, pointer })
        }),
        0 => {
            let message = format!("an empty object is no operator; use {KNOWN_OPERATORS}");
            reader.problems.add(pointer, "unknown_operator", text, message);
            None
        }
        _ => {
            let message = "one object holds one operator; write each in an object of its own";
            reader.problems.add(pointer, "several_operators", text, message);
            None
        }
    }
}

/// A string.
pub(super) fn text(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<String> {
    let mut scan = Scan::new(operand.text);
    if scan.kind() == Kind::Text {
        return Some(scan.text().into_owned());
    }
    reader.problems.add(
        &operand.pointer,
        "wrong_type",
        operand.text,
        "this operator wants a string in quotes",
    );
    None
}

/// Reads one operand or a list of them.
pub(super) fn items<'a>(
    reader: &mut Reader<'_>,
    operand: &Operand<'a>,
    mut read: impl FnMut(&mut Reader<'_>, &Operand<'a>) -> Option<Test>,
) -> Option<Vec<Test>> {
    let mut scan = Scan::new(operand.text);
    if scan.kind() != Kind::Array {
        return read(reader, operand).map(|test| vec![test]);
    }
    let mut tests = Vec::new();
    let mut count = 0;
    scan.enter();
    while scan.next_item() {
        let item = Operand { text: scan.skip(), pointer: format!("{}/{count}", operand.pointer) };
        count += 1;
        tests.extend(read(reader, &item));
    }
    if count == 0 {
        let message = "an empty list keeps nothing out; name a value";
        reader.problems.add(&operand.pointer, "empty_list", operand.text, message);
    }
    (count > 0 && tests.len() == count).then_some(tests)
}
