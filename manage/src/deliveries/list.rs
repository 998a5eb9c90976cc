//! Deliveries of a webhook, listed.

use posthorn_domain::{outcome::OutcomeKind, words::UnknownWord};
use posthorn_store::DeliveryFilter;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::{Delivery, told};
use crate::{
    error::{Error, Wrong},
    ids,
    manage::Manage,
    moment::Moment,
    page::{InTime, PageOf, Paging, event_type, times},
    principal::{May, Read},
};

/// What a list of deliveries may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only those whose latest attempt came to this, or to one of these: accepted, refused, gone,
    /// unreachable, interrupted.
    #[param(example = "refused,unreachable")]
    pub outcome: Option<String>,
    /// Only those whose latest attempt began since then.
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Moment>,
    /// Only those whose latest attempt began before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Moment>,
    /// Only of this event type; `*` stands for any run of characters.
    pub event_type: Option<String>,
}

fn outcomes(text: &str) -> Result<Vec<OutcomeKind>, Error> {
    let outcomes: Result<Vec<OutcomeKind>, UnknownWord> = text.split(',').map(str::parse).collect();
    outcomes.map_err(|unknown| {
        let detail = format!("`{}` is not one of {}", unknown.word, unknown.known.join(", "));
        Error::parameters(vec![Wrong::parameter("outcome", "unknown_outcome", detail)])
    })
}

/// A webhook's deliveries of which an attempt was made, the latest first. A page looks at a bounded number of
/// attempts: with filters it may hold few, or none, though more follow.
///
/// # Errors
/// If what is asked for cannot be, or there is no such webhook.
pub async fn list(
    manage: &Manage,
    by: &May<Read>,
    webhook: &str,
    asked: List,
) -> Result<PageOf<Delivery>, Error> {
    let paging = Paging::<InTime<Uuid>>::read(asked.limit, asked.cursor.as_deref())?;
    let (since, until) = times(asked.since, asked.until);
    let filter = DeliveryFilter {
        outcomes: asked.outcome.as_deref().map(outcomes).transpose()?,
        since,
        until,
        event_type: event_type("event_type", asked.event_type.as_deref())?,
        companies: by.companies.clone(),
    };
    let webhook = manage.webhook(by, ids::webhook(webhook)?).await?.described.id;
    let found =
        manage.store.history.deliveries(webhook, &filter, paging.place().as_ref(), paging.limit).await?;
    paging.page_of(found, |row| Ok(told(row, by).into()))
}
