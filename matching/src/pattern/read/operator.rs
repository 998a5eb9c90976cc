//! Reads operators such as `{"prefix": "a"}`.

use super::{
    anything_but, numeric,
    operand::{self, KNOWN_OPERATORS, Operand, only_field},
    reader::Reader,
    text,
};
use crate::pattern::{
    scan::{Kind, Scan},
    tree::Test,
};

/// Reads the object that comes next; `None` if it is wrong.
pub(super) fn read(reader: &mut Reader<'_>, scan: &mut Scan<'_>, pointer: &str) -> Option<Test> {
    let (name, operand) = only_field(reader, scan.skip(), pointer)?;
    match name.as_str() {
        "exactly" => operand::text(reader, &operand).map(|text| Test::Text(text.into())),
        "prefix" => text::affix(reader, &operand, Test::Prefix, Test::PrefixIgnoringCase),
        "suffix" => text::affix(reader, &operand, Test::Suffix, Test::SuffixIgnoringCase),
        "equals-ignore-case" => text::ignoring_case(reader, &operand),
        "wildcard" => text::wildcard(reader, &operand),
        "cidr" => text::cidr(reader, &operand),
        "numeric" => numeric::range(reader, &operand),
        "exists" => exists(reader, &operand),
        "anything-but" => anything_but::read(reader, &operand),
        _ => {
            let message = format!("this operator is not known; use {KNOWN_OPERATORS}");
            reader.problems.add(&operand.pointer, "unknown_operator", operand.text, message);
            None
        }
    }
}

fn exists(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
    match Scan::new(operand.text).kind() {
        Kind::Bool(true) => Some(Test::Exists),
        Kind::Bool(false) => Some(Test::Absent),
        _ => {
            let message = "exists wants true or false, without quotes";
            reader.problems.add(&operand.pointer, "wrong_type", operand.text, message);
            None
        }
    }
}
