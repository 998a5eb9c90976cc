//! Pins what vendor/amq-protocol-types was patched for: whatever a publisher wrote is read.

use lapin::types::{
    AMQPValue, FieldTable, ShortString,
    parsing::{parse_field_table, parse_short_string},
};

/// A table on the wire, of entries on the wire.
fn table(entries: &[u8]) -> Vec<u8> {
    [&(entries.len() as u32).to_be_bytes(), entries].concat()
}

/// An entry on the wire. The value begins with its type.
fn entry(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[name.len() as u8], name, value].concat()
}

fn read(wire: &[u8]) -> FieldTable {
    let (rest, table) = parse_field_table(wire).expect("whatever a publisher wrote is read");
    assert!(rest.is_empty());
    table
}

fn read_text(bytes: &[u8]) -> ShortString {
    parse_short_string(&*[&[bytes.len() as u8], bytes].concat()).expect("it is read").1
}

#[test]
fn short_strings_that_are_not_utf_8_are_read() {
    assert_eq!(read_text(b"caf\xc3\xa9").as_str(), "café");
    assert_eq!(read_text(b"a.caf\xe9").as_str(), r"a.caf\xe9");
    assert_eq!(read_text(b"\xff\xfe").as_str(), r"\xff\xfe");
    let longest = read_text(&[b"\xc3\xa9".repeat(3), vec![0xff; 249]].concat());
    assert!(longest.as_str().starts_with(r"ééé\xff"), "{longest}");
    assert!((252..=255).contains(&longest.as_str().len()), "{}", longest.as_str().len());
}

#[test]
fn names_of_headers_that_are_not_utf_8_are_read_at_any_depth() {
    let inner = table(&entry(b"\xf0", b"t\x01"));
    let wire = table(&[entry(b"\xe9", b"V"), entry(b"inner", &[b"F", &*inner].concat())].concat());
    let read = read(&wire);
    assert_eq!(read.inner().get(r"\xe9"), Some(&AMQPValue::Void));
    let Some(AMQPValue::FieldTable(inner)) = read.inner().get("inner") else { panic!("{read:?}") };
    assert_eq!(inner.inner().get(r"\xf0"), Some(&AMQPValue::Boolean(true)));
}

#[test]
fn tables_and_arrays_as_deep_as_a_frame_is_long_are_read() {
    let mut tables = table(b"");
    let mut arrays = table(b"");
    for _ in 0..5_000 {
        tables = table(&entry(b"", &[b"F", &*tables].concat()));
        arrays = table(&[b"A", &*arrays].concat());
    }
    let wire =
        table(&[entry(b"t", &[b"F", &*tables].concat()), entry(b"a", &[b"A", &*arrays].concat())].concat());
    assert_eq!(read(&wire).inner().len(), 2);
}

#[test]
fn what_follows_an_unknown_type_is_left_out() {
    let array = [b"A", &*table(b"t\x01?oops")].concat();
    let wire = table(&[entry(b"a", &array), entry(b"known", b"V"), entry(b"z", b"?oops")].concat());
    let read = read(&wire);
    let Some(AMQPValue::FieldArray(array)) = read.inner().get("a") else { panic!("{read:?}") };
    assert_eq!(array.as_slice(), [AMQPValue::Boolean(true)]);
    assert!(read.contains_key("known") && !read.contains_key("z"));
}
