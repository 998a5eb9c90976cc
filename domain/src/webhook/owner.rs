//! Checks of what an owner enters for a webhook; each problem is a text for the owner.

use std::collections::BTreeMap;

use crate::address::host_name;

/// The longest name and contact, in characters.
pub const LONGEST_NAME: usize = 200;
/// The longest name of a mailbox (RFC 5321, 4.5.3.1.1), in bytes.
const LONGEST_MAILBOX: usize = 64;
/// The longest description, in characters.
pub const LONGEST_DESCRIPTION: usize = 2000;
/// The most headers of its own.
pub const MOST_HEADERS: usize = 20;
/// The longest value of such a header, in bytes.
pub const LONGEST_HEADER: usize = 1024;
/// The most entries of its metadata.
pub const MOST_METADATA: usize = 50;
/// The longest key of the metadata, in characters.
pub const LONGEST_KEY: usize = 40;
/// The longest value of the metadata, in characters.
pub const LONGEST_VALUE: usize = 500;
/// The shortest and the longest deadline of an attempt, in milliseconds.
pub const TIMEOUT_MS: std::ops::RangeInclusive<u32> = 1000..=30_000;
/// How many attempts each dispatcher may make at a time.
pub const IN_FLIGHT: std::ops::RangeInclusive<u16> = 1..=1000;

/// Set by Posthorn, by HTTP itself, or taken for someone else's by receivers.
const FORBIDDEN: [&str; 20] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
    "user-agent",
    "traceparent",
    "tracestate",
    "cookie",
    "date",
];
const FORBIDDEN_PREFIXES: [&str; 4] = ["webhook-", "posthorn-", "x-forwarded-", "sec-"];

/// What is wrong with a text that may be at most `most` characters, none of them a control character
/// but line ends.
pub fn check_text(text: &str, most: usize) -> Result<(), String> {
    let length = text.chars().count();
    if length > most {
        return Err(format!("{length} characters are too many: at most {most} are allowed"));
    }
    match text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        true => Err("it holds a control character".to_owned()),
        false => Ok(()),
    }
}

/// What is wrong with an address for notifications.
pub fn check_contact(contact: &str) -> Result<(), String> {
    check_text(contact, LONGEST_NAME)?;
    let is_name =
        |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c));
    let has_words = |name: &str| name.split('.').all(|part| !part.is_empty() && is_name(part));
    let parts = contact.split_once('@').filter(|(name, host)| has_words(name) && host.is_ascii());
    let Some((name, host)) = parts else {
        return Err("it is not an e-mail address such as ops@example.com".to_owned());
    };
    if name.len() > LONGEST_MAILBOX {
        return Err(format!(
            "what comes before @ has {} characters: at most {LONGEST_MAILBOX} are possible",
            name.len()
        ));
    }
    // What no mail server could be sent to is refused like hosts of URLs are.
    match host_name::problem(host).or(host.contains('_').then(|| "it holds _".to_owned())) {
        Some(problem) => Err(format!("its host is no name of a mail server: {problem}")),
        None => Ok(()),
    }
}

/// What is wrong with a header of a webhook's own.
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(is_token) {
        return Err("it is not the name of a header".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    let is_forbidden = FORBIDDEN.contains(&lower.as_str())
        || FORBIDDEN_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
    if is_forbidden {
        return Err("Posthorn or HTTP itself sets this header".to_owned());
    }
    if value.len() > LONGEST_HEADER {
        return Err(format!("its value is {} bytes: at most {LONGEST_HEADER} are allowed", value.len()));
    }
    match value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) && value.trim() == value {
        true => Ok(()),
        false => Err("its value may hold only visible ASCII characters, and spaces between".to_owned()),
    }
}

/// What is wrong with headers of a webhook's own: of which one (none: of all), and what.
pub fn check_headers(headers: &BTreeMap<String, String>) -> Vec<(Option<&str>, String)> {
    if headers.len() > MOST_HEADERS {
        return vec![(None, format!("{} headers, at most {MOST_HEADERS} are allowed", headers.len()))];
    }
    let wrong = headers.iter().filter_map(|(name, value)| {
        let is_twice = headers.keys().filter(|other| other.eq_ignore_ascii_case(name)).count() > 1;
        let twice = is_twice.then(|| "the same header is there in another spelling".to_owned());
        Some((Some(name.as_str()), check_header(name, value).err().or(twice)?))
    });
    wrong.collect()
}

/// What is wrong with metadata: of which entry (none: of all), and what.
pub fn check_metadata(metadata: &BTreeMap<String, String>) -> Vec<(Option<&str>, String)> {
    if metadata.len() > MOST_METADATA {
        return vec![(None, format!("{} entries, at most {MOST_METADATA} are allowed", metadata.len()))];
    }
    let check = |key: &str, value: &str| {
        check_text(key, LONGEST_KEY).map_err(|problem| format!("its key: {problem}"))?;
        check_text(value, LONGEST_VALUE)
    };
    let wrong =
        metadata.iter().filter_map(|(key, value)| Some((Some(key.as_str()), check(key, value).err()?)));
    wrong.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_others_are_refused() {
        for name in
            ["Host", "content-length", "Webhook-Id", "posthorn-attempt", "TE", "X-Forwarded-For", "a b", ""]
        {
            assert!(check_header(name, "x").is_err(), "{name}");
        }
        for name in ["authorization", "X-Api-Key", "x_tenant"] {
            assert_eq!(check_header(name, "Bearer abc"), Ok(()), "{name}");
        }
        for value in ["a\r\nb", " a", "é", &"x".repeat(2000)] {
            assert!(check_header("x-key", value).is_err(), "{value:?}");
        }
        let twice = BTreeMap::from([("X-A".to_owned(), String::new()), ("x-a".to_owned(), String::new())]);
        assert_eq!(check_headers(&twice).len(), 2);
    }

    #[test]
    fn contacts_are_addresses() {
        for good in ["ops@example.com", "first.last+posthorn@mail.example.com"] {
            assert_eq!(check_contact(good), Ok(()));
        }
        for bad in [
            "",
            "ops",
            "@example.com",
            "Ops <ops@example.com>",
            "ops,dev@example.com",
            "a@b..c",
            "a b@example.com",
            "a@b@c",
            "a@b\r\nBcc: x",
            "a@my_host.example.com",
            &format!("{}@example.com", "a".repeat(65)),
            &format!("a@{}.example.com", "a".repeat(64)),
        ] {
            assert!(check_contact(bad).is_err(), "{bad:?}");
        }
        assert_eq!(check_contact(&format!("{}@example.com", "a".repeat(64))), Ok(()));
    }

    #[test]
    fn texts_are_bounded() {
        assert_eq!(check_text("two\nlines", 9), Ok(()));
        assert!(check_text("too long", 7).is_err());
        assert!(check_text("nul\0", 9).is_err());
    }
}
