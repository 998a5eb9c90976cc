//! What stops a webhook and lets it go on, and its secrets.

use std::time::Duration;

use posthorn_domain::id::WebhookId;
use posthorn_store::{Actor, StoreError, WebhookRecord};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::{Webhook, shown};
use crate::{
    error::{Error, Wrong},
    ids,
    manage::{Manage, Shared},
    once::{Done, Once},
    principal::{May, Write},
    version::Versioned,
};

/// How long the old secret signs beside the new one unless something else is asked for.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// The longest that can be asked for.
const LONGEST_OVERLAP_S: u32 = 30 * 24 * 3600;

/// Enables a webhook: a disabled one begins a new epoch, one that is enabled stays as it is.
///
/// # Errors
/// If it is paused, or there is none.
pub async fn enable(manage: &Manage, by: &May<Write>, id: &str) -> Result<Versioned<Webhook>, Error> {
    let act = async |id, actor: Actor| manage.store.webhooks.enable(id, &actor).await;
    change(manage, by, id, "webhook.enable", act).await
}

/// Disables a webhook: it gets nothing until it is enabled again; its queue keeps what it holds.
///
/// # Errors
/// If there is none.
pub async fn disable(manage: &Manage, by: &May<Write>, id: &str) -> Result<Versioned<Webhook>, Error> {
    let act = async |id, actor: Actor| manage.store.webhooks.disable(id, &actor).await;
    change(manage, by, id, "webhook.disable", act).await
}

/// Pauses a webhook: its queue keeps what it holds; events that come meanwhile do not reach it.
///
/// # Errors
/// If it is disabled, or there is none.
pub async fn pause(manage: &Manage, by: &May<Write>, id: &str) -> Result<Versioned<Webhook>, Error> {
    let act = async |id, actor: Actor| manage.store.webhooks.pause(id, &actor).await;
    change(manage, by, id, "webhook.pause", act).await
}

/// Lets a paused webhook go on.
///
/// # Errors
/// If it is disabled, or there is none.
pub async fn resume(manage: &Manage, by: &May<Write>, id: &str) -> Result<Versioned<Webhook>, Error> {
    let act = async |id, actor: Actor| manage.store.webhooks.resume(id, &actor).await;
    change(manage, by, id, "webhook.resume", act).await
}

async fn change(
    manage: &Manage,
    by: &May<Write>,
    id: &str,
    action: &'static str,
    act: impl AsyncFnOnce(WebhookId, Actor) -> Result<WebhookRecord, StoreError>,
) -> Result<Versioned<Webhook>, Error> {
    let webhook = manage.webhook(by, ids::webhook(id)?).await?;
    let webhook = act(webhook.described.id, by.acts(action)).await?;
    shown(manage, by, webhook).await
}

/// How a secret is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// How long the old secret signs beside the new one, in seconds; at most 30 days.
    #[schema(default = 86400, maximum = 2592000)]
    pub overlap_seconds: Option<u32>,
    /// The old secret ends at once.
    #[schema(default = false)]
    pub expire_old_now: Option<bool>,
}

impl Rotation {
    fn overlap(&self) -> Result<Duration, Error> {
        match (self.expire_old_now.unwrap_or_default(), self.overlap_seconds) {
            (true, None | Some(0)) => Ok(Duration::ZERO),
            (true, Some(_)) => {
                let detail = "`expire_old_now` leaves no time to overlap: give one of the two";
                Err(Error::invalid(vec![Wrong::at("/overlap_seconds", "contradiction", detail)]))
            }
            (false, None) => Ok(OVERLAP),
            (false, Some(seconds @ ..=LONGEST_OVERLAP_S)) => Ok(Duration::from_secs(seconds.into())),
            (false, Some(_)) => {
                let detail = format!("at most {LONGEST_OVERLAP_S} (30 days) are allowed");
                Err(Error::invalid(vec![Wrong::at("/overlap_seconds", "out_of_range", detail)]))
            }
        }
    }
}

/// Gives a webhook a new secret, which the result holds; it is not shown again. The old one goes on signing
/// beside it for a while.
///
/// # Errors
/// If the input is wrong, or there is no such webhook.
pub async fn rotate_secret(
    manage: &Shared,
    by: &May<Write>,
    id: &str,
    once: Once,
    input: Rotation,
) -> Result<Done<Versioned<Webhook>>, Error> {
    let id = manage.webhook(by, ids::webhook(id)?).await?.described.id;
    let (shared, may) = (manage.clone(), by.clone());
    let act = async move {
        let (manage, by, overlap) = (shared, may, input.overlap()?);
        let (secret, sealed) = manage.keys()?.fresh_secret(id, rand::random(), rand::random());
        let actor = by.acts("webhook.rotate_secret");
        let webhook = manage.store.webhooks.rotate_secret(id, &sealed, overlap, &actor).await?;
        let (waiting, revision) = (manage.waiting(id).await, webhook.revision);
        let view = Webhook::of(&manage, &by, webhook, waiting).with_secret(&secret);
        Ok(Versioned { view, revision })
    };
    manage.once(by, once, act).await
}
