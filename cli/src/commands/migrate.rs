//! `posthorn migrate`.

use std::time::Duration;

use posthorn_domain::error_chain::error_chain;
use posthorn_store::StoreError;

use crate::settings::DatabaseSettings;

/// How long to wait for the database to come up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(database: &DatabaseSettings) -> anyhow::Result<()> {
    let url = database.url()?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let applied = loop {
        match posthorn_store::migrate(&url).await {
            Err(error @ StoreError::NoConnection(_)) if tokio::time::Instant::now() < deadline => {
                tracing::warn!("waiting for PostgreSQL: {}", error_chain(&error));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            done => break done?,
        }
    };
    match applied.as_slice() {
        [] => println!("the database is up to date"),
        applied => applied.iter().for_each(|migration| println!("applied {migration}")),
    }
    Ok(())
}
