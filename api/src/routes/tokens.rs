//! Tokens: made, listed, revoked.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use jiff::Timestamp;
use posthorn_domain::{
    token::{Scope, Token},
    webhook::owner,
};
use posthorn_store::{NewToken, TokenRecord};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    body::Body,
    caller::{Admin, May},
    id::TokenId,
    once::{Answer, Once},
    problem::{Problem, Wrong},
    query::{Moment, PageOf, Query, limit, next_page, read_cursor},
    schema,
    state::Shared,
};

/// The most companies of a token.
const MOST_COMPANIES: usize = 1000;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, revoke))
}

/// A token to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TokenInput {
    /// What people call it: whose it is, what it is for.
    #[schema(required = true, nullable = false, value_type = String, min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it allows.
    #[schema(required = true, nullable = false, value_type = Vec<schema::Scope>, min_items = 1)]
    scopes: Option<Vec<Scope>>,
    /// The companies that it sees; left out: all. Not with the scope `admin`.
    #[schema(min_items = 1, max_items = 1000)]
    companies: Option<Vec<String>>,
    /// When it ends; left out: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Moment>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// `tok_…`
    id: String,
    /// What people call it.
    name: String,
    /// What it allows.
    #[schema(value_type = Vec<schema::Scope>)]
    scopes: Vec<Scope>,
    /// The companies that it sees; null for all.
    companies: Option<Vec<String>>,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends.
    expires_at: Option<Timestamp>,
    /// When it was revoked.
    revoked_at: Option<Timestamp>,
    /// The token itself; only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = "pht_…")]
    token: Option<String>,
}

impl TokenView {
    fn of(record: TokenRecord, token: Option<&Token>) -> Self {
        Self {
            id: TokenId(record.id).to_string(),
            name: record.name,
            scopes: record.scopes,
            companies: record.companies,
            created_at: record.created_at,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            token: token.map(|token| token.reveal().to_owned()),
        }
    }
}

impl TokenInput {
    fn check(self, now: Timestamp) -> Result<(NewToken, Token), Problem> {
        let mut wrong = Vec::new();
        let name = self.name.unwrap_or_default();
        match owner::check_text(&name, owner::LONGEST_NAME) {
            _ if name.trim().is_empty() => {
                wrong.push(Wrong::at("/name", "required", "say whose it is and what it is for"));
            }
            Err(detail) => wrong.push(Wrong::at("/name", "bad_text", detail)),
            Ok(()) => {}
        }
        let mut scopes = self.scopes.unwrap_or_default();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            wrong.push(Wrong::at("/scopes", "required", "say what it allows: read, write, publish, admin"));
        }
        if let Some(companies) = &self.companies {
            if companies.is_empty() || companies.len() > MOST_COMPANIES {
                let detail = "give 1 to 1,000 companies, or leave it out for all";
                wrong.push(Wrong::at("/companies", "out_of_range", detail));
            }
            for (place, company) in companies.iter().enumerate() {
                let pointer = || format!("/companies/{place}");
                match owner::check_text(company, owner::LONGEST_NAME) {
                    _ if company.is_empty() => {
                        wrong.push(Wrong::at(pointer(), "empty_id", "an id cannot be empty"));
                    }
                    Err(detail) => wrong.push(Wrong::at(pointer(), "bad_text", detail)),
                    Ok(()) => {}
                }
            }
            if scopes.contains(&Scope::Admin) {
                let detail = "`admin` is for tokens that see all companies";
                wrong.push(Wrong::at("/companies", "contradiction", detail));
            }
        }
        let expires_at = self.expires_at.map(|Moment(at)| at);
        if expires_at.is_some_and(|at| at <= now) {
            wrong.push(Wrong::at("/expires_at", "past", "this time is over"));
        }
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong));
        }
        let (id, token) = (Uuid::now_v7(), Token::new(rand::random()));
        let companies = self.companies;
        Ok((NewToken { id, name, hash: token.hash(), scopes, companies, expires_at }, token))
    }
}

/// Make a token
///
/// The answer holds the token itself, which is not shown again: only its hash is kept.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = TokenInput,
    security(("token" = ["admin"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 201, body = TokenView)))]
async fn create(
    May { caller, .. }: May<Admin>,
    State(api): State<Shared>,
    once: Once,
    body: Body<TokenInput>,
) -> Result<Response, Problem> {
    let (shared, by, Body { value, sent }) = (api.clone(), caller.clone(), body);
    let act = async move {
        let (api, caller) = (shared, by);
        let (new, token) = value.check(Timestamp::now())?;
        let record = api.store.access.add_token(&new, &caller.acts("token.create")).await?;
        api.access.add(new.hash, Arc::new(record.clone()));
        let location = format!("/v1/tokens/{}", TokenId(record.id));
        let answer = Answer::new(StatusCode::CREATED, &TokenView::of(record, Some(&token)));
        Ok(answer.with("location", location))
    };
    once.perform(&api, &caller, sent, act).await
}

/// What a list of tokens may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
}

/// List tokens
///
/// The oldest first, revoked ones too.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(ListQuery),
    security(("token" = ["admin"])), responses((status = 200, body = PageOf<TokenView>)))]
async fn list(
    _: May<Admin>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<TokenView>>, Problem> {
    let limit = limit(query.limit)?;
    let after = read_cursor::<Uuid>(query.cursor.as_deref())?;
    let tokens = api.store.access.tokens(after, limit as i64).await?;
    let next_cursor = next_page(&tokens, limit, |token| token.id);
    let data = tokens.into_iter().map(|token| TokenView::of(token, None)).collect();
    Ok(Json(PageOf { data, next_cursor }))
}

/// Show a token
#[utoipa::path(get, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    security(("token" = ["admin"])), responses((status = 200, body = TokenView)))]
async fn show(
    _: May<Admin>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<TokenView>, Problem> {
    let token = api.store.access.token(TokenId::read(&id)?.0).await?;
    Ok(Json(TokenView::of(token.ok_or_else(|| Problem::not_found("token"))?, None)))
}

/// Revoke a token
///
/// For ever; at once here, within a second at every other process of the API.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    security(("token" = ["admin"])), responses((status = 204, description = "It opens nothing any more")))]
async fn revoke(
    May { caller, .. }: May<Admin>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = TokenId::read(&id)?.0;
    let revoked = api.store.access.revoke_token(id, &caller.acts("token.revoke")).await?;
    api.access.remove(id);
    revoked.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::not_found("token"))
}
