//! Shapes of the domain, as the OpenAPI document has them. The domain itself reads and writes them.

use serde::Serialize;
use utoipa::ToSchema;

/// Which events a webhook wants: those that fit everything that is said. What is left out is not asked.
#[derive(Serialize, ToSchema)]
#[schema(title = "Rule")]
pub(crate) struct Rule {
    /// Event types; `*` stands for any run of characters.
    #[schema(required = false, min_items = 1, example = json!(["todo.*"]))]
    event_types: Vec<String>,
    /// Event types taken away from those.
    #[schema(required = false, min_items = 1)]
    except_event_types: Vec<String>,
    /// Ids of companies.
    #[schema(required = false, min_items = 1)]
    companies: Vec<String>,
    /// Ids of projects.
    #[schema(required = false, min_items = 1)]
    projects: Vec<String>,
    /// Ids of projects taken away from those.
    #[schema(required = false, min_items = 1)]
    except_projects: Vec<String>,
    /// An Amazon EventBridge event pattern on the body.
    #[schema(required = false, value_type = Object)]
    pattern: (),
}

/// What disables a webhook: the first delivery whose last retry fails, always (`exhausted`) or only if
/// nothing was accepted since its first attempt (`failing`).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes")]
pub(crate) enum DisablePolicy {
    /// Always.
    Exhausted,
    /// Only if nothing was accepted meanwhile.
    Failing,
}

/// A webhook's state: `healthy` or `failing` by its last attempt, `paused` by a person, `disabled` because
/// it failed or a person said so.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes")]
pub(crate) enum Condition {
    /// Its last attempt was accepted, or there was none yet.
    Healthy,
    /// Its last attempt failed.
    Failing,
    /// A person has stopped it.
    Paused,
    /// It gets nothing until it is enabled again.
    Disabled,
}

/// What a token allows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes")]
pub(crate) enum Scope {
    /// To look at webhooks, events and deliveries.
    Read,
    /// To change webhooks, redeliver and replay.
    Write,
    /// To publish events.
    Publish,
    /// To manage tokens and read the audit log.
    Admin,
}
