//! Case folding.

use std::borrow::Cow;

/// The text in which letters that differ only by case are the same. Letters map one to one: `ß` stays
/// and is not `SS`.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    match is_plain(text) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().map(fold).collect()),
    }
}

/// Whether the text is equal to its folded form, as ASCII without capitals is.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

fn fold(letter: char) -> char {
    single(single(letter, letter.to_uppercase()), single(letter, letter.to_uppercase()).to_lowercase())
}

fn single(letter: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn letters_that_differ_only_by_case_fold_to_one() {
        for (one, other) in [("EC2", "ec2"), ("ÄÖ", "äö"), ("Σ", "σ"), ("ς", "σ"), ("Я", "я")] {
            assert_eq!(folded(one), folded(other));
        }
        for (one, other) in [("ß", "ss"), ("a", "b"), ("i̇", "i")] {
            assert_ne!(folded(one), folded(other));
        }
    }
}
