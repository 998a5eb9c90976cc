//! Tokens: made, listed, revoked.

use std::sync::Arc;

use jiff::Timestamp;
use posthorn_domain::{
    token::{Scope, Token},
    webhook::owner,
};
use posthorn_store::{NewToken, TokenRecord};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    error::{Error, Wrong},
    ids::TokenId,
    manage::{Manage, Shared},
    moment::Moment,
    once::{Done, Once},
    page::{PageOf, Paging},
    principal::{Admin, May},
    schema,
};

/// The most companies of a token.
const MOST_COMPANIES: usize = 1000;

/// A token to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenInput {
    /// What people call it: whose it is, what it is for.
    #[schema(required = true, nullable = false, value_type = String, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// What it allows.
    #[schema(required = true, nullable = false, value_type = Vec<schema::Scope>, min_items = 1)]
    pub scopes: Option<Vec<Scope>>,
    /// The companies that it sees; left out: all. Not with the scope `admin`.
    #[schema(min_items = 1, max_items = 1000)]
    pub companies: Option<Vec<String>>,
    /// When it ends; left out: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Moment>,
}

/// A token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// `tok_…`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it allows.
    #[schema(value_type = Vec<schema::Scope>)]
    pub scopes: Vec<Scope>,
    /// The companies that it sees; null for all.
    pub companies: Option<Vec<String>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The token itself; only in the answer to the request that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = "pht_…")]
    pub token: Option<String>,
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
    /// Checks everything, and tells everything that is wrong.
    fn check(self, now: Timestamp) -> Result<(NewToken, Token), Error> {
        let mut wrong = Vec::new();
        let name = self.name.unwrap_or_default();
        wrong.extend(wrong_name(&name));
        let mut scopes = self.scopes.unwrap_or_default();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            wrong.push(Wrong::at("/scopes", "required", "say what it allows: read, write, publish, admin"));
        }
        if let Some(companies) = &self.companies {
            wrong.extend(wrong_companies(companies, &scopes));
        }
        let expires_at = self.expires_at.map(|Moment(at)| at);
        if expires_at.is_some_and(|at| at <= now) {
            wrong.push(Wrong::at("/expires_at", "past", "this time is over"));
        }
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        let (id, token) = (Uuid::now_v7(), Token::new(rand::random()));
        let companies = self.companies;
        Ok((NewToken { id, name, hash: token.hash(), scopes, companies, expires_at }, token))
    }
}

fn wrong_name(name: &str) -> Option<Wrong> {
    match owner::check_text(name, owner::LONGEST_NAME) {
        _ if name.trim().is_empty() => {
            Some(Wrong::at("/name", "required", "say whose it is and what it is for"))
        }
        checked => checked.err().map(|detail| Wrong::at("/name", "bad_text", detail)),
    }
}

fn wrong_companies(companies: &[String], scopes: &[Scope]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if companies.is_empty() || companies.len() > MOST_COMPANIES {
        let detail = "give 1 to 1,000 companies, or leave it out for all";
        wrong.push(Wrong::at("/companies", "out_of_range", detail));
    }
    for (place, company) in companies.iter().enumerate() {
        let at = |code, detail: &str| Wrong::at(format!("/companies/{place}"), code, detail);
        match owner::check_text(company, owner::LONGEST_NAME) {
            _ if company.is_empty() => wrong.push(at("empty_id", "an id cannot be empty")),
            checked => wrong.extend(checked.err().map(|detail| at("bad_text", &detail))),
        }
    }
    if scopes.contains(&Scope::Admin) {
        let detail = "`admin` is for tokens that see all companies";
        wrong.push(Wrong::at("/companies", "contradiction", detail));
    }
    wrong
}

/// What a list of tokens may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
}

/// Makes a token. The result holds the token itself, which is not shown again: only its hash is kept.
///
/// # Errors
/// If the input is wrong.
pub async fn create(
    manage: &Shared,
    by: &May<Admin>,
    once: Once,
    input: TokenInput,
) -> Result<Done<TokenView>, Error> {
    let (shared, actor) = (manage.clone(), by.acts("token.create"));
    let act = async move {
        let (new, token) = input.check(Timestamp::now())?;
        let record = shared.store.access.add_token(&new, &actor).await?;
        shared.access.add(new.hash, Arc::new(record.clone()));
        Ok(TokenView::of(record, Some(&token)))
    };
    manage.once(by, once, act).await
}

/// Tokens, the oldest first, revoked ones too.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list(manage: &Manage, _: &May<Admin>, asked: List) -> Result<PageOf<TokenView>, Error> {
    let paging = Paging::<Uuid>::read(asked.limit, asked.cursor.as_deref())?;
    let rows = manage.store.access.tokens(paging.behind, paging.limit as i64).await?;
    Ok(paging.page(rows, |token| token.id, |token| TokenView::of(token, None)))
}

/// Shows a token.
///
/// # Errors
/// If there is none.
pub async fn show(manage: &Manage, _: &May<Admin>, id: &str) -> Result<TokenView, Error> {
    let token = manage.store.access.token(TokenId::read(id)?.0).await?;
    Ok(TokenView::of(token.ok_or_else(not_found)?, None))
}

/// Revokes a token, for ever: at once here, within a second at every other process.
///
/// # Errors
/// If there is none.
pub async fn revoke(manage: &Manage, by: &May<Admin>, id: &str) -> Result<TokenView, Error> {
    let id = TokenId::read(id)?.0;
    let revoked = manage.store.access.revoke_token(id, &by.acts("token.revoke")).await?;
    manage.access.remove(id);
    Ok(TokenView::of(revoked.ok_or_else(not_found)?, None))
}

fn not_found() -> Error {
    Error::not_found("token")
}
