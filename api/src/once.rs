//! Requests that create something, done once: `Idempotency-Key`.
//!
//! The first request with a key takes it, and its answer is kept for 24 hours, encrypted, since it may
//! hold a secret. What it does runs to its end whatever becomes of the request, so that whoever asks again
//! is answered. If the process falls in between, nobody knows whether something was made: the key stays
//! taken, so that it is never made twice.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, Method, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use posthorn_domain::error_chain::error_chain;
use posthorn_store::Begun;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    body::Sent,
    caller::Caller,
    problem::{Kind, Problem},
    state::Shared,
};

const HEADER: &str = "idempotency-key";

/// What makes a request the same as another: its key, method and path.
#[derive(Debug)]
pub(crate) struct Once {
    key: Option<String>,
    method: Method,
    path: String,
}

/// An answer that can be given again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    /// As it was written: a JSON value would round its numbers.
    body: Box<RawValue>,
}

impl Answer {
    /// An answer with this status and body.
    pub(crate) fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = to_raw_value(body).expect("what we show can be written");
        Self { status: status.as_u16(), headers: Vec::new(), body }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = (status, axum::Json(self.body)).into_response();
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl FromRequestParts<Shared> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Shared) -> Result<Self, Problem> {
        let is_good =
            |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let key = match parts.headers.get(HEADER).map(|value| value.to_str().unwrap_or_default()) {
            Some(key) if !is_good(key) => {
                let detail = "an Idempotency-Key is 1 to 255 visible ASCII characters";
                return Err(Problem::new(Kind::BadRequest, detail));
            }
            key => key.map(str::to_owned),
        };
        Ok(Self { key, method: parts.method.clone(), path: parts.uri.path().to_owned() })
    }
}

impl Once {
    /// Does it to its end, unless it was done before: then answers as before.
    ///
    /// # Errors
    /// Those of doing it; and if the key's first request runs, or was another.
    pub(crate) async fn perform(
        self,
        api: &Shared,
        caller: &Caller,
        body: Sent,
        act: impl Future<Output = Result<Answer, Problem>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let fingerprint = self.fingerprint(&body.bytes);
        let Some(key) = self.key else { return act.await.map(Answer::into_response) };
        let doing = once(api.clone(), caller.token_id, key, fingerprint, act);
        let doing = async {
            let _body = body;
            doing.await
        };
        api.actions.run(doing).await.map(Answer::into_response)
    }

    fn fingerprint(&self, body: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [self.method.as_str().as_bytes(), self.path.as_bytes(), body] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

async fn once(
    api: Shared,
    token: Uuid,
    key: String,
    fingerprint: [u8; 32],
    act: impl Future<Output = Result<Answer, Problem>>,
) -> Result<Answer, Problem> {
    match api.store.access.begin_once(token, &key, &fingerprint).await? {
        Begun::First => {}
        Begun::Different => {
            let detail = "this Idempotency-Key came with another request before: take a new one";
            return Err(Problem::new(Kind::KeyReused, detail));
        }
        Begun::Running => {
            let detail = "a request with this Idempotency-Key was begun and has no answer yet: try again, \
                              or look what it has made";
            return Err(Problem::new(Kind::KeyInUse, detail).after(1));
        }
        Begun::Answered(sealed) => {
            let kept = api.keys.open_bytes(&sealed, key.as_bytes()).ok();
            let kept: Option<Answer> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let lost = || Problem::new(Kind::Internal, "the kept answer cannot be read any more");
            let answer = kept.ok_or_else(lost)?;
            return Ok(answer.with("idempotency-replayed", "true".to_owned()));
        }
    }
    match act.await {
        Ok(answer) => {
            let written = serde_json::to_vec(&answer).expect("what we show can be written");
            let sealed = api.keys.seal_bytes(&written, key.as_bytes(), rand::random());
            if let Err(error) = api.store.access.answer_once(token, &key, &sealed).await {
                tracing::warn!("cannot keep an answer for its Idempotency-Key: {}", error_chain(&error));
            }
            Ok(answer)
        }
        Err(problem) => {
            if let Err(error) = api.store.access.give_up_once(token, &key).await {
                tracing::warn!("cannot give an Idempotency-Key up: {}", error_chain(&error));
            }
            Err(problem)
        }
    }
}
