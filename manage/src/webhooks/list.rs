//! Webhooks, listed.

use posthorn_domain::{id::WebhookId, webhook::Condition};
use posthorn_matching::{event_type::is_event_type, rule::Rule};
use posthorn_store::WebhookRecord;
use serde::Deserialize;
use utoipa::IntoParams;

use super::view::Webhook;
use crate::{
    error::{Error, Wrong},
    manage::Manage,
    page::{PageOf, Paging},
    principal::{May, Read},
    schema,
};

/// How many webhooks a page looks at.
const MOST_SCANNED: i64 = 1000;

/// What a list of webhooks may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only those in this state.
    #[param(value_type = Option<schema::Condition>)]
    pub state: Option<Condition>,
    /// Only those whose URL holds this text.
    pub url: Option<String>,
    /// Only those that may get events of this company.
    pub company: Option<String>,
    /// Only those that may get events of this type.
    pub event_type: Option<String>,
}

impl List {
    fn wants(&self, webhook: &WebhookRecord) -> bool {
        let described = &webhook.described;
        let any_rule = |fits: &dyn Fn(&Rule) -> bool| described.rules.iter().any(fits);
        self.state.is_none_or(|state| webhook.condition() == state)
            && self.url.as_ref().is_none_or(|text| described.url.contains(text))
            && any_rule(&|rule| {
                self.company.as_ref().is_none_or(|company| rule.may_want_company(company))
                    && self.event_type.as_ref().is_none_or(|wanted| rule.may_want_type(wanted))
            })
    }

    fn is_filtered(&self) -> bool {
        let Self { state, url, company, event_type, .. } = self;
        state.is_some() || url.is_some() || company.is_some() || event_type.is_some()
    }

    fn check(&self) -> Result<(), Error> {
        match &self.event_type {
            Some(text) if !is_event_type(text) => {
                let detail = "an event type is dot-separated parts of [A-Za-z0-9_], such as todo.created";
                Err(Error::parameters(vec![Wrong::parameter("event_type", "bad_event_type", detail)]))
            }
            _ => Ok(()),
        }
    }
}

/// Webhooks, the oldest first. A page looks at a bounded number: with filters it may hold few, or none,
/// though more follow.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list(manage: &Manage, by: &May<Read>, asked: List) -> Result<PageOf<Webhook>, Error> {
    let paging = Paging::<WebhookId>::read(asked.limit, asked.cursor.as_deref())?;
    asked.check()?;
    let scanned = if asked.is_filtered() { MOST_SCANNED } else { paging.limit as i64 };
    let webhooks = manage.store.webhooks.after(paging.behind, scanned, by.companies.as_deref()).await?;
    let is_whole_scan = webhooks.len() as i64 == scanned;
    let last_scanned = webhooks.last().map(|webhook| webhook.described.id);
    let wanted = webhooks.into_iter().filter(|webhook| asked.wants(webhook));
    let found: Vec<_> = wanted.take(paging.limit).collect();
    let next = match found.last().map(|webhook| webhook.described.id) {
        Some(last) if found.len() == paging.limit => Some(last),
        _ => last_scanned.filter(|_| is_whole_scan),
    };
    let ids: Vec<_> = found.iter().map(|webhook| webhook.described.id).collect();
    let waiting = manage.all_waiting(&ids).await;
    let shown = found.into_iter().zip(waiting);
    let shown = shown.map(|(webhook, waiting)| Webhook::of(manage, by, webhook, waiting));
    Ok(paging.page_until(shown.collect(), next))
}
