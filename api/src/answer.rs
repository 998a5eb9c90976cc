//! Answers of use cases in HTTP's words: status, version, where it is, whether it was done before.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use posthorn_manage::Versioned;
use serde::Serialize;

use crate::version::etag;

/// Tells that a request was done before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A view with its version.
pub(crate) fn versioned<T: Serialize>(shown: Versioned<T>) -> Response {
    ([(header::ETAG, etag(shown.revision))], Json(shown.view)).into_response()
}

/// The answer to a request that is done once.
pub(crate) fn done(status: StatusCode, is_repeated: bool, mut answer: Response) -> Response {
    *answer.status_mut() = status;
    if is_repeated {
        answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    answer
}

/// The same, which has made something that is at `location` now.
pub(crate) fn created(status: StatusCode, location: &str, is_repeated: bool, answer: Response) -> Response {
    let mut answer = done(status, is_repeated, answer);
    let location = HeaderValue::from_str(location).expect("an id is visible ASCII");
    answer.headers_mut().insert(header::LOCATION, location);
    answer
}
