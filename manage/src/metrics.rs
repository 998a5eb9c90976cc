//! What is refused to one so that others are served, counted.

use metrics::{counter, describe_counter};

/// Describes what is counted here.
pub fn describe() {
    describe_counter!(
        "posthorn_api_refused_total",
        "What was refused to one so that others are served, by reason: a rate, a quota or a share"
    );
    for reason in Refused::ALL {
        counter!("posthorn_api_refused_total", "reason" => reason.label()).absolute(0);
    }
}

/// What is refused to one so that others are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A token makes too many requests.
    TokenRequests,
    /// A company's tokens make too many requests.
    CompanyRequests,
    /// A company has too many events published.
    CompanyEvents,
    /// A webhook that does not fit into its company's quotas.
    CompanyQuota,
    /// Too many tokens that are not known came from one address.
    UnknownTokens,
    /// The bodies of a token's requests take too much memory.
    TokenBodies,
    /// The bodies of all requests take too much memory.
    Bodies,
    /// Too many checks against schemas.
    Checks,
    /// Too many tests of webhooks.
    Tests,
}

impl Refused {
    const ALL: [Self; 9] = [
        Self::TokenRequests,
        Self::CompanyRequests,
        Self::CompanyEvents,
        Self::CompanyQuota,
        Self::UnknownTokens,
        Self::TokenBodies,
        Self::Bodies,
        Self::Checks,
        Self::Tests,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::TokenRequests => "token_requests",
            Self::CompanyRequests => "company_requests",
            Self::CompanyEvents => "company_events",
            Self::CompanyQuota => "company_quota",
            Self::UnknownTokens => "unknown_tokens",
            Self::TokenBodies => "token_bodies",
            Self::Bodies => "bodies",
            Self::Checks => "checks",
            Self::Tests => "tests",
        }
    }
}

/// Something was refused.
pub fn refused(what: Refused) {
    counter!("posthorn_api_refused_total", "reason" => what.label()).increment(1);
}
