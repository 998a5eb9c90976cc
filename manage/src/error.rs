//! Errors: why a use case did nothing, with all that is wrong told at once.

use std::{error, fmt, sync::Arc};

use posthorn_matching::Problem as Fault;
use posthorn_publisher::PublishError;
use posthorn_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::metrics::{self, Refused};

/// Why a use case did nothing.
#[derive(Debug, Clone)]
pub struct Error {
    /// What kind of error.
    pub kind: Kind,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// Everything that is wrong with the input, each with its place.
    pub wrong: Vec<Wrong>,
    /// In how many seconds to try again.
    pub retry_after: Option<u64>,
    /// What has failed, if something has: for the operator, not for who asked.
    pub cause: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// The kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read.
    Unreadable,
    /// Parameters are wrong.
    BadParameters,
    /// There is no token that opens anything.
    Unauthenticated,
    /// The principal may not do this.
    Forbidden,
    /// There is no such thing, or none that the principal may see.
    NotFound,
    /// The state of the thing forbids it.
    Conflict,
    /// The name is that of several things.
    Ambiguous,
    /// The Idempotency-Key's first request runs.
    KeyInUse,
    /// The thing was changed meanwhile.
    Changed,
    /// The input is wrong.
    Invalid,
    /// The Idempotency-Key came with another request before.
    KeyReused,
    /// Too many requests.
    TooManyRequests,
    /// A company's quota is used up.
    OverQuota,
    /// A fault of ours.
    Internal,
    /// The broker or the database is away.
    Unavailable,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Wrong {
    /// JSON Pointer (RFC 6901) to the place in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The name of the parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// A stable name of what is wrong.
    pub code: String,
    /// The same in words, and how to mend it.
    pub detail: String,
    /// What stands there, cut short if it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Error {
    /// An error of this kind, with a sentence.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), wrong: Vec::new(), retry_after: None, cause: None }
    }

    /// The input is wrong at these places.
    pub fn invalid(wrong: Vec<Wrong>) -> Self {
        let detail = match wrong.as_slice() {
            [one] => format!("{}: {}", one.place(), one.detail),
            many => format!("{} things are wrong", many.len()),
        };
        Self { wrong, ..Self::new(Kind::Invalid, detail) }
    }

    /// These parameters are wrong.
    pub fn parameters(wrong: Vec<Wrong>) -> Self {
        let detail = match wrong.as_slice() {
            [one] => format!("{}: {}", one.place(), one.detail),
            many => format!("{} parameters are wrong", many.len()),
        };
        Self { wrong, ..Self::new(Kind::BadParameters, detail) }
    }

    /// The name is that of several things, these.
    pub fn ambiguous(detail: impl Into<String>, things: Vec<Wrong>) -> Self {
        Self { wrong: things, ..Self::new(Kind::Ambiguous, detail) }
    }

    /// There is no such thing, or none that the principal may see.
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// The same, for this reason.
    fn because(self, cause: impl error::Error + Send + Sync + 'static) -> Self {
        Self { cause: Some(Arc::new(cause)), ..self }
    }

    /// The same, to be tried again after some time.
    pub fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

/// Everything that is wrong, a line each.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        match self.wrong.as_slice() {
            [] | [_] => Ok(()),
            many => many.iter().try_for_each(|wrong| write!(f, "\n  {}: {}", wrong.place(), wrong.detail)),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn error::Error + 'static))
    }
}

impl Wrong {
    /// A place in the body.
    pub fn at(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        let (pointer, code) = (Some(pointer.into()), code.to_owned());
        Self { pointer, parameter: None, code, detail: detail.into(), value: None }
    }

    /// A parameter of the path or the query.
    pub fn parameter(name: &str, code: &str, detail: impl Into<String>) -> Self {
        let (parameter, code) = (Some(name.to_owned()), code.to_owned());
        Self { pointer: None, parameter, code, detail: detail.into(), value: None }
    }

    /// What the domain found wrong with the part of the body at `pointer`.
    pub fn of(pointer: &str, fault: Fault) -> Self {
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

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::UnknownWebhook(_) => Self::not_found("webhook"),
            StoreError::OverQuota(over) => {
                metrics::refused(Refused::CompanyQuota);
                let wrong = Wrong { pointer: None, ..Wrong::at("", over.label, error.to_string()) };
                Self { wrong: vec![wrong], ..Self::new(Kind::OverQuota, error.to_string()) }
            }
            StoreError::WrongState { .. } => Self::new(Kind::Conflict, error.to_string()),
            StoreError::NoConnection(_) | StoreError::NoAnswer { .. } | StoreError::NotMigrated(_) => {
                let detail = "the database does not answer: try again later";
                Self::new(Kind::Unavailable, detail).after(5).because(error)
            }
            StoreError::BadUrl(_)
            | StoreError::Tls(_)
            | StoreError::Query { .. }
            | StoreError::BadValue { .. }
            | StoreError::OtherTables(_)
            | StoreError::Migration(_)
            | StoreError::Unreadable { .. } => {
                let detail = "something is wrong here: the log says what, the request id helps to find it";
                Self::new(Kind::Internal, detail).because(error)
            }
        }
    }
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        let detail = match error {
            PublishError::Connect(_) => "RabbitMQ does not answer: try again later",
            PublishError::Unconfirmed { .. } | PublishError::TooLong(_) => {
                "RabbitMQ did not confirm the event: publish it again with the same id"
            }
        };
        Self::new(Kind::Unavailable, detail).after(5).because(error)
    }
}
