//! Bodies: JSON objects, bounded in size and in time.

use std::time::Duration;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use posthorn_manage::{
    Error,
    fields::{Fields, fields, read},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{
    bodies::Hold,
    caller::TokenId,
    problem::{Kind, Problem},
    state::Shared,
};

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(45);

/// A body, read.
#[derive(Debug)]
pub(crate) struct Body<T> {
    /// What it says.
    pub(crate) value: T,
    /// As it was sent.
    pub(crate) sent: Sent,
}

/// What was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// Counts them as long as they, or what was read of them, are worked on.
    _hold: Hold,
}

/// A body that may be missing: then it says nothing.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) Body<T>);

/// The fields of a merge patch (RFC 7396).
#[derive(Debug)]
pub(crate) struct Patch {
    /// The fields.
    pub(crate) fields: Fields,
    /// Counts their bytes.
    _hold: Hold,
}

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let (bytes, hold) = bytes(request, api, &["application/json"]).await?;
        Ok(Self { value: read(&fields(&bytes)?).map_err(Error::invalid)?, sent: Sent { bytes, _hold: hold } })
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let has_type = request.headers().contains_key(header::CONTENT_TYPE);
        let types: &[_] = if has_type { &["application/json"] } else { &[] };
        let (bytes, hold) = bytes(request, api, types).await?;
        let fields = if bytes.is_empty() { Fields::new() } else { fields(&bytes)? };
        let value = read(&fields).map_err(Error::invalid)?;
        Ok(Self(Body { value, sent: Sent { bytes, _hold: hold } }))
    }
}

impl FromRequest<Shared> for Patch {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        let types = ["application/merge-patch+json", "application/json"];
        let (bytes, hold) = bytes(request, api, &types).await?;
        Ok(Self { fields: fields(&bytes)?, _hold: hold })
    }
}

/// Reads a body of one of these media types; of any, if there are none given.
async fn bytes(request: Request, api: &Shared, types: &[&str]) -> Result<(Bytes, Hold), Problem> {
    let most = api.settings.most_body_bytes;
    if !types.is_empty() && !types.iter().any(|media_type| is_of(request.headers(), media_type)) {
        let detail = format!("the body needs `content-type: {}`", types[0]);
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let too_large = || Problem::new(Kind::TooLarge, format!("a body may have at most {most} bytes"));
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > most) {
        return Err(too_large());
    }
    let token = request.extensions().get::<TokenId>().copied().unwrap_or_default();
    let mut hold = api.bodies.hold(token.0);
    let (mut body, mut bytes) = (request.into_body(), BytesMut::new());
    let reading = async {
        while let Some(frame) = body.frame().await {
            // One that breaks off is not seen by anybody: its sender has gone.
            let frame =
                frame.map_err(|_| Problem::new(posthorn_manage::Kind::Unreadable, "the body broke off"))?;
            let Some(chunk) = frame.data_ref() else { continue };
            if bytes.len() + chunk.len() > most {
                return Err(too_large());
            }
            hold.grow(chunk.len())?;
            bytes.extend_from_slice(chunk);
        }
        Ok(())
    };
    let read = timeout(BODY_TIMEOUT, reading).await;
    let slow = |_| Problem::new(Kind::TooSlow, format!("a body may take {} s", BODY_TIMEOUT.as_secs()));
    read.map_err(slow)??;
    Ok((bytes.freeze(), hold))
}

fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    given.eq_ignore_ascii_case(media_type)
}
