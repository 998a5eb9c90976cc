//! Event types such as `todo.created`, and patterns over them such as `todo.*`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest event type in bytes: it is an AMQP routing key, a short string.
pub const LONGEST: usize = 255;

/// The beginning of the types of Posthorn's own events, the notifications about webhooks.
pub const RESERVED: &str = "webhook.";

/// Whether events of this type are Posthorn's own. Nobody else publishes them, and only rules that name
/// them want them.
pub fn is_reserved(event_type: &str) -> bool {
    event_type.starts_with(RESERVED)
}

/// Whether `text` is an event type: dot-separated, non-empty parts of `[A-Za-z0-9_]`.
pub fn is_event_type(text: &str) -> bool {
    text.len() <= LONGEST
        && text.split('.').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
}

/// An event type in which each `*` stands for any run of characters, an empty one and dots included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TypePattern(String);

/// A text that is no event type pattern.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not an event type: use letters, digits and _ in parts joined by dots, and * for any run of characters, such as todo.created or todo.*"
)]
pub struct BadTypePattern(String);

impl TypePattern {
    /// Whether the event type fits.
    pub fn matches(&self, event_type: &str) -> bool {
        fits(self.0.as_bytes(), event_type.as_bytes())
    }

    /// Whether a rule that lists this pattern wants events of the type. Posthorn's own must be named, as
    /// `webhook.*` does and `*` does not.
    pub fn wants(&self, event_type: &str) -> bool {
        self.matches(event_type) && (!is_reserved(event_type) || is_reserved(&self.0))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The event type if there is no `*` in it.
    pub fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
    }
}

/// Glob matching in O(pattern × text) at worst: on a mismatch the last `*` takes one more byte.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            last_star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, taken)) = last_star {
            last_star = Some((star, taken + 1));
            p = star + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

impl FromStr for TypePattern {
    type Err = BadTypePattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sample = text.replace('*', "x");
        match is_event_type(&sample) {
            true => Ok(Self(text.to_owned())),
            false => Err(BadTypePattern(text.to_owned())),
        }
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<TypePattern> for String {
    fn from(pattern: TypePattern) -> Self {
        pattern.0
    }
}

impl TryFrom<String> for TypePattern {
    type Error = BadTypePattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn event_types_are_dotted_words() {
        for good in ["todo.created", "a", "A_1.b.c"] {
            assert!(is_event_type(good), "{good}");
        }
        for bad in ["", ".", "todo.", ".todo", "todo..created", "to do", "todo-created", "tödo", "todo.*"] {
            assert!(!is_event_type(bad), "{bad}");
        }
        assert!(!is_event_type(&"x".repeat(256)));
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let table = [
            ("*", "todo.created", true),
            ("todo.*", "todo.created", true),
            ("todo.*", "todo.item.created", true),
            ("todo.*", "todos.created", false),
            ("*.created", "todo.created", true),
            ("*.created", "todo.created.late", false),
            ("todo*", "todo", true),
            ("t*o*d", "todo.created", true),
            ("t*x*d", "todo.created", false),
            ("todo.created", "todo.created", true),
            ("todo.created", "todo.createdd", false),
        ];
        for (pattern, event_type, expected) in table {
            let pattern: TypePattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(event_type), expected, "{pattern} {event_type}");
        }
        assert!("todo. created".parse::<TypePattern>().is_err());
        assert!("".parse::<TypePattern>().is_err());
    }

    #[test]
    fn the_types_of_our_own_events_must_be_named() {
        let wants = |pattern: &str, event_type| pattern.parse::<TypePattern>().unwrap().wants(event_type);
        for naming in ["webhook.*", "webhook.disabled", "webhook.dis*"] {
            assert!(wants(naming, "webhook.disabled"), "{naming}");
        }
        for other in ["*", "*.disabled", "web*", "webhook*", "webhook.enabled"] {
            assert!(!wants(other, "webhook.disabled"), "{other}");
        }
        assert!(wants("*", "webhooks.disabled") && wants("web*", "webhook"));
    }

    fn fits_by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|taken| fits_by_definition(rest, &text[taken..])),
            Some((first, rest)) => text.first() == Some(first) && fits_by_definition(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(pattern in "[ab.*]{0,8}", text in "[ab.]{0,10}") {
            prop_assert_eq!(
                fits(pattern.as_bytes(), text.as_bytes()),
                fits_by_definition(pattern.as_bytes(), text.as_bytes())
            );
        }
    }
}
