//! What the API refuses, in its own words (RFC 9457), and why it cannot be asked.

use std::fmt;

use reqwest::{StatusCode, Url};
use serde::Deserialize;

/// Why the API did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    Refused(Problem),
    #[error("cannot reach the API at {base}")]
    Unreachable { base: Url, source: reqwest::Error },
    #[error("{base} answered {status}, and not as the management API does")]
    Stranger { base: Url, status: StatusCode },
}

/// A problem as the API tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    status: u16,
    detail: String,
    #[serde(default)]
    errors: Vec<Wrong>,
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Wrong {
    pointer: Option<String>,
    parameter: Option<String>,
    detail: String,
}

impl ApiError {
    /// What an answer without success says.
    pub(super) fn of(base: &Url, status: StatusCode, retry_after: Option<u64>, text: &str) -> Self {
        match serde_json::from_str::<Problem>(text) {
            Ok(problem) => Self::Refused(Problem { retry_after, ..problem }),
            Err(_) => Self::Stranger { base: base.clone(), status },
        }
    }

    /// Whether the same may well succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(Problem { status, .. }) => *status == 429 || *status == 503,
            Self::Unreachable { .. } => true,
            Self::Stranger { status, .. } => status.is_server_error(),
        }
    }
}

impl Problem {
    /// Whether the request was not looked at since too many came.
    pub(super) fn is_about_rates(&self) -> bool {
        self.status == 429
    }
}

impl fmt::Display for Problem {
    /// A sentence; if several things are wrong, each on a line with its place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        if let Some(seconds) = self.retry_after {
            write!(f, " (in {seconds} s)")?;
        }
        match self.errors.as_slice() {
            [] | [_] => Ok(()),
            errors => errors.iter().try_for_each(|wrong| write!(f, "\n  {wrong}")),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.pointer.as_deref().or(self.parameter.as_deref()).filter(|place| !place.is_empty());
        write!(f, "{}: {}", place.unwrap_or("the body"), self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: StatusCode, text: &str) -> ApiError {
        ApiError::of(&"http://127.0.0.1:8080".parse().unwrap(), status, None, text)
    }

    #[test]
    fn one_thing_is_told_in_a_sentence_and_several_with_their_places() {
        let one =
            r#"{"status":422,"detail":"/url: no host","errors":[{"pointer":"/url","detail":"no host"}]}"#;
        assert_eq!(error(StatusCode::UNPROCESSABLE_ENTITY, one).to_string(), "/url: no host");
        let two = r#"{"status":400,"detail":"2 parameters are wrong","errors":[
            {"parameter":"limit","detail":"too many"},{"pointer":"","detail":"no event"}]}"#;
        assert_eq!(
            error(StatusCode::BAD_REQUEST, two).to_string(),
            "2 parameters are wrong\n  limit: too many\n  the body: no event"
        );
    }

    #[test]
    fn what_no_api_of_ours_answers_is_told_as_such() {
        let error = error(StatusCode::BAD_GATEWAY, "<html>");
        assert!(error.is_temporary());
        assert_eq!(
            error.to_string(),
            "http://127.0.0.1:8080/ answered 502 Bad Gateway, and not as the management API does"
        );
    }
}
