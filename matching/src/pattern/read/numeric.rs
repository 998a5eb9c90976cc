//! Reads ranges of numbers: `{"numeric": [">", 0, "<=", 5]}`.

use super::{operand::Operand, reader::Reader};
use crate::pattern::{
    decimal::Decimal,
    scan::{Kind, Scan},
    tree::{End, Range, Test},
};

/// One comparison, or a low end and a high end.
pub(super) fn range(reader: &mut Reader<'_>, operand: &Operand<'_>) -> Option<Test> {
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
