//! Values in a JSON text that PostgreSQL cannot store: NUL, half a surrogate pair, numbers too long, nesting
//! too deep.
//!
//! Texts are judged by their meaning, not their escapes: `"C:\\u0000"` holds no NUL. serde_json accepts such
//! texts until they are read, and the database refuses them later without saying where.

use crate::problem::{Problem, Problems, below};

/// The most problems that are reported of a text.
const MOST_PROBLEMS: usize = 20;
/// The deepest nesting: PostgreSQL reads JSON by recursion.
const DEEPEST: usize = 200;
/// The most characters of a field's name that a pointer shows.
const LONGEST_NAME: usize = 300;
/// The most characters of a number, and its largest exponent.
const LONGEST_NUMBER: usize = 1000;
const LARGEST_EXPONENT: u32 = 10_000;

/// The values in a JSON text that cannot be stored, each with its place. The text must be valid JSON.
pub fn problems(json: &str) -> Vec<Problem> {
    let mut walk = Walk { json, at: 0, inside: Vec::new(), problems: Problems::default() };
    while walk.problems.0.len() < MOST_PROBLEMS && walk.step() {}
    walk.problems.0
}

/// A walk through a JSON text without recursion.
struct Walk<'j> {
    json: &'j str,
    at: usize,
    inside: Vec<Inside>,
    problems: Problems,
}

/// An object or array that the walk is in.
enum Inside {
    /// Before a field's name.
    Object,
    /// Before or in the value of this field.
    Field(String),
    /// Before or in the item at this place.
    Array(usize),
}

impl Walk<'_> {
    /// Goes one token on; false at the end.
    fn step(&mut self) -> bool {
        let Some(byte) = self.json.as_bytes().get(self.at).copied() else { return false };
        match byte {
            b'"' => return self.text(),
            b'-' | b'0'..=b'9' => return self.number(),
            b'{' | b'[' if self.inside.len() == DEEPEST => return self.too_deep(),
            b'{' => self.inside.push(Inside::Object),
            b'[' => self.inside.push(Inside::Array(0)),
            b'}' | b']' => drop(self.inside.pop()),
            b',' => match self.inside.last_mut() {
                Some(Inside::Array(place)) => *place += 1,
                Some(field) => *field = Inside::Object,
                None => {}
            },
            _ => {}
        }
        self.at += 1;
        true
    }

    /// Ends the walk: deeper values are not checked.
    fn too_deep(&mut self) -> bool {
        let message = format!("at most {DEEPEST} levels are allowed");
        let (pointer, found) = (self.pointer(), &self.json[self.at..=self.at]);
        self.problems.add(&pointer, "too_deep", found, message);
        false
    }

    fn text(&mut self) -> bool {
        let start = self.at + 1;
        let Some(length) = length_of_text(&self.json.as_bytes()[start..]) else { return false };
        let written = &self.json[start..start + length];
        self.at = start + length + 1;
        let fault = fault_of(written);
        if let Some(Inside::Object) = self.inside.last() {
            let name =
                serde_json::from_str(&self.json[start - 1..self.at]).unwrap_or_else(|_| shown(written));
            let name = cut_short(name);
            self.inside.pop();
            self.inside.push(Inside::Field(name));
        }
        if let Some(fault) = fault {
            let (pointer, found) = (self.pointer(), &self.json[start - 1..self.at]);
            self.problems.add(&pointer, "bad_text", found, fault);
        }
        true
    }

    fn number(&mut self) -> bool {
        let rest = &self.json[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
        let number = &rest[..end.unwrap_or(rest.len())];
        self.at += number.len();
        if !is_bounded(number) {
            let message = format!(
                "a number has at most {LONGEST_NUMBER} characters and an exponent within ±{LARGEST_EXPONENT}"
            );
            let pointer = self.pointer();
            self.problems.add(&pointer, "number_out_of_range", number, message);
        }
        true
    }

    fn pointer(&self) -> String {
        self.inside.iter().fold(String::new(), |pointer, inside| match inside {
            Inside::Object => pointer,
            Inside::Field(name) => below(&pointer, name),
            Inside::Array(place) => below(&pointer, &place.to_string()),
        })
    }
}

