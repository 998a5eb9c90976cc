//! Versions of what can be changed: `ETag` and `If-Match` (RFC 9110).

use axum::http::{HeaderMap, header};

use crate::problem::{Kind, Problem};

/// The `ETag` of a revision.
pub(crate) fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// Whether a change may be based on any version.
pub(crate) fn is_any(headers: &HeaderMap) -> bool {
    headers.get(header::IF_MATCH).is_none_or(|wanted| wanted.as_bytes().trim_ascii() == b"*")
}

/// Refuses a change that is based on another version than this one; without `If-Match` it is based on any.
pub(crate) fn check(headers: &HeaderMap, revision: i64) -> Result<(), Problem> {
    let Some(wanted) = headers.get(header::IF_MATCH) else { return Ok(()) };
    let wanted = wanted.to_str().unwrap_or_default();
    let tag = etag(revision);
    match wanted.trim() == "*" || wanted.split(',').any(|wanted| wanted.trim() == tag) {
        true => Ok(()),
        false => Err(Problem::new(Kind::Changed, format!("it was changed: its version is {tag} now"))),
    }
}
