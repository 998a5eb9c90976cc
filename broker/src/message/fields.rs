//! Reading a table of headers, whatever types its publisher chose.

use jiff::Timestamp;
use lapin::types::{AMQPValue, FieldTable};

pub(super) fn value<'a>(table: &'a FieldTable, name: &str) -> Option<&'a AMQPValue> {
    table.inner().get(name)
}

fn integer(table: &FieldTable, name: &str) -> Option<i64> {
    match value(table, name)? {
        AMQPValue::ShortShortInt(number) => Some((*number).into()),
        AMQPValue::ShortShortUInt(number) => Some((*number).into()),
        AMQPValue::ShortInt(number) => Some((*number).into()),
        AMQPValue::ShortUInt(number) => Some((*number).into()),
        AMQPValue::LongInt(number) => Some((*number).into()),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::LongLongInt(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn number(table: &FieldTable, name: &str) -> Option<u32> {
    integer(table, name)?.try_into().ok()
}

pub(super) fn time(table: &FieldTable, name: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(integer(table, name)?).ok()
}

pub(super) fn text(table: &FieldTable, name: &str) -> Option<String> {
    match value(table, name)? {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
