//! Problems, as RFC 9457 has them: what every refusal and failure looks like.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use posthorn_domain::error_chain::error_chain;
use posthorn_manage::{self as manage, Error, Wrong};
use serde::Serialize;
use utoipa::ToSchema;

/// Where the kinds of problems are described: a page of this API.
const TYPES: &str = "/docs#";

/// Why a request was not done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A stable name of the kind of problem, a reference to its description, such as `/docs#not-found`.
    r#type: String,
    /// The kind in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong, in a sentence.
    detail: String,
    /// Everything that is wrong with the request, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Wrong>,
    /// In how many seconds to try again.
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// The kinds of problems: those of use cases, and those of HTTP itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A use case has refused or failed.
    Of(manage::Kind),
    /// The path is there for other methods.
    MethodNotAllowed,
    /// The body is too large.
    TooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The body came too slowly.
    TooSlow,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 19] = [
        Self::Of(manage::Kind::Unreadable),
        Self::Of(manage::Kind::BadParameters),
        Self::Of(manage::Kind::Unauthenticated),
        Self::Of(manage::Kind::Forbidden),
        Self::Of(manage::Kind::NotFound),
        Self::MethodNotAllowed,
        Self::Of(manage::Kind::Conflict),
        Self::Of(manage::Kind::Ambiguous),
        Self::Of(manage::Kind::KeyInUse),
        Self::Of(manage::Kind::Changed),
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Of(manage::Kind::Invalid),
        Self::Of(manage::Kind::KeyReused),
        Self::Of(manage::Kind::TooManyRequests),
        Self::Of(manage::Kind::OverQuota),
        Self::TooSlow,
        Self::Of(manage::Kind::Internal),
        Self::Of(manage::Kind::Unavailable),
    ];

    /// Its status, its stable name, and what it means in a few words.
    pub(crate) fn describe(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Of(kind) => describe(kind),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The path has no such method")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is not JSON")
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "The body came too slowly"),
        }
    }
}

fn describe(kind: manage::Kind) -> (StatusCode, &'static str, &'static str) {
    use manage::Kind;
    match kind {
        Kind::Unreadable => (StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read"),
        Kind::BadParameters => (StatusCode::BAD_REQUEST, "bad-parameters", "Query parameters are wrong"),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "A valid token is missing"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The token does not allow this"),
        Kind::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
        Kind::Conflict => (StatusCode::CONFLICT, "conflict", "The state forbids it"),
        Kind::Ambiguous => (StatusCode::CONFLICT, "ambiguous", "The name is that of several"),
        Kind::KeyInUse => (StatusCode::CONFLICT, "idempotency-key-in-use", "The same request was begun"),
        Kind::Changed => (StatusCode::PRECONDITION_FAILED, "changed", "It was changed meanwhile"),
        Kind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The body is wrong"),
        Kind::KeyReused => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "The Idempotency-Key belongs to another request",
        ),
        Kind::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
        Kind::OverQuota => (StatusCode::CONFLICT, "over-quota", "A company's quota is used up"),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Something is away"),
    }
}

impl From<manage::Kind> for Kind {
    fn from(kind: manage::Kind) -> Self {
        Self::Of(kind)
    }
}

/// Tells the operator what has failed.
fn tell(error: &Error) {
    let Some(cause) = &error.cause else { return };
    let cause = error_chain(&**cause);
    match error.kind {
        manage::Kind::Internal => tracing::error!("cannot answer a request: {cause}"),
        _ => tracing::warn!("cannot answer a request: {cause}"),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        tell(&error);
        let Error { kind, detail, wrong, retry_after, .. } = error;
        Self { errors: wrong, retry_after, ..Self::new(kind, detail) }
    }
}

impl Problem {
    /// A problem of this kind, with a sentence.
    pub(crate) fn new(kind: impl Into<Kind>, detail: impl Into<String>) -> Self {
        let (status, name, title) = kind.into().describe();
        Self {
            r#type: format!("{TYPES}{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
