//! Hides the values of a webhook's own headers where its receiver echoes them.

/// What stands for a hidden value.
const HIDDEN: &str = "[hidden]";
/// Bytes of the shortest value, or word of a value, that is masked: shorter ones are no secrets, and occur by
/// chance.
const SHORTEST: usize = 4;
const SHORTEST_WORD: usize = 8;

/// The texts to hide, the longest first.
#[derive(Debug, Default)]
pub(crate) struct Masks(Box<[Box<str>]>);

impl Masks {
    /// Hides these values of headers: whole, each of their words (of `Bearer abcdef` the token too), and as
    /// they stand in JSON.
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let parts = values.flat_map(|value| {
            let words = value.split(' ').filter(|word| word.len() >= SHORTEST_WORD);
            words.chain(Some(value).filter(|value| value.len() >= SHORTEST))
        });
        let mut texts: Vec<Box<str>> = parts.flat_map(|part| [part.into(), in_json(part).into()]).collect();
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        texts.dedup();
        Self(texts.into())
    }

    pub(crate) fn hide(&self, text: String) -> String {
        self.0.iter().fold(text, |text, hidden| match text.contains(&**hidden) {
            true => text.replace(&**hidden, HIDDEN),
            false => text,
        })
    }

    /// The same of a text that was cut off: the beginning of a value at its end is hidden too.
    pub(crate) fn hide_in_cut(&self, text: &str) -> String {
        let text = self.hide(text.to_owned());
        let is_begun = |length: &usize| {
            let end = &text.as_bytes()[text.len() - length..];
            self.0.iter().any(|hidden| hidden.as_bytes().starts_with(end))
        };
        match (SHORTEST..=text.len()).rev().find(is_begun) {
            Some(length) => format!("{}{HIDDEN}", &text[..text.len() - length]),
            None => text,
        }
    }
}

/// Values hold visible ASCII only.
fn in_json(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_whole_in_words_and_in_json() {
        let masks = Masks::of(["Bearer tok-123456", r#"say "hello" \o"#, "abc"].into_iter());
        let hide = |text: &str| masks.hide(text.to_owned());
        assert_eq!(hide("got Bearer tok-123456!"), "got [hidden]!");
        assert_eq!(hide("token=tok-123456"), "token=[hidden]");
        assert_eq!(hide(r#"{"x": "say \"hello\" \\o"}"#), r#"{"x": "[hidden]"}"#);
        assert_eq!(hide("abc, or Bearer"), "abc, or Bearer");
        assert_eq!(masks.hide_in_cut("é tok-123456, then tok-12"), "é [hidden], then [hidden]");
        assert_eq!(masks.hide_in_cut("to"), "to");
        assert_eq!(Masks::default().hide_in_cut("tok-12"), "tok-12");
    }
}
