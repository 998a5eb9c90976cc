//! Problems, as RFC 9457 has them: what every refusal and failure looks like.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use posthorn_domain::error_chain::error_chain;
use posthorn_matching::Problem as Fault;
use posthorn_publisher::PublishError;
use posthorn_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::metrics::{self, Refused};

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

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Wrong {
    /// JSON Pointer (RFC 6901) to the place in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    /// The name of the parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// A stable name of what is wrong.
    pub(crate) code: String,
    /// The same in words, and how to mend it.
    pub(crate) detail: String,
    /// What stands there, cut short if it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request cannot be read.
    BadRequest,
    /// The query has parameters that are wrong.
    BadParameters,
    /// There is no token that opens anything.
    Unauthenticated,
    /// The token does not allow this.
    Forbidden,
    /// There is no such thing, or none that the token may see.
    NotFound,
    /// The path is there for other methods.
    MethodNotAllowed,
    /// The state of the thing forbids it.
    Conflict,
    /// The name is that of several things.
    Ambiguous,
    /// The Idempotency-Key's first request runs.
    KeyInUse,
    /// The thing was changed meanwhile.
    Changed,
    /// The body is too large.
    TooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The body is wrong.
    Invalid,
    /// The Idempotency-Key came with another request before.
    KeyReused,
    /// Too many requests.
    TooManyRequests,
    /// A company's quota is used up.
    OverQuota,
    /// The body came too slowly.
    TooSlow,
    /// A fault of ours.
    Internal,
    /// The broker or the database is away.
    Unavailable,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 19] = [
        Self::BadRequest,
        Self::BadParameters,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::Ambiguous,
        Self::KeyInUse,
        Self::Changed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::KeyReused,
        Self::TooManyRequests,
        Self::OverQuota,
        Self::TooSlow,
        Self::Internal,
        Self::Unavailable,
    ];

    /// Its status, its stable name, and what it means in a few words.
    pub(crate) fn describe(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read"),
            Self::BadParameters => (StatusCode::BAD_REQUEST, "bad-parameters", "Query parameters are wrong"),
            Self::Unauthenticated => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "A valid token is missing")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The token does not allow this"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The path has no such method")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "The state forbids it"),
            Self::Ambiguous => (StatusCode::CONFLICT, "ambiguous", "The name is that of several"),
            Self::KeyInUse => (StatusCode::CONFLICT, "idempotency-key-in-use", "The same request was begun"),
            Self::Changed => (StatusCode::PRECONDITION_FAILED, "changed", "It was changed meanwhile"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is not JSON")
            }
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The body is wrong"),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "The Idempotency-Key belongs to another request",
            ),
            Self::TooManyRequests => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests")
            }
            Self::OverQuota => (StatusCode::CONFLICT, "over-quota", "A company's quota is used up"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "The body came too slowly"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Something is away"),
        }
    }
}

impl Problem {
    /// A problem of this kind, with a sentence.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, name, title) = kind.describe();
        Self {
            r#type: format!("{TYPES}{name}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// The body is wrong at these places.
    pub(crate) fn invalid(errors: Vec<Wrong>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.place(), one.detail),
            many => format!("{} things are wrong", many.len()),
        };
        Self { errors, ..Self::new(Kind::Invalid, detail) }
    }

    /// The query is wrong at these parameters.
    pub(crate) fn parameters(errors: Vec<Wrong>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.place(), one.detail),
            many => format!("{} parameters are wrong", many.len()),
        };
        Self { errors, ..Self::new(Kind::BadParameters, detail) }
    }

    /// The name is that of several things, these.
    pub(crate) fn ambiguous(detail: impl Into<String>, things: Vec<Wrong>) -> Self {
        Self { errors: things, ..Self::new(Kind::Ambiguous, detail) }
    }

    /// There is no such thing, or none that the token may see.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// The same, to be tried again after some time.
    pub(crate) fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Its HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// What is wrong, in a sentence.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl Wrong {
    /// A place in the body.
    pub(crate) fn at(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        let (pointer, code) = (Some(pointer.into()), code.to_owned());
        Self { pointer, parameter: None, code, detail: detail.into(), value: None }
    }

    /// A parameter of the path or the query.
    pub(crate) fn parameter(name: &str, code: &str, detail: impl Into<String>) -> Self {
        let (parameter, code) = (Some(name.to_owned()), code.to_owned());
        Self { pointer: None, parameter, code, detail: detail.into(), value: None }
    }

    /// What the domain found wrong with the part of the body at `pointer`.
    pub(crate) fn of(pointer: &str, fault: Fault) -> Self {
        let value = Some(fault.value);
        Self { value, ..Self::at(format!("{pointer}{}", fault.pointer), fault.code, fault.message) }
    }

    fn place(&self) -> &str {
        match (self.pointer.as_deref(), &self.parameter) {
            (Some("") | None, None) => "the body",
            (Some(pointer), None) => pointer,
            (_, Some(parameter)) => parameter,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::UnknownWebhook(_) => Self::not_found("webhook"),
            StoreError::OverQuota(over) => {
                metrics::refused(Refused::CompanyQuota);
                let wrong = Wrong { pointer: None, ..Wrong::at("", over.label, error.to_string()) };
                Self { errors: vec![wrong], ..Self::new(Kind::OverQuota, error.to_string()) }
            }
            StoreError::WrongState { .. } => Self::new(Kind::Conflict, error.to_string()),
            StoreError::NoConnection(_) | StoreError::NoAnswer { .. } | StoreError::NotMigrated(_) => {
                tracing::warn!("cannot answer a request: {}", error_chain(&error));
                Self::new(Kind::Unavailable, "the database does not answer: try again later").after(5)
            }
            StoreError::BadUrl(_)
            | StoreError::Tls(_)
            | StoreError::Query { .. }
            | StoreError::BadValue { .. }
            | StoreError::Migration(_)
            | StoreError::OtherTables(_)
            | StoreError::Unreadable { .. } => {
                tracing::error!("cannot answer a request: {}", error_chain(&error));
                Self::new(Kind::Internal, "the log of the API says what; the request id helps to find it")
            }
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        tracing::warn!("cannot publish an event: {}", error_chain(&error));
        let detail = match error {
            PublishError::Connect(_) => "RabbitMQ does not answer: try again later",
            PublishError::Unconfirmed { .. } | PublishError::TooLong(_) => {
                "RabbitMQ did not confirm the event: publish it again with the same id"
            }
        };
        Self::new(Kind::Unavailable, detail).after(5)
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
