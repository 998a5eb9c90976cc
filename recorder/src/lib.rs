//! The recorder: writes the journal to PostgreSQL, disables webhooks, and tidies up.
//!
//! A batch is acknowledged only after its transaction is committed; the same batch twice changes
//! nothing. While the database is away the journal waits in the broker.

mod janitor;
mod journal;
mod mail;
mod metrics;
mod notify;
mod retries;

use std::{sync::Arc, time::Duration};

pub use mail::{BadMailer, Mailer};
use posthorn_broker::{Broker, BrokerError, Role, Session};
use posthorn_domain::{error_chain::error_chain, status::Status};
use posthorn_store::{Recording, Store};
use posthorn_timing::Backoff;
use tokio_util::sync::CancellationToken;

/// Between two tries of what PostgreSQL did not do.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Settings of the recorder.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Journal batches held unacknowledged, hence the bound on one transaction.
    pub prefetch: u16,
    /// How long events and attempts are kept.
    pub retention: Duration,
    /// How long statistics are kept by minute.
    pub minutes: Duration,
    /// How long statistics are kept by hour.
    pub hours: Duration,
    /// What is to know for recording.
    pub recording: Recording,
    /// How long after its deletion a webhook's queue is deleted: longer than a router needs to learn
    /// of it and to have its last confirms.
    pub deletion_grace: Duration,
}

/// Records until `stop`, session after session, and sends mails if there is a `mailer`. `status` tells
/// whether the database can be written to.
///
/// # Errors
/// Those of the broker that trying again cannot mend.
pub async fn run(
    broker: Arc<Broker>,
    store: Store,
    settings: Settings,
    mailer: Option<Mailer>,
    status: Status,
    stop: CancellationToken,
) -> Result<(), BrokerError> {
    metrics::describe();
    if stop.run_until_cancelled(database(&store, &status)).await.is_none() {
        return Ok(());
    }
    let halt = stop.child_token();
    let serving = async {
        let _halt = halt.clone().drop_guard();
        while let Some(session) = broker.session(Role::Recorder, &stop).await? {
            let work = Work { session: &session, store: &store, settings, sends_mails: mailer.is_some() };
            if let Err(error) = work.serve(&status, &stop).await {
                session.fail(error_chain(&error));
            }
            session.close().await;
        }
        Ok(())
    };
    let mailing = async {
        if let Some(mailer) = &mailer {
            mailer.run(&store, &halt).await;
        }
    };
    let (served, ()) = tokio::join!(serving, mailing);
    served
}

/// Waits until the database answers and has our tables.
async fn database(store: &Store, status: &Status) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    while let Err(error) = store.check().await {
        let pause = backoff.pause(rand::random());
        tracing::warn!(
            "PostgreSQL is not ready ({}), trying again in {} ms",
            error_chain(&error),
            pause.as_millis()
        );
        status.set(Some(format!("PostgreSQL: {}", error_chain(&error))));
        tokio::time::sleep(pause).await;
    }
    status.set(None);
}

/// What is done on one session.
struct Work<'a> {
    session: &'a Arc<Session>,
    store: &'a Store,
    settings: Settings,
    sends_mails: bool,
}

impl Work<'_> {
    async fn serve(&self, status: &Status, stop: &CancellationToken) -> Result<(), BrokerError> {
        let Self { session, store, settings, sends_mails } = *self;
        let halt = stop.child_token();
        let recording = with_the_others(&halt, journal::run(session, store, settings, status, &halt));
        let tidying = with_the_others(&halt, janitor::run(session, store, settings, &halt));
        let notifying = with_the_others(&halt, notify::run(session, store, sends_mails, &halt));
        let (recorded, (), notified) = tokio::join!(recording, tidying, notifying);
        recorded.and(notified)
    }
}

/// Runs a part of the work. When it ends, for whatever reason, all parts are told to end, so that none is
/// missing without being noticed: the next session begins with all of them.
async fn with_the_others<Ended>(halt: &CancellationToken, part: impl Future<Output = Ended>) -> Ended {
    let _halt = halt.clone().drop_guard();
    part.await
}

#[cfg(test)]
mod tests {
    use tokio::{task::JoinSet, time::timeout};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_part_that_fails_ends_the_others() {
        let halt = CancellationToken::new();
        let failing = with_the_others(&halt, async { Err::<(), _>("no notification was published") });
        let recording = with_the_others(&halt, halt.cancelled());
        let ended = timeout(SOON, async { tokio::join!(failing, recording) }).await;
        let (failed, ()) = ended.expect("the others end, too");
        assert_eq!(failed, Err("no notification was published"));
    }

    #[tokio::test]
    async fn a_part_that_panics_ends_the_role() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async {
            let halt = CancellationToken::new();
            let tidying = with_the_others(&halt, async { panic!("a bug in the janitor") });
            let recording = with_the_others(&halt, halt.cancelled());
            let ((), ()) = tokio::join!(tidying, recording);
        });
        let ended = timeout(SOON, tasks.join_next()).await.expect("it ends").expect("there is a task");
        assert!(ended.expect_err("the panic is seen").is_panic());
    }
}
