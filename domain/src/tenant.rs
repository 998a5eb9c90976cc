//! Tenants: among whom a dispatcher divides what is scarce.

use std::sync::Arc;

/// Whose webhook it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Tenant {
    /// The company that all its rules name.
    Company(Arc<str>),
    /// The installation's: it sees several companies, or all.
    #[default]
    Installation,
}

impl Tenant {
    /// From the company that all rules of a webhook name, if it is one.
    pub fn of(company: Option<String>) -> Self {
        company.map_or(Self::Installation, |company| Self::Company(company.into()))
    }
}
