//! Requests that are done once: the header `Idempotency-Key`.

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
};
use posthorn_manage::Once;

use crate::{body::Sent, problem::Problem, state::Shared};

const HEADER: &str = "idempotency-key";

/// A request's key, method and path.
#[derive(Debug)]
pub(crate) struct Keyed {
    key: Option<String>,
    method: Method,
    path: String,
}

impl FromRequestParts<Shared> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let key = parts.headers.get(HEADER).map(|value| value.to_str().unwrap_or_default());
        // Judged before the body is read.
        Once::new(key, &[])?;
        let (key, path) = (key.map(str::to_owned), parts.uri.path().to_owned());
        Ok(Self { key, method: parts.method.clone(), path })
    }
}

impl Keyed {
    /// The request with its body, which counts until it is done.
    pub(crate) fn once(self, body: Sent) -> Result<Once, Problem> {
        let parts = [self.method.as_str().as_bytes(), self.path.as_bytes(), &body.bytes[..]];
        Ok(Once::new(self.key.as_deref(), &parts)?.holding(body))
    }
}
