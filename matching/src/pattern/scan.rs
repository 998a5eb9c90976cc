//! Reads JSON text token by token, without building values.
//!
//! The text must be valid JSON: for other text the results have no meaning, but every loop ends. Numbers are
//! returned as they are written, so that no digit is lost.

use std::borrow::Cow;

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

/// The kind of the next value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Text,
    Number,
    Bool(bool),
    Null,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What comes next.
    pub(crate) fn kind(&mut self) -> Kind {
        self.pass_over(b"");
        match self.byte() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Null,
        }
    }

    /// Goes into the object or array that comes next.
    pub(crate) fn enter(&mut self) {
        self.at += 1;
    }

    /// The name of the object's next field, before its value; `None` behind the object's end.
    pub(crate) fn next_field(&mut self) -> Option<Cow<'a, str>> {
        loop {
            self.pass_over(b",");
            match self.byte()? {
                b'"' => break,
                byte => {
                    self.at += 1;
                    if byte == b'}' {
                        return None;
                    }
                }
            }
        }
        let name = self.text();
        self.pass_over(b":");
        Some(name)
    }

    /// Whether the array goes on; if not, the place is behind its end.
    pub(crate) fn next_item(&mut self) -> bool {
        self.pass_over(b",");
        match self.byte() {
            None => false,
            Some(b']') => {
                self.at += 1;
                false
            }
            Some(_) => true,
        }
    }

    /// The string that comes next.
    pub(crate) fn text(&mut self) -> Cow<'a, str> {
        let start = self.at + 1;
        let mut is_plain = true;
        self.at = start;
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => break,
                b'\\' => {
                    is_plain = false;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        let end = self.at.min(self.text.len());
        self.at = end + 1;
        let raw = self.text.get(start..end).unwrap_or_default();
        if is_plain { Cow::Borrowed(raw) } else { Cow::Owned(unescaped(raw)) }
    }

    /// The number, `true`, `false` or `null` that comes next, as it is written.
    pub(crate) fn word(&mut self) -> &'a str {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            self.at += 1;
        }
        if self.at == start {
            // No JSON: one character on, so that the scan ends.
            self.at += self.text.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Skips the next value and returns its text.
    pub(crate) fn skip(&mut self) -> &'a str {
        self.pass_over(b"");
        let start = self.at.min(self.text.len());
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b'"' => self.pass_text(),
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => self.at += 1,
                _ => {
                    self.word();
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn pass_over(&mut self, signs: &[u8]) {
        while self.byte().is_some_and(|byte| b" \t\n\r".contains(&byte) || signs.contains(&byte)) {
            self.at += 1;
        }
    }

    fn pass_text(&mut self) {
        self.at += 1;
        while let Some(byte) = self.byte() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
    }
}

/// The string that the inside of a JSON string stands for. Half a surrogate pair becomes U+FFFD.
pub(crate) fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(sign) = rest.chars().next() else { break };
        rest = &rest[sign.len_utf8()..];
        match sign {
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'u' => text.push(code_point(&mut rest)),
            plain => text.push(plain),
        }
    }
    text.push_str(rest);
    text
}

fn code_point(rest: &mut &str) -> char {
    let first = code_unit(rest).unwrap_or(0xfffd);
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    let mut ahead = rest.strip_prefix("\\u").unwrap_or_default();
    match code_unit(&mut ahead) {
        Some(second @ 0xdc00..0xe000) => {
            *rest = ahead;
            let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ => char::REPLACEMENT_CHARACTER,
    }
}

fn code_unit(rest: &mut &str) -> Option<u32> {
    let unit = u32::from_str_radix(rest.get(..4)?, 16).ok()?;
    *rest = &rest[4..];
    Some(unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn strings_mean_what_serde_json_says() {
        for json in [r#""""#, r#""a""#, r#""\"\\\/\b\f\n\r\t""#, r#""\u00e9\ud83d\ude00é""#, r#""a\u0000b""#]
        {
            let expected: String = serde_json::from_str(json).unwrap();
            assert_eq!(Scan::new(json).text(), expected, "{json}");
        }
        assert_eq!(Scan::new(r#""\ud83dx""#).text(), "\u{fffd}x");
        assert_eq!(Scan::new(r#""\ud83d\u0041""#).text(), "\u{fffd}A");
    }

    #[test]
    fn skipping_ends_behind_the_value() {
        let mut scan = Scan::new(r#"[{"a":"]}\"","b":[1,{}]},-1.5e3 , null]"#);
        assert_eq!(scan.kind(), Kind::Array);
        scan.enter();
        assert!(scan.next_item());
        assert_eq!(scan.skip(), r#"{"a":"]}\"","b":[1,{}]}"#);
        assert!(scan.next_item());
        assert_eq!((scan.kind(), scan.word()), (Kind::Number, "-1.5e3"));
        assert!(scan.next_item());
        assert_eq!(scan.kind(), Kind::Null);
        scan.skip();
        assert!(!scan.next_item());
    }

    fn rebuilt(scan: &mut Scan<'_>) -> Value {
        match scan.kind() {
            Kind::Object => {
                scan.enter();
                let mut fields = serde_json::Map::new();
                while let Some(name) = scan.next_field() {
                    fields.insert(name.into_owned(), rebuilt(scan));
                }
                Value::Object(fields)
            }
            Kind::Array => {
                scan.enter();
                let mut items = Vec::new();
                while scan.next_item() {
                    items.push(rebuilt(scan));
                }
                Value::Array(items)
            }
            Kind::Text => Value::String(scan.text().into_owned()),
            Kind::Number => serde_json::from_str(scan.word()).unwrap_or(Value::Null),
            Kind::Bool(truth) => {
                scan.word();
                Value::Bool(truth)
            }
            Kind::Null => {
                scan.word();
                Value::Null
            }
        }
    }

    fn a_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,6}|[\\\\\"\n\u{1}]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("\\PC{0,4}", inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_reads_back(value in a_value(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert_eq!(rebuilt(&mut Scan::new(&text)), value);
            prop_assert_eq!(Scan::new(&text).skip(), &*text);
        }

        #[test]
        fn the_scan_of_anything_ends(text in "[\\[\\]{}\":,a\\\\ué1 ]{0,40}") {
            rebuilt(&mut Scan::new(&text));
            Scan::new(&text).skip();
        }
    }
}
