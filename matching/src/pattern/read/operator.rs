//! Reads operators such as `{"prefix": "a"}`.

use super::{Kind, Reader, Scan};
use crate::{
    pattern::{
        decimal::Decimal,
        fold::folded,
        tree::{End, Range, Test},
        wildcard::{BadWildcard, Wildcard},
    },
    problem::below,
};

const KNOWN: &str =
    "prefix, suffix, equals-ignore-case, anything-but, numeric, exists, wildcard, cidr or exactly";
const KNOWN_IN_ANYTHING_BUT: &str = "prefix, suffix, equals-ignore-case or wildcard";

/// An operator's operand, as it is written.
struct Operand<'a> {
    text: &'a str,
    pointer: String,
}

/// Reads the object that comes next; `None` if it is wrong.
pub(super) fn read(reader: &mut Reader<'_>, scan: &mut Scan<'_>, pointer: &str) -> Option<Test> {
    let (name, operand) = only_field(reader, scan.skip(), pointer)?;
    match name.as_str() {
        "exactly" => text(reader, &operand).map(|text| Test::Text(text.into())),
        "prefix" => affix(reader, &operand, Test::Prefix, Test::PrefixIgnoringCase),
        "suffix" => affix(reader, &operand, Test::Suffix, Test::SuffixIgnoringCase),
        "equals-ignore-case" => text(reader, &operand).map(|text| ignoring_case(&text)),
        "wildcard" => wildcard(reader, &operand),
        "cidr" => cidr(reader, &operand),
        "numeric" => numeric(reader, &operand),
        "exists" => exists(reader, &operand),
        "anything-but" => anything_but(reader, &operand),
        _ => {
            let message = format!("this operator is not known; use {KNOWN}");
            reader.problems.add(&operand.pointer, "unknown_operator", operand.text, message);
            None
        }
    }
}

fn only_field<'a>(reader: &mut Reader<'_>, text: &'a str, pointer: &str) -> Option<(String, Operand<'a>)> {
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
            let message = format!("an empty object is no operator; use {KNOWN}");
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

fn text(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<String> {
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

fn ignoring_case(text: &str) -> Test {
    Test::TextIgnoringCase(folded(text).into())
}

/// `"a"` or `{"equals-ignore-case": "a"}`.
fn affix(
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

fn wildcard(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
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

fn cidr(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
    match text(reader, operand)?.parse() {
        Ok(network) => Some(Test::Cidr(Box::new(network))),
        Err(_) => {
            let message = "write a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"";
            reader.problems.add(&operand.pointer, "bad_cidr", operand.text, message);
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

/// One comparison, or a low end and a high end.
fn numeric(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
    let message = "numeric wants a comparison such as [\">=\", 3], or a low and a high end such as [\">\", 0, \"<=\", 5]";
    let mut scan = Scan::new(operand.text);
    let mut comparisons = Vec::new();
    if scan.kind() == Kind::Array {
        scan.enter();
        while scan.next_item() {
            comparisons.push(comparison(reader, &mut scan, &operand.pointer, 2 * comparisons.len())?);
        }
    }
    let range = match comparisons.as_slice() {
        [(sign, number)] if sign == "=" => return Some(Test::Number(Box::new(number.clone()))),
        [one] => Range { low: low(one), high: high(one) },
        [one, other] => Range { low: low(one), high: high(other) },
        _ => Range { low: None, high: None },
    };
    let ends = usize::from(range.low.is_some()) + usize::from(range.high.is_some());
    if ends == 0 || ends != comparisons.len() {
        reader.problems.add(&operand.pointer, "bad_numeric", operand.text, message);
        return None;
    }
    if is_empty(&range) {
        let message = "no number lies in this range; the low end must be below the high end";
        reader.problems.add(&operand.pointer, "empty_range", operand.text, message);
        return None;
    }
    Some(Test::Range(Box::new(range)))
}

fn comparison(
    reader: &mut Reader<'_>,
    scan: &mut Scan<'_>,
    pointer: &str,
    place: usize,
) -> Option<(String, Decimal)> {
    let at = format!("{pointer}/{place}");
    let sign = match scan.kind() {
        Kind::Text => scan.text().into_owned(),
        _ => String::new(),
    };
    if !["=", "<", "<=", ">", ">="].contains(&sign.as_str()) {
        let message = "a comparison begins with \"=\", \"<\", \"<=\", \">\" or \">=\"";
        reader.problems.add(&at, "bad_numeric", &format!("{sign:?}"), message);
        return None;
    }
    let at = format!("{pointer}/{}", place + 1);
    let is_there = scan.next_item();
    if !is_there || scan.kind() != Kind::Number {
        let value = if is_there { scan.skip() } else { "" };
        let message = format!("a number, without quotes, must follow {sign:?}");
        reader.problems.add(&at, "bad_numeric", value, message);
        return None;
    }
    Some((sign, reader.number(scan, &at)?))
}

fn low((sign, number): &(String, Decimal)) -> Option<End> {
    let end = |is_in| Some(End { number: number.clone(), is_in });
    match sign.as_str() {
        ">" => end(false),
        ">=" => end(true),
        _ => None,
    }
}

fn high((sign, number): &(String, Decimal)) -> Option<End> {
    let end = |is_in| Some(End { number: number.clone(), is_in });
    match sign.as_str() {
        "<" => end(false),
        "<=" => end(true),
        _ => None,
    }
}

fn is_empty(range: &Range) -> bool {
    let (Some(low), Some(high)) = (&range.low, &range.high) else { return false };
    low.number > high.number || low.number == high.number && !(low.is_in && high.is_in)
}

fn anything_but(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
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
        "equals-ignore-case" => {
            items(reader, operand, |reader, item| text(reader, item).map(|text| ignoring_case(&text)))
        }
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

/// Reads one operand or a list of them.
fn items<'a>(
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
