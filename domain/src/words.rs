//! Enums that are written as one word each: the same word in Rust, SQL, messages, metrics and JSON.
//!
//! `words!` is the one place where a variant meets its word. Whatever reads a word reads all of them or
//! fails with [`UnknownWord`], which names it.

/// A word that is none of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not {kind}: use {}", any_of(known))]
pub struct UnknownWord {
    /// What was read.
    pub word: String,
    /// What it should have been, such as `a webhook state`.
    pub kind: &'static str,
    /// All words that could have stood there.
    pub known: &'static [&'static str],
}

fn any_of(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        few => few.concat(),
    }
}

/// Defines an enum whose variants are words. `words!` takes what one of them is called, for
/// [`UnknownWord`], and each variant with its word.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $kind:literal: $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every one, in order.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];
            /// Their words, in the same order.
            pub const WORDS: [&'static str; [$($word),+].len()] = [$($word),+];

            /// The word for it.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.label())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::words::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    unknown => Err(crate::words::UnknownWord {
                        word: unknown.to_owned(),
                        kind: $kind,
                        known: &Self::WORDS,
                    }),
                }
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::{outcome::UnreachableClass, replay::Kind, webhook::DisablePolicy};

    #[test]
    fn every_word_reads_back() {
        for (class, word) in UnreachableClass::ALL.into_iter().zip(UnreachableClass::WORDS) {
            assert_eq!((class.label(), word.parse()), (word, Ok(class)));
            assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{word}\""));
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_named() {
        assert_eq!(
            "some".parse::<Kind>().unwrap_err().to_string(),
            "`some` is not a kind of replay: use failed, missed or all"
        );
        assert_eq!(
            "never".parse::<DisablePolicy>().unwrap_err().to_string(),
            "`never` is not a disable policy: use exhausted or failing"
        );
    }
}
