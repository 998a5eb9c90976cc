//! Principals: who does something, and what they may do.
//!
//! A use case takes a [`May`] of the scope that it needs: there is no other way to it, and [`Principal::may`]
//! is the only place that gives one out.

use std::{marker::PhantomData, ops::Deref};

use posthorn_domain::token::Scope;
use posthorn_matching::rule::Rule;
use posthorn_store::{Actor, TokenRecord};
use uuid::Uuid;

use crate::error::{Error, Kind};

/// Who does something.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The token's id; nil for that of POSTHORN_ADMIN_TOKEN and for a command.
    pub token_id: Uuid,
    /// What people call the token.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The companies that it sees; `None` for all.
    pub companies: Option<Vec<String>>,
    /// The id of the request, if it is one.
    pub request_id: Option<String>,
}

impl Principal {
    /// Whoever has the token of POSTHORN_ADMIN_TOKEN.
    pub(crate) fn admin(request_id: String) -> Self {
        Self::all_powerful("POSTHORN_ADMIN_TOKEN", Some(request_id))
    }

    /// Whoever runs a command with the right to the database.
    pub fn command_line() -> Self {
        Self::all_powerful("command line", None)
    }

    fn all_powerful(name: &str, request_id: Option<String>) -> Self {
        let scopes = Scope::ALL.to_vec();
        Self { token_id: Uuid::nil(), name: name.to_owned(), scopes, companies: None, request_id }
    }

    /// Whoever has this token.
    pub(crate) fn of(token: &TokenRecord, request_id: String) -> Self {
        Self {
            token_id: token.id,
            name: token.name.clone(),
            scopes: token.scopes.clone(),
            companies: token.companies.clone(),
            request_id: Some(request_id),
        }
    }

    /// The right to what needs the scope `N`.
    ///
    /// # Errors
    /// If the token has it not.
    pub fn may<N: Needs>(self) -> Result<May<N>, Error> {
        match self.has(N::SCOPE) {
            true => Ok(May { principal: self, needs: PhantomData }),
            false => {
                let detail = format!("the token `{}` has not the scope `{}`", self.name, N::SCOPE);
                Err(Error::new(Kind::Forbidden, detail))
            }
        }
    }

    /// Whether the token has this scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Who does something, for the audit log.
    pub(crate) fn acts(&self, action: &'static str) -> Actor {
        Actor {
            token_id: Some(self.token_id).filter(|id| !id.is_nil()),
            name: self.name.clone(),
            request_id: self.request_id.clone(),
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

/// What a use case needs its principal to be allowed.
pub trait Needs {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident),+) => {
        $($(#[$doc])* #[derive(Debug, Clone, Copy)] pub struct $name;
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

/// A principal whose token allows `N`.
#[derive(Debug, Clone)]
pub struct May<N: Needs> {
    principal: Principal,
    needs: PhantomData<N>,
}

impl<N: Needs> Deref for May<N> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(scopes: &[Scope]) -> Principal {
        Principal { scopes: scopes.to_vec(), ..Principal::command_line() }
    }

    #[test]
    fn a_right_is_had_with_its_scope_only() {
        assert!(principal(&[Scope::Read, Scope::Write]).may::<Write>().is_ok());
        let refused = principal(&[Scope::Read]).may::<Write>().map_err(|error| error.kind);
        assert_eq!(refused.err(), Some(Kind::Forbidden));
    }

    #[test]
    fn a_principal_of_some_companies_sees_what_names_none_but_those() {
        let companies = Some(vec!["c1".to_owned(), "c2".to_owned()]);
        let some = Principal { companies, ..principal(&[Scope::Read]) };
        let rules = |json: &str| Rule::read_list(json, &posthorn_matching::rule::Limits::default()).unwrap();
        assert!(some.sees("c1") && !some.sees("c3") && !some.sees(""));
        assert!(some.sees_rules(&rules(r#"[{"companies": ["c1"]}, {"companies": ["c2"]}]"#)));
        assert!(!some.sees_rules(&rules(r#"[{"companies": ["c1"]}, {}]"#)));
        assert!(!some.sees_rules(&rules(r#"[{"companies": ["c1", "c3"]}]"#)));
        assert!(principal(&[]).sees("c3") && principal(&[]).sees_rules(&rules("[{}]")));
    }
}
