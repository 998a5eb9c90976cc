//! The words of a database URL that are read here, not by the client library, which knows few of
//! libpq's for TLS.

use std::collections::BTreeMap;

const OURS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// A URL, or words such as `host=… user=…`, as libpq takes both.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// What the client library reads.
    pub(super) rest: String,
    /// What is read here; the last word counts.
    pub(super) ours: BTreeMap<String, String>,
}

impl Words {
    /// Takes our words out. A text that cannot be read is left to the client library, which says why.
    pub(super) fn of(text: &str) -> Self {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        let text_without_words = Self { rest: text.to_owned(), ours: BTreeMap::new() };
        match is_url {
            true => Self::of_url(text),
            false => Self::of_words(text),
        }
        .unwrap_or(text_without_words)
    }

    /// One of them.
    pub(super) fn get(&self, word: &str) -> Option<&str> {
        self.ours.get(word).map(String::as_str)
    }

    fn of_url(text: &str) -> Option<Self> {
        // A password may hold a question mark.
        let after_password = text.find('@').unwrap_or_default();
        let start = after_password + text[after_password..].find('?')?;
        let (before, query) = (&text[..start], &text[start + 1..]);
        let mut words = Self::default();
        let mut kept = Vec::new();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=')?;
            match OURS.contains(&decoded(key)?.as_str()) {
                true => drop(words.ours.insert(decoded(key)?, decoded(value)?)),
                false => kept.push(pair),
            }
        }
        words.rest = match kept.is_empty() {
            true => before.to_owned(),
            false => format!("{before}?{}", kept.join("&")),
        };
        Some(words)
    }

    fn of_words(text: &str) -> Option<Self> {
        let mut words = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (key, after) = rest.split_once('=')?;
            let (value, after) = value(after.trim_start())?;
            match OURS.contains(&key.trim_end()) {
                true => drop(words.ours.insert(key.trim_end().to_owned(), value)),
                false => words.rest += &format!("{}='{}' ", key.trim_end(), quoted(&value)),
            }
            rest = after.trim_start();
        }
        Some(words)
    }
}

/// The value that a text begins with, and what comes after it.
fn value(text: &str) -> Option<(String, &str)> {
    let (is_quoted, text) = text.strip_prefix('\'').map_or((false, text), |text| (true, text));
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, c)) = characters.next() {
        match c {
            '\\' => value.push(characters.next()?.1),
            '\'' if is_quoted => return Some((value, &text[place + 1..])),
            c if c.is_whitespace() && !is_quoted => return Some((value, &text[place..])),
            c => value.push(c),
        }
    }
    (!is_quoted).then_some((value, ""))
}

fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\'")
}

fn decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Vec<(String, String)>) {
        let words = Words::of(text);
        (words.rest, words.ours.into_iter().collect())
    }

    fn word(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn our_words_are_taken_out_of_urls() {
        let url = "postgres://u:p?@h/d?sslmode=verify-full&options=-c%20a%3Db&sslrootcert=%2Fa%20b.crt";
        let ours = vec![word("sslmode", "verify-full"), word("sslrootcert", "/a b.crt")];
        assert_eq!(read(url), ("postgres://u:p?@h/d?options=-c%20a%3Db".to_owned(), ours));
        assert_eq!(read("postgres:///d?sslmode=disable").0, "postgres:///d");
        assert_eq!(read("postgres://h"), ("postgres://h".to_owned(), vec![]));
    }

    #[test]
    fn our_words_are_taken_out_of_words() {
        let text = r"host=h  password = 'it\'s \\' sslmode= 'require' options='-c a=b'";
        let rest = r"host='h' password='it\'s \\' options='-c a=b' ";
        assert_eq!(read(text), (rest.to_owned(), vec![word("sslmode", "require")]));
    }

    #[test]
    fn what_cannot_be_read_is_left_as_it_is() {
        for text in ["nonsense", "postgres://h?sslmode", "host='h", "postgres://h?%ff=a"] {
            assert_eq!(read(text), (text.to_owned(), vec![]));
        }
    }
}
