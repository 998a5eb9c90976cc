//! The JSON routes: one file for each resource. Each offers `routes`, which [`all`] joins. A handler reads the
//! request, asks a use case and writes what it answers; it decides nothing.

use utoipa_axum::router::OpenApiRouter;

use crate::state::Shared;

mod audit;
mod companies;
mod deliveries;
mod event_conflicts;
mod event_types;
mod events;
mod explain;
mod projects;
mod publish;
mod rejected;
mod replays;
mod statistics;
mod tokens;
mod webhook_states;
mod webhook_test;
mod webhooks;

/// All of them.
pub(crate) fn all() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(webhooks::routes())
        .merge(webhook_states::routes())
        .merge(webhook_test::routes())
        .merge(publish::routes())
        .merge(events::routes())
        .merge(event_conflicts::routes())
        .merge(explain::routes())
        .merge(deliveries::routes())
        .merge(replays::routes())
        .merge(rejected::routes())
        .merge(event_types::routes())
        .merge(companies::routes())
        .merge(projects::routes())
        .merge(statistics::routes())
        .merge(tokens::routes())
        .merge(audit::routes())
}
