//! Callers: who a request comes from, and what they may do.

use std::marker::PhantomData;

use axum::{extract::FromRequestParts, http::header, http::request::Parts};
use posthorn_domain::token::{Scope, Token};
use posthorn_matching::rule::Rule;
use posthorn_store::{Actor, TokenRecord};
use uuid::Uuid;

use crate::{
    metrics::{self, Refused},
    problem::{Kind, Problem},
    request_id::RequestId,
    serve::Peer,
    state::Shared,
};

/// Who a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The token's id; nil for that of POSTHORN_ADMIN_TOKEN.
    pub(crate) token_id: Uuid,
    /// What people call the token.
    pub(crate) name: String,
    /// What it allows.
    pub(crate) scopes: Vec<Scope>,
    /// The companies that it sees; `None` for all.
    pub(crate) companies: Option<Vec<String>>,
    /// The id of the request.
    pub(crate) request_id: String,
}

impl Caller {
    /// Whether the token allows it.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Who does something, for the audit log.
    pub(crate) fn acts(&self, action: &'static str) -> Actor {
        Actor {
            token_id: Some(self.token_id).filter(|id| !id.is_nil()),
            name: self.name.clone(),
            request_id: Some(self.request_id.clone()),
            action,
        }
    }

    /// Whether it is told which address an attempt went to, or was kept from: that may be one of the
    /// operator's own network.
    pub(crate) fn sees_addresses(&self) -> bool {
        self.companies.is_none()
    }

    /// With whom it shares what is scarce, if the thing is not a company's: those of the same companies.
    pub(crate) fn tenant(&self) -> Tenant {
        match &self.companies {
            Some(companies) => Tenant::Companies(companies.clone()),
            None => Tenant::Token(self.token_id),
        }
    }

    /// Whether it sees a company's events.
    pub(crate) fn sees(&self, company: &str) -> bool {
        self.companies.as_ref().is_none_or(|own| own.iter().any(|seen| seen == company))
    }

    /// Whether it sees a webhook with these rules.
    pub(crate) fn sees_rules(&self, rules: &[Rule]) -> bool {
        self.companies.as_ref().is_none_or(|own| rules.iter().all(|rule| rule.is_within(own)))
    }
}

/// Who shares what is scarce.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Tenant {
    /// Companies, whatever the token.
    Companies(Vec<String>),
    /// A token for all companies.
    Token(Uuid),
}

/// What a handler needs its caller to be allowed.
pub(crate) trait Needs {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident),+) => {
        $($(#[$doc])* #[derive(Debug)] pub(crate) struct $name;
        impl Needs for $name { const SCOPE: Scope = Scope::$name; })+
    };
}

needs! {
    /// To look.
    Read,
    /// To change.
    Write,
    /// To publish.
    Publish,
    /// To manage.
    Admin
}

/// A caller whose token allows `N`. Every handler takes one first.
#[derive(Debug)]
pub(crate) struct May<N: Needs> {
    /// Who that is.
    pub(crate) caller: Caller,
    needs: PhantomData<N>,
}

impl<N: Needs> FromRequestParts<Shared> for May<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let caller = authenticate(parts, api).await?;
        api.rates.take(caller.token_id).map_err(|seconds| {
            metrics::refused(Refused::TokenRequests);
            let detail = format!("this token may make a request again in {seconds} s");
            Problem::new(Kind::TooManyRequests, detail).after(seconds)
        })?;
        if let Some(companies) = &caller.companies {
            api.company_requests.take(companies.clone()).map_err(|seconds| {
                metrics::refused(Refused::CompanyRequests);
                let named = companies.join(", ");
                let detail = format!(
                    "the tokens of {named} together may make a request again in {seconds} s (POSTHORN_COMPANY_REQUEST_RATE)"
                );
                Problem::new(Kind::TooManyRequests, shortened(detail)).after(seconds)
            })?;
        }
        parts.extensions.insert(TokenId(caller.token_id));
        match caller.may(N::SCOPE) {
            true => Ok(Self { caller, needs: PhantomData }),
            false => {
                let detail = format!("the token `{}` has not the scope `{}`", caller.name, N::SCOPE);
                Err(Problem::new(Kind::Forbidden, detail))
            }
        }
    }
}

/// Which token a request has, for what is counted by token.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TokenId(pub(crate) Uuid);

/// A token may name a thousand companies.
fn shortened(detail: String) -> String {
    match detail.char_indices().nth(1000) {
        Some((end, _)) => format!("{}…", &detail[..end]),
        None => detail,
    }
}

async fn authenticate(parts: &Parts, api: &Shared) -> Result<Caller, Problem> {
    let refused = |detail: &str| Problem::new(Kind::Unauthenticated, detail);
    let header = parts.headers.get(header::AUTHORIZATION);
    let header = header.ok_or_else(|| refused("send the header `authorization: Bearer pht_…`"))?;
    let text = header.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("the header `authorization` is not `Bearer pht_…`"));
    }
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let hash = Token::presented(token.trim()).hash();
    if api.settings.admin_token == Some(hash) {
        let (name, scopes) = ("POSTHORN_ADMIN_TOKEN".to_owned(), Scope::ALL.to_vec());
        return Ok(Caller { token_id: Uuid::nil(), name, scopes, companies: None, request_id });
    }
    let address = parts.extensions.get::<Peer>().map(|peer| peer.0);
    let found = api.access.token(&hash, address, &api.store).await?;
    let token = found.ok_or_else(|| refused("the token is not known, has expired or was revoked"))?;
    let TokenRecord { id: token_id, name, scopes, companies, .. } = TokenRecord::clone(&token);
    Ok(Caller { token_id, name, scopes, companies, request_id })
}
