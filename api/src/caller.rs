//! Callers: who a request comes from, how often, and what they may do.

use axum::{extract::FromRequestParts, http::header, http::request::Parts};
use posthorn_manage::{Error, Kind, May, Needs, Presented, Principal, Refused, refused};
use uuid::Uuid;

use crate::{
    problem::Problem,
    request_id::RequestId,
    serve::Peer,
    state::{Api, Shared},
};

/// A caller whose token allows `N`. Every handler takes one first: the body of any other is not read.
#[derive(Debug)]
pub(crate) struct By<N: Needs>(pub(crate) May<N>);

impl<N: Needs> FromRequestParts<Shared> for By<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let caller = authenticate(parts, api).await?;
        take_turn(&caller, api)?;
        parts.extensions.insert(TokenId(caller.token_id));
        Ok(Self(caller.may()?))
    }
}

/// Which token a request has, for what is counted by token.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TokenId(pub(crate) Uuid);

async fn authenticate(parts: &Parts, api: &Api) -> Result<Principal, Error> {
    let refused = |detail: &str| Error::new(Kind::Unauthenticated, detail);
    let header = parts.headers.get(header::AUTHORIZATION);
    let header = header.ok_or_else(|| refused("send the header `authorization: Bearer pht_…`"))?;
    let text = header.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("the header `authorization` is not `Bearer pht_…`"));
    }
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let address = parts.extensions.get::<Peer>().map(|peer| peer.0);
    api.manage.authenticate(Presented { token: token.trim(), address, request_id }).await
}

/// Counts the request as one of its token's and of its companies'.
fn take_turn(caller: &Principal, api: &Api) -> Result<(), Error> {
    let too_many = |detail, seconds| Error::new(Kind::TooManyRequests, detail).after(seconds);
    api.rates.take(caller.token_id).map_err(|seconds| {
        refused(Refused::TokenRequests);
        too_many(format!("this token may make a request again in {seconds} s"), seconds)
    })?;
    let Some(companies) = &caller.companies else { return Ok(()) };
    api.company_requests.take(companies.clone()).map_err(|seconds| {
        refused(Refused::CompanyRequests);
        let named = companies.join(", ");
        let detail = format!(
            "the tokens of {named} together may make a request again in {seconds} s (POSTHORN_COMPANY_REQUEST_RATE)"
        );
        too_many(shortened(detail), seconds)
    })
}

/// A token may name a thousand companies.
fn shortened(detail: String) -> String {
    match detail.char_indices().nth(1000) {
        Some((end, _)) => format!("{}…", &detail[..end]),
        None => detail,
    }
}
