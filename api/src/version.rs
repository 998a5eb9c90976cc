//! Versions of what can be changed: `ETag` and `If-Match` (RFC 9110).

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use posthorn_manage::Expected;

use crate::state::Shared;

/// The `ETag` of a revision.
pub(crate) fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// Which version a change is based on.
pub(crate) struct IfMatch(pub(crate) Expected);

impl FromRequestParts<Shared> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Infallible> {
        Ok(Self(read(&parts.headers)))
    }
}

/// A tag that is none of ours stands for a version that never was.
fn read(headers: &HeaderMap) -> Expected {
    let Some(wanted) = headers.get(header::IF_MATCH) else { return Expected::Anything };
    let wanted = wanted.to_str().unwrap_or_default();
    if wanted.trim() == "*" {
        return Expected::AnyVersion;
    }
    let revision = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Expected::OneOf(wanted.split(',').filter_map(revision).collect())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn tags_are_read_and_those_of_others_match_nothing() {
        let read = |text| read(&HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(text))]));
        assert_eq!(super::read(&HeaderMap::new()), Expected::Anything);
        assert_eq!(read(" * "), Expected::AnyVersion);
        assert_eq!(read("\"3\", \"x\",\"5\""), Expected::OneOf(vec![3, 5]));
        assert_eq!(read("3"), Expected::OneOf(Vec::new()));
        assert_eq!(read("W/\"3\""), Expected::OneOf(Vec::new()));
    }
}
