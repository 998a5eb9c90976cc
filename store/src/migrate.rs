//! Migrations: embedded in the binary, run under an advisory lock.

use refinery::embed_migrations;

use crate::{
    connect::{Database, no_connection},
    error::StoreError,
};

embed_migrations!("migrations");

/// The advisory locks of Posthorn; any number will do as long as nothing else in the database uses it.
const MIGRATION_LOCK: i64 = 0x7057_4852_0001;

/// Brings the database up to date and names the migrations that were needed. Safe to run from many
/// processes at once: the others wait.
///
/// # Errors
/// If the database cannot be reached or a migration fails; a failed one changes nothing.
pub async fn migrate(url: &str) -> Result<Vec<String>, StoreError> {
    // Neither a long migration nor the wait for another replica's may be cut off.
    let database = Database::read(url)?.without_statement_timeout();
    let (mut client, connection) = database.connect_in_time().await?;
    let migrating = async {
        let locked = client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await;
        locked.map_err(StoreError::query("wait for other migrations"))?;
        let report = migrations::runner().run_async(&mut client).await.map_err(StoreError::of_migrations)?;
        Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
    };
    // The lock goes with the connection.
    tokio::select! {
        done = migrating => done,
        ended = connection => Err(match ended {
            Ok(()) => StoreError::NoAnswer { task: "migrate" },
            Err(error) => no_connection(error),
        }),
    }
}