/// Up to the quote that ends a text.
fn length_of_text(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn is_bounded(number: &str) -> bool {
    let exponent = number.split_once(['e', 'E']).map_or("0", |(_, exponent)| exponent);
    let exponent = exponent.trim_start_matches(['+', '-']).trim_start_matches('0');
    let is_small =
        exponent.is_empty() || exponent.parse().is_ok_and(|exponent: u32| exponent <= LARGEST_EXPONENT);
    number.len() <= LONGEST_NUMBER && is_small
}

/// What is wrong with a text as it is written between its quotes.
fn fault_of(written: &str) -> Option<&'static str> {
    let mut rest = written;
    while let Some(at) = rest.find('\\') {
        rest = &rest[at + 1..];
        let unit = rest.strip_prefix('u').and_then(unit);
        match unit {
            Some(0) => return Some("it holds a NUL, which no text here may"),
            Some(0xD800..=0xDBFF) => match rest[5..].strip_prefix("\\u").and_then(self::unit) {
                Some(0xDC00..=0xDFFF) => rest = &rest[6..],
                _ => return Some(HALF),
            },
            Some(0xDC00..=0xDFFF) => return Some(HALF),
            _ => {}
        }
        let next = rest.chars().next()?;
        rest = &rest[next.len_utf8()..];
    }
    None
}

const HALF: &str = "it holds half of a surrogate pair, which stands for no character";

fn unit(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits.get(..4)?, 16).ok()
}

/// A name as pointers show it: each problem repeats those around it.
fn cut_short(name: String) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

/// A name that cannot be read, with what stands for no character replaced.
fn shown(written: &str) -> String {
    crate::pattern::scan::unescaped(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(json: &str) -> Vec<(String, &'static str)> {
        problems(json).into_iter().map(|problem| (problem.pointer, problem.code)).collect()
    }

    #[test]
    fn what_cannot_be_kept_is_told_with_its_place() {
        let bad = |pointer: &str| vec![(pointer.to_owned(), "bad_text")];
        assert_eq!(places(r#"{"data":{"a":[1,"x\u0000y"]}}"#), bad("/data/a/1"));
        assert_eq!(places(r#"{"data":{"a":["\ud800"]}}"#), bad("/data/a/0"));
        assert_eq!(places(r#"["\udc00"]"#), bad("/0"));
        assert_eq!(places(r#"["\ud800\u0041"]"#), bad("/0"));
        assert_eq!(places(r#"["\ud800\\udc00"]"#), bad("/0"));
        assert_eq!(places(r#"{"a\u0000":1}"#), bad("/a\0"));
        assert_eq!(places(r#"{"a":{"\uD800b":1},"c":2}"#), bad("/a/\u{fffd}b"));
        assert_eq!(places(r#""\u0000""#), bad(""));
    }

    #[test]
    fn a_text_is_judged_by_what_it_means() {
        for good in [
            r#"{"path":"C:\\u0000dir"}"#,
            r#"["\ud83d\ude00", "\\ud800", "\"", "\\\\"]"#,
            r#"{"a":[{"b":[]},[1,2],{}],"c":-1.5e+300,"d":12345678901234567890.5,"e":true}"#,
        ] {
            assert_eq!(places(good), [], "{good}");
        }
    }

    #[test]
    fn numbers_without_end_are_refused() {
        let long = format!("[1, {{\"n\": 0.{}1}}]", "0".repeat(1000));
        assert_eq!(places(&long), [("/1/n".to_owned(), "number_out_of_range")]);
        assert_eq!(places("[1e-99999]"), [("/0".to_owned(), "number_out_of_range")]);
        assert_eq!(places("[1E0000000000000000308]"), []);
    }

    #[test]
    fn depth_and_many_faults_are_bounded() {
        let deep = format!("{}\"\\u0000\"{}", "[".repeat(100_000), "]".repeat(100_000));
        let told = problems(&deep);
        assert_eq!((told.len(), told[0].code), (1, "too_deep"));
        let long = format!("{{\"{}\": \"\\u0000\"}}", "x".repeat(100_000));
        assert!(problems(&long)[0].pointer.len() < 400);
        let many = format!("[{}0]", "\"\\u0000\",".repeat(1000));
        assert_eq!(places(&many).len(), MOST_PROBLEMS);
    }
}
