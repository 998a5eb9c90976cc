//! Explain: why a webhook did, or did not, get an event.

use std::time::Duration;

use jiff::Timestamp;
use posthorn_domain::verdict::{Facts, Verdict};
use posthorn_domain::{
    id::{EventRef, WebhookId},
    webhook,
};
use posthorn_matching::{
    explain::Explanation,
    pattern::{Steps, Unmatchable},
    rule::Rule,
};
use posthorn_store::{EventRecord, Version, WebhookRecord};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{naming, recorded::decode};
use crate::{
    deliveries::view::latest,
    error::{Error, Kind, Wrong},
    ids,
    manage::Manage,
    principal::{May, Principal, Read},
};

/// Within this a change of a webhook may not be in force yet.
const IN_FORCE: Duration = Duration::from_secs(2);

/// Which webhook.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Explain {
    /// The webhook, `whk_…`.
    #[param(required = true, value_type = String)]
    pub webhook: Option<String>,
}

/// Why a webhook did, or did not, get an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explained {
    /// The event.
    #[schema(value_type = String)]
    pub event_ref: EventRef,
    /// Its producer's id.
    pub event_id: String,
    /// The webhook.
    #[schema(value_type = String)]
    pub webhook_id: WebhookId,
    /// `succeeded`, `failed`, `retrying`, `waiting`, `did_not_exist`, `not_matched`, `paused`, `disabled` or
    /// `not_in_force`.
    #[schema(value_type = String)]
    pub verdict: Verdict,
    /// The same in a sentence.
    pub sentence: &'static str,
    /// When the event came.
    pub received_at: Timestamp,
    /// What the webhook was then: `enabled`, `paused` or `disabled`; null if it was not there.
    #[schema(value_type = Option<String>)]
    pub state_then: Option<webhook::State>,
    /// Since when.
    pub state_since: Option<Timestamp>,
    /// Whether the webhook was changed so shortly before that the change may not have been in force.
    pub just_changed: bool,
    /// Whether the rules are those of then; else those of now are explained.
    pub rules_of_then: bool,
    /// What becomes of each rule and the event.
    pub rules: Vec<ExplainedRule>,
}

/// What becomes of one rule and the event.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedRule {
    /// Whether the rule matches.
    pub matched: bool,
    /// All clauses of the rule but those of its pattern: every one must match.
    pub clauses: Vec<ExplainedClause>,
    /// The alternatives of its pattern: of one of them every clause must match. Empty without a pattern.
    pub alternatives: Vec<Vec<ExplainedClause>>,
}

/// One thing that a rule asks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedClause {
    /// What it is about: a list of the rule, or the path of a field in the body.
    pub of: String,
    /// What the rule wants, in words.
    pub wanted: String,
    /// What the event has, in words.
    pub seen: String,
    /// Whether they fit.
    pub matched: bool,
}

/// Explains why a webhook did, or did not, get an event, with the rules and the state that it had when the
/// event came.
///
/// # Errors
/// If there is no such event or webhook, or explaining takes too many steps.
pub async fn explain(
    manage: &Manage,
    by: &May<Read>,
    event: &str,
    asked: Explain,
) -> Result<Explained, Error> {
    let Some(webhook) = &asked.webhook else {
        let wrong = Wrong::parameter("webhook", "required", "say which webhook");
        return Err(Error::parameters(vec![wrong]));
    };
    let webhook = manage.webhook(by, ids::webhook(webhook)?).await?;
    let found = naming::event(manage, by, event).await?;
    explained(manage, by, found, webhook).await
}

async fn explained(
    manage: &Manage,
    by: &Principal,
    found: EventRecord,
    webhook: WebhookRecord,
) -> Result<Explained, Error> {
    let webhook_id = webhook.described.id;
    let versions = manage.store.webhooks.versions(webhook_id, found.received_at, found.received_at).await?;
    let then = versions.into_iter().last();
    let attempts = manage.store.history.attempts(found.event_ref, webhook_id).await?;
    let (rules, rules_of_then) = match &then {
        // Rules of then may have named companies that the principal does not see.
        Some(version) if !version.rules.is_empty() && by.sees_rules(&version.rules) => (&version.rules, true),
        _ => (&webhook.described.rules, false),
    };
    let rules = rules_explained(manage, rules, &found)?;
    let facts = Facts {
        state_then: then.as_ref().map(|version| version.state),
        is_matched: rules.iter().any(|rule| rule.matched),
        is_routed: found.webhook_ids.contains(&webhook_id),
        last_step: latest(&attempts, found.digest).map(|attempt| attempt.step.kind()),
    };
    let verdict = Verdict::of(facts);
    Ok(Explained {
        webhook_id,
        verdict,
        sentence: verdict.sentence(),
        received_at: found.received_at,
        state_then: facts.state_then,
        state_since: then.as_ref().map(|version| version.since),
        just_changed: then.as_ref().is_some_and(|version| is_fresh(version, found.received_at)),
        rules_of_then,
        rules: rules.into_iter().map(ExplainedRule::from).collect(),
        event_ref: found.event_ref,
        event_id: found.id.0,
    })
}

fn is_fresh(version: &Version, at: Timestamp) -> bool {
    version.since.saturating_add(IN_FORCE).is_ok_and(|in_force| at < in_force)
}

fn rules_explained(manage: &Manage, rules: &[Rule], found: &EventRecord) -> Result<Vec<Explanation>, Error> {
    let broken = || Error::new(Kind::Internal, "the recorded event cannot be explained");
    let body = decode(found)?.body(found.received_at);
    let body = std::str::from_utf8(&body).map_err(|_| broken())?;
    let steps = Steps::new(manage.settings.most_match_steps);
    let explained = |rule| {
        Explanation::of(rule, body, &steps).map_err(|error| match error {
            Unmatchable::NotJson(_) => broken(),
            Unmatchable::TooCostly(costly) => Error::new(Kind::Conflict, costly.to_string()),
        })
    };
    rules.iter().map(explained).collect()
}

impl From<Explanation> for ExplainedRule {
    fn from(rule: Explanation) -> Self {
        let all = |clauses: Vec<_>| clauses.into_iter().map(ExplainedClause::from).collect();
        Self {
            matched: rule.matched,
            clauses: all(rule.clauses),
            alternatives: rule.alternatives.into_iter().map(all).collect(),
        }
    }
}

impl From<posthorn_matching::explain::Clause> for ExplainedClause {
    fn from(clause: posthorn_matching::explain::Clause) -> Self {
        let posthorn_matching::explain::Clause { of, wanted, seen, matched } = clause;
        Self { of, wanted, seen, matched }
    }
}
