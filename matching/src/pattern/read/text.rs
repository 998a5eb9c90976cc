//! Operators that compare texts.

use super::{
    operand::{Operand, only_field, text},
    reader::Reader,
};
use crate::pattern::{
    fold::folded,
    scan::{Kind, Scan},
    tree::Test,
    wildcard::{BadWildcard, Wildcard},
};

pub(super) fn ignoring_case(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
    text(reader, operand).map(|text| Test::TextIgnoringCase(folded(&text).into()))
}

/// `"a"` or `{"equals-ignore-case": "a"}`.
pub(super) fn affix(
    reader: &mut Reader<'_>,
    operand: &Operand<'_>,
    plain: fn(Box<str>) -> Test,
    case: fn(Box<str>) -> Test,
) -> Option<Test> {
    if Scan::new(operand.text).kind() != Kind::Object {
        return text(reader, operand).map(|text| plain(text.into()));
    }
    let (name, inner) = only_field(reader, operand.text, &operand.pointer)?;
    if name != "equals-ignore-case" {
        let message = "only equals-ignore-case can stand here, or a string in quotes";
        reader.problems.add(&inner.pointer, "unknown_operator", inner.text, message);
        return None;
    }
    text(reader, &inner).map(|text| case(folded(&text).into()))
}

pub(super) fn wildcard(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
    let text = text(reader, operand)?;
    let most = reader.limits.stars;
    let (code, message) = match Wildcard::read(&text) {
        Ok(wildcard) if wildcard.stars() <= most => return Some(Test::Wildcard(wildcard)),
        Ok(wildcard) => {
            ("too_many_stars", format!("a wildcard has at most {most} stars, not {}", wildcard.stars()))
        }
        Err(BadWildcard::ConsecutiveStars) => {
            ("bad_wildcard", "write one star instead of several in a row".to_owned())
        }
        Err(BadWildcard::BadEscape) => {
            let message = r#"write "\\*" for a star and "\\\\" for a backslash; a backslash before anything else is not allowed"#;
            ("bad_wildcard", message.to_owned())
        }
    };
    reader.problems.add(&operand.pointer, code, operand.text, message);
    None
}

pub(super) fn cidr(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
    match text(reader, operand)?.parse() {
        Ok(network) => Some(Test::Cidr(Box::new(network))),
        Err(_) => {
            let message = "write a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"";
            reader.problems.add(&operand.pointer, "bad_cidr", operand.text, message);
            None
        }
    }
}
