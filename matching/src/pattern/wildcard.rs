//! Wildcards: `*` stands for any run of characters, `\*` for a star, `\\` for a backslash.

use std::fmt;

/// The literals between the stars; the first and the last are anchored. One without a star is a
/// single literal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wildcard(Box<[Box<str>]>);

/// Why a text is no wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadWildcard {
    /// Two stars in a row.
    ConsecutiveStars,
    /// A backslash before something else than `*` or `\`.
    BadEscape,
}

impl Wildcard {
    pub(crate) fn read(text: &str) -> Result<Self, BadWildcard> {
        let mut literals = vec![String::new()];
        let mut signs = text.chars().peekable();
        while let Some(sign) = signs.next() {
            match sign {
                '*' if signs.peek() == Some(&'*') => return Err(BadWildcard::ConsecutiveStars),
                '*' => literals.push(String::new()),
                '\\' => match signs.next() {
                    Some(escaped @ ('*' | '\\')) => last(&mut literals).push(escaped),
                    _ => return Err(BadWildcard::BadEscape),
                },
                plain => last(&mut literals).push(plain),
            }
        }
        Ok(Self(literals.into_iter().map(Into::into).collect()))
    }

    /// How many stars it has.
    pub(crate) fn stars(&self) -> usize {
        self.0.len() - 1
    }

    /// What stands before the first star, between stars, and behind the last; without a star, only
    /// the first.
    pub(crate) fn literals(&self) -> &[Box<str>] {
        &self.0
    }

    /// Each literal is found as early as possible, so the work is in proportion to the text for each
    /// literal.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, between @ .., end] = &*self.0 else { return *self.0[0] == *text };
        let Some(rest) = text.strip_prefix(&**first) else { return false };
        let Some(mut rest) = rest.strip_suffix(&**end) else { return false };
        for literal in between {
            let Some(at) = rest.find(&**literal) else { return false };
            rest = &rest[at + literal.len()..];
        }
        true
    }
}

fn last(literals: &mut [String]) -> &mut String {
    literals.last_mut().expect("it starts with one literal")
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, literal) in self.0.iter().enumerate() {
            let star = if place > 0 { "*" } else { "" };
            write!(f, "{star}{}", literal.replace('\\', "\\\\").replace('*', "\\*"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_stand_for_themselves_and_mistakes_are_refused() {
        let matches = |pattern: &str, text| Wildcard::read(pattern).unwrap().matches(text);
        assert!(matches(r"hel\*o", "hel*o") && !matches(r"hel\*o", "hello"));
        assert!(matches(r"a\\b", r"a\b"));
        assert!(matches("*", "") && matches("", "") && !matches("", "a"));
        assert!(matches("a*a", "aa") && !matches("a*a", "a"));
        assert_eq!(Wildcard::read("a**"), Err(BadWildcard::ConsecutiveStars));
        assert_eq!(Wildcard::read(r"a\b"), Err(BadWildcard::BadEscape));
        assert_eq!(Wildcard::read(r"a\"), Err(BadWildcard::BadEscape));
        assert_eq!(Wildcard::read(r"a\**").unwrap().to_string(), r"a\**");
    }

    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|taken| by_definition(rest, &text[taken..])),
            Some((sign, rest)) => text.first() == Some(sign) && by_definition(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            if let Ok(wildcard) = Wildcard::read(&pattern) {
                prop_assert_eq!(wildcard.matches(&text), by_definition(pattern.as_bytes(), text.as_bytes()));
                prop_assert_eq!(wildcard.to_string(), pattern);
            }
        }
    }
}
