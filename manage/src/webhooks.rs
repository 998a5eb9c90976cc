//! Webhooks: made, shown, listed, changed, stopped, tested, deleted.

mod input;
mod list;
mod states;
mod test;
mod view;

use std::time::{Duration, Instant};

use posthorn_domain::id::WebhookId;
use uuid::Uuid;

use crate::{
    error::{Error, Kind},
    fields::Fields,
    ids,
    manage::{Manage, Shared},
    once::{Done, Once},
    principal::{May, Read, Write},
    version::{Expected, Versioned},
};

pub use input::WebhookInput;
pub use list::{List, list};
pub use states::{Rotation, disable, enable, pause, resume, rotate_secret};
pub use test::{Tested, test};
use view::shown;
pub use view::{Disabled, Webhook};

/// How long a change waits for others of the same webhook.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a webhook. The result holds its secret, which is not shown again.
///
/// # Errors
/// If the input is wrong, or a company's quota is used up.
pub async fn create(
    manage: &Shared,
    by: &May<Write>,
    once: Once,
    input: WebhookInput,
) -> Result<Done<Versioned<Webhook>>, Error> {
    let (shared, may) = (manage.clone(), by.clone());
    let act = async move {
        let (manage, by, id) = (shared, may, WebhookId(Uuid::now_v7()));
        let webhook = input.check(id, &manage, &by)?;
        let (secret, sealed) = manage.keys()?.fresh_secret(id, rand::random(), rand::random());
        let (charge, actor) = (manage.charge(&by, &webhook.rules), by.acts("webhook.create"));
        let webhook = manage.store.webhooks.add(&webhook, &sealed, charge.as_ref(), &actor).await?;
        let revision = webhook.revision;
        // Nothing waits yet. The broker is not asked: a router declares the queue a little later.
        let view = Webhook::of(&manage, &by, webhook, Some(0)).with_secret(&secret);
        Ok(Versioned { view, revision })
    };
    manage.once(by, once, act).await
}

/// Shows a webhook.
///
/// # Errors
/// If there is none.
pub async fn show(manage: &Manage, by: &May<Read>, id: &str) -> Result<Versioned<Webhook>, Error> {
    let webhook = manage.webhook(by, ids::webhook(id)?).await?;
    shown(manage, by, webhook).await
}

/// Changes a webhook by a merge patch (RFC 7396): null takes a field back to its default, and in `headers`
/// and `metadata` an entry away; lists are replaced as a whole. Changes made at once are made one after the
/// other.
///
/// # Errors
/// If the patch is wrong, is based on another version, or a company's quota is used up.
pub async fn update(
    manage: &Manage,
    by: &May<Write>,
    id: &str,
    expected: &Expected,
    patch: &Fields,
) -> Result<Versioned<Webhook>, Error> {
    let id = ids::webhook(id)?;
    let busy = || Error::new(Kind::Unavailable, "it is being changed all the time: try again").after(1);
    let _turn = manage.changes.take(id, PATIENCE).await.ok_or_else(busy)?;
    let began = Instant::now();
    // Only other processes can be quicker now; each time that one is, a change has been made.
    while began.elapsed() < PATIENCE {
        let was = manage.webhook(by, id).await?;
        expected.check(was.revision)?;
        let described = input::patched(manage, &was, patch)?.check(id, manage, by)?;
        let (charge, actor) = (manage.charge(by, &described.rules), by.acts("webhook.update"));
        let changed = manage.store.webhooks.update(&described, was.revision, charge.as_ref(), &actor).await?;
        if let Some(webhook) = changed {
            return shown(manage, by, webhook).await;
        }
    }
    Err(busy())
}

/// Deletes a webhook. What is in its queue goes with it.
///
/// # Errors
/// If there is none, or it is another version.
pub async fn delete(manage: &Manage, by: &May<Write>, id: &str, expected: &Expected) -> Result<(), Error> {
    let webhook = manage.webhook(by, ids::webhook(id)?).await?;
    expected.check(webhook.revision)?;
    manage.store.webhooks.delete(webhook.described.id, &by.acts("webhook.delete")).await?;
    Ok(())
}
