//! What a company's webhooks come to, for its quotas.

use deadpool_postgres::Transaction;
use posthorn_matching::rule::Rule;
use tokio_postgres::Error;
use uuid::Uuid;

use super::{
    record::NewWebhook,
    rows::{read_in_flight, read_rules},
};
use crate::error::OverQuota;

/// How much a company's webhooks may come to.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// How many webhooks.
    pub webhooks: u64,
    /// The sum of their `max_in_flight`.
    pub in_flight: u64,
    /// How many tests all their patterns make of an event.
    pub tests: u64,
}

/// What webhooks come to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    webhooks: u64,
    in_flight: u64,
    tests: u64,
}

/// Whose quotas a webhook is charged to, and what they are.
#[derive(Debug, Clone)]
pub struct Charge {
    /// Beside which other webhooks it must fit.
    pub of: Tenant,
    /// The quotas.
    pub quotas: Quotas,
}

/// Whose webhooks are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenant {
    /// Those that see this company and no other.
    Company(String),
    /// Those that see several of these companies and no other.
    Several(Vec<String>),
}

impl Tenant {
    fn companies(&self) -> Vec<String> {
        match self {
            Self::Company(company) => vec![company.clone()],
            Self::Several(companies) => companies.clone(),
        }
    }

    /// Which webhooks are its own; $1 are its companies.
    fn condition(&self) -> &'static str {
        match self {
            Self::Company(_) => "companies_of(rules) = $1",
            Self::Several(_) => "companies_of(rules) <@ $1 AND cardinality(companies_of(rules)) > 1",
        }
    }
}

/// Looks whether a webhook fits into the quotas that it is charged to. Changes to one tenant's webhooks wait
/// for each other, so that no two fit in where only one does.
pub(crate) async fn check(
    transaction: &Transaction<'_>,
    webhook: &NewWebhook,
    charge: &Charge,
) -> Result<Option<OverQuota>, Error> {
    let companies = charge.of.companies();
    let name = companies.join(", ");
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('posthorn quota ' || $1, 0))";
    transaction.execute(lock, &[&name]).await?;
    let query = format!(
        "SELECT id, rules, max_in_flight FROM webhooks WHERE state <> 'deleted' AND {}",
        charge.of.condition()
    );
    let rows = transaction.query(&query, &[&companies]).await?;
    let (mut others, mut was) = (Sum::default(), Sum::default());
    for row in &rows {
        let rules = read_rules(row).unwrap_or_default();
        let sum = if row.get::<_, Uuid>("id") == webhook.id.0 { &mut was } else { &mut others };
        sum.add(Sum::of(&rules, read_in_flight(row)));
    }
    let wanted = Sum::of(&webhook.rules, webhook.max_in_flight);
    Ok(over(&name, others, was, wanted, &charge.quotas))
}

impl Sum {
    fn of(rules: &[Rule], max_in_flight: u16) -> Self {
        let tests = rules.iter().map(|rule| rule.tests() as u64).sum();
        Self { webhooks: 1, in_flight: max_in_flight.into(), tests }
    }

    fn add(&mut self, other: Self) {
        self.webhooks += other.webhooks;
        self.in_flight += other.in_flight;
        self.tests += other.tests;
    }
}

/// The quota that a webhook does not fit in beside the others. What it had it keeps: a change that takes no
/// more of something is not refused because that quota was lowered since.
fn over(company: &str, others: Sum, was: Sum, wanted: Sum, quotas: &Quotas) -> Option<OverQuota> {
    let kinds = [
        ("webhooks", "company_webhooks", others.webhooks, was.webhooks, wanted.webhooks, quotas.webhooks),
        (
            "attempts at a time (`max_in_flight` of its webhooks, summed)",
            "company_in_flight",
            others.in_flight,
            was.in_flight,
            wanted.in_flight,
            quotas.in_flight,
        ),
        (
            "values that the patterns of its webhooks compare an event with",
            "company_tests",
            others.tests,
            was.tests,
            wanted.tests,
            quotas.tests,
        ),
    ];
    kinds.into_iter().find_map(|(what, label, others, was, wanted, most)| {
        let total = others + wanted;
        (wanted > was && total > most).then(|| OverQuota {
            company: company.to_owned(),
            what,
            label,
            total,
            most,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTAS: Quotas = Quotas { webhooks: 2, in_flight: 100, tests: 10 };

    fn sum(webhooks: u64, in_flight: u64, tests: u64) -> Sum {
        Sum { webhooks, in_flight, tests }
    }

    fn label(others: Sum, was: Sum, wanted: Sum) -> Option<&'static str> {
        over("c1", others, was, wanted, &QUOTAS).map(|over| over.label)
    }

    #[test]
    fn a_webhook_fits_beside_the_others_or_is_told_of_the_quota() {
        let none = Sum::default();
        assert_eq!(label(none, none, sum(1, 100, 10)), None);
        assert_eq!(label(sum(2, 2, 0), none, sum(1, 1, 0)), Some("company_webhooks"));
        assert_eq!(label(sum(1, 85, 0), none, sum(1, 16, 0)), Some("company_in_flight"));
        assert_eq!(label(sum(1, 1, 9), none, sum(1, 1, 2)), Some("company_tests"));
    }

    #[test]
    fn what_a_webhook_had_it_keeps() {
        assert_eq!(label(sum(5, 500, 50), sum(1, 16, 3), sum(1, 16, 3)), None);
        assert_eq!(label(sum(5, 500, 50), sum(1, 16, 3), sum(1, 8, 1)), None);
        assert_eq!(label(sum(1, 90, 0), sum(1, 8, 0), sum(1, 16, 0)), Some("company_in_flight"));
    }
}
