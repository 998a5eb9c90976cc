//! The URL of a webhook: read strictly, kept as it was given.
//!
//! Browsers correct URLs silently: they drop tabs and line ends, replace `\` by `/`, and add slashes after
//! `http:`. Here such a URL is refused with the reason, since it is likely a mistake.

use std::{cell::RefCell, fmt};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::{ParseError, SyntaxViolation, Url};

use super::forbidden::{Forbidden, LONGEST_URL};

/// Characters that are escaped in a query. Browsers also escape `'`, which would change the query.
const NOT_IN_QUERIES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// A webhook's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    parts: Url,
    written: String,
}

impl WebhookUrl {
    pub(super) fn read(text: &str) -> Result<Self, Forbidden> {
        if text.len() > LONGEST_URL {
            return Err(Forbidden::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(Forbidden::NotAUrl("it holds a tab, a line end or another control character"));
        }
        let parts = parse(text)?;
        if !parts.username().is_empty() || parts.password().is_some() {
            return Err(Forbidden::UserInfo);
        }
        if parts.fragment().is_some() {
            return Err(Forbidden::Fragment);
        }
        let written = written(&parts, text);
        match written.len() > LONGEST_URL {
            true => Err(Forbidden::TooLong),
            false => Ok(Self { parts, written }),
        }
    }

    /// Its parts. Their query is escaped as browsers do it; the query that is sent is in [`Self::as_str`].
    pub fn parts(&self) -> &Url {
        &self.parts
    }

    /// All of it, the query byte for byte as given: what is saved and sent.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Parses a URL that needs no correction.
fn parse(text: &str) -> Result<Url, Forbidden> {
    let found = RefCell::new(None);
    let note = |violation| {
        let mut found = found.borrow_mut();
        *found = found.take().or_else(|| mistake(violation));
    };
    let parsed = Url::options().syntax_violation_callback(Some(&note)).parse(text);
    let url = parsed.map_err(|error| Forbidden::NotAUrl(reason(error)))?;
    found.take().map_or(Ok(url), Err)
}

/// A correction that browsers would make silently, if it changes the meaning.
fn mistake(violation: SyntaxViolation) -> Option<Forbidden> {
    match violation {
        SyntaxViolation::Backslash => Some(Forbidden::NotAUrl("it holds \\ where / is meant")),
        SyntaxViolation::C0SpaceIgnored => Some(Forbidden::NotAUrl("it begins or ends with a space")),
        SyntaxViolation::EmbeddedCredentials | SyntaxViolation::UnencodedAtSign => Some(Forbidden::UserInfo),
        SyntaxViolation::ExpectedDoubleSlash => {
            Some(Forbidden::NotAUrl("after its scheme come // and the host, as in https://example.com/"))
        }
        _ => None,
    }
}

fn reason(error: ParseError) -> &'static str {
    match error {
        ParseError::EmptyHost => "it has no host",
        ParseError::IdnaError | ParseError::InvalidDomainCharacter => {
            "its host holds characters that no name can have"
        }
        ParseError::InvalidPort => "its port is no number up to 65535",
        ParseError::InvalidIpv4Address => "its host ends like an IPv4 address, but is none",
        ParseError::InvalidIpv6Address => "what stands in [] is no IPv6 address",
        ParseError::RelativeUrlWithoutBase => "it does not begin with https://",
        _ => "it cannot be read",
    }
}

/// The URL with the query that was given.
fn written(parts: &Url, text: &str) -> String {
    let (before, query) = (text.split_once('?'), parts.query());
    let (Some((_, given)), Some(_)) = (before, query) else { return parts.to_string() };
    let mut without = parts.clone();
    without.set_query(None);
    format!("{without}?{}", utf8_percent_encode(given, NOT_IN_QUERIES))
}
