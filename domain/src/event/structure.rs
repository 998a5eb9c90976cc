//! `google.protobuf.Struct` as JSON, per the protobuf JSON mapping.

use std::fmt::Write;

use prost_types::{ListValue, Struct, Value, value::Kind};

use super::rejection::{Field, Rejection};

/// JSON has no NaN and no infinities (protobuf JSON mapping: "attempting to serialize NaN or
/// Infinity results in error"), and a value without a kind is no value.
pub(super) fn check(object: &Struct) -> Result<(), Rejection> {
    object.fields.iter().try_for_each(|(name, value)| check_value(name, value))
}

fn check_value(name: &str, value: &Value) -> Result<(), Rejection> {
    let refuse = |what| Err(Rejection { field: Field::Struct, reason: format!("field {name:?} {what}") });
    match &value.kind {
        None => refuse("has no value"),
        Some(Kind::NumberValue(number)) if !number.is_finite() => refuse("is not a finite number"),
        Some(Kind::StructValue(object)) => check(object),
        Some(Kind::ListValue(list)) => list.values.iter().try_for_each(|value| check_value(name, value)),
        Some(Kind::NullValue(_) | Kind::NumberValue(_) | Kind::StringValue(_) | Kind::BoolValue(_)) => Ok(()),
    }
}

/// Writes an object that has passed [`check`].
pub(super) fn write(object: &Struct, out: &mut Vec<u8>) {
    out.push(b'{');
    for (position, (name, value)) in object.fields.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write_value(value, out);
    }
    out.push(b'}');
}

fn write_list(list: &ListValue, out: &mut Vec<u8>) {
    out.push(b'[');
    for (position, value) in list.values.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_value(value, out);
    }
    out.push(b']');
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => out.extend_from_slice(b"null"),
        Some(Kind::BoolValue(truth)) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Some(Kind::NumberValue(number)) => write_number(*number, out),
        Some(Kind::StringValue(text)) => write_text(text, out),
        Some(Kind::StructValue(object)) => write(object, out),
        Some(Kind::ListValue(list)) => write_list(list, out),
    }
}

/// Whole numbers without a fraction (`5`, not `5.0`) as far as a double holds them exactly.
fn write_number(number: f64, out: &mut Vec<u8>) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let mut text = String::new();
    let written = match number.fract() == 0.0 && number.abs() <= EXACT {
        true => write!(text, "{number:.0}"),
        false => write!(text, "{number:e}"),
    };
    written.expect("writing into memory cannot fail");
    out.extend_from_slice(text.as_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string always serializes into memory");
}
