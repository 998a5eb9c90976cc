//! How many deliveries wait in webhooks' queues: asked of the broker, unknown if it doesn't answer.

use posthorn_broker::Viewer;
use posthorn_domain::id::WebhookId;

use crate::settings::BrokerSettings;

/// For each webhook in turn; `None` where it cannot be told.
pub(crate) async fn of(settings: &BrokerSettings, ids: &[WebhookId]) -> Vec<Option<u32>> {
    match ask(settings, ids).await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::warn!("cannot tell how many deliveries wait: {error:#}");
            vec![None; ids.len()]
        }
    }
}

async fn ask(settings: &BrokerSettings, ids: &[WebhookId]) -> anyhow::Result<Vec<Option<u32>>> {
    let viewer = Viewer::connect(&settings.url()?, &settings.prefix).await?;
    // A webhook without a queue has had no delivery yet.
    Ok(viewer.waiting(ids).await?.into_iter().map(|waiting| Some(waiting.unwrap_or(0))).collect())
}
