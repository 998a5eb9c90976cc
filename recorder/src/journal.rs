//! From the journal's queue into the database, in as large batches as have gathered.

use std::{pin::pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use posthorn_broker::{BrokerError, Receipt, Received, Session, Source};
use posthorn_domain::{
    error_chain::error_chain,
    event::{Field, Rejection},
    journal::{Entry, Rejected, decode, encode},
    status::Status,
};
use posthorn_store::{Disabled, Recorded, Recording, Store, StoreError};
use posthorn_timing::Backoff;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{FIRST_PAUSE, LONGEST_PAUSE, Settings, metrics};

/// About the most entries of a transaction.
const MOST_ENTRIES: usize = 5_000;
/// About the most bytes of a transaction.
const MOST_BYTES: usize = 16 << 20;
/// How long a transaction waits for more to write.
const MOMENT: Duration = Duration::from_millis(100);
/// How long a stop waits for the transaction at hand.
const LAST_TRANSACTION: Duration = Duration::from_secs(5);

/// Entries and the receipts of the messages that brought them.
#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    receipts: Vec<Receipt>,
    bytes: usize,
}

/// Records until the session ends or `halt`.
pub(crate) async fn run(
    session: &Arc<Session>,
    store: &Store,
    settings: Settings,
    status: &Status,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let Settings { prefetch, recording, .. } = settings;
    let channel = session.consumer_channel().await?;
    let mut source = channel.consume(&session.names().journal(), prefetch).await?;
    tracing::info!("recording");
    let writing = async {
        while let Some(Some(gathered)) = halt.run_until_cancelled(gather(&mut source, prefetch)).await {
            write(store, &gathered.entries, recording, status).await;
            gathered.receipts.into_iter().for_each(Receipt::finish);
        }
    };
    // What is not committed when the session ends or a stop takes too long comes back.
    tokio::select! {
        () = writing => {}
        () = session.ended() => {}
        () = halted(halt, status) => {}
    }
    if session.is_open() {
        source.cancel().await;
    }
    channel.flush().await
}

/// Waits for `halt`, and then for the transaction at hand, unless the database is away.
async fn halted(halt: &CancellationToken, status: &Status) {
    halt.cancelled().await;
    if status.missing().is_none() {
        sleep(LAST_TRANSACTION).await;
    }
}

/// Waits for a message and takes along what else comes within a moment, or as much as a transaction
/// takes: what a commit costs is shared.
async fn gather(source: &mut Source, prefetch: u16) -> Option<Gathered> {
    let mut gathered = Gathered::default();
    gathered.add(source.next().await?);
    let mut moment = pin!(sleep(MOMENT));
    while !gathered.is_full(prefetch) {
        tokio::select! {
            biased;
            next = source.next() => match next {
                Some(received) => gathered.add(received),
                None => break,
            },
            () = &mut moment => break,
        }
    }
    Some(gathered)
}

impl Gathered {
    fn is_full(&self, prefetch: u16) -> bool {
        self.entries.len() >= MOST_ENTRIES
            || self.bytes >= MOST_BYTES
            || self.receipts.len() >= prefetch.into()
    }

    fn add(&mut self, received: Received) {
        self.bytes += received.message.body.len();
        match decode(received.message.body.clone()) {
            Ok(entries) => self.entries.extend(entries),
            Err(error) => {
                tracing::error!(
                    "a journal batch cannot be read, it is kept with the rejected events: {error}"
                );
                self.entries.push(
                    received.message.rejected(Rejection { field: Field::Journal, reason: error.to_string() }),
                );
            }
        }
        self.receipts.push(received.receipt);
    }
}

/// Writes until it works. What the database refuses for what it is, is tried entry by entry, and kept
/// with the rejected events: it must not stop the rest.
async fn write(store: &Store, entries: &[Entry], recording: Recording, status: &Status) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match store.record(entries, recording).await {
            Ok(recorded) => {
                status.set(None);
                return tell(recorded, entries);
            }
            Err(error) if error.is_about_the_data() && entries.len() > 1 => {
                tracing::error!(
                    "some entries cannot be recorded, trying them one by one: {}",
                    error_chain(&error)
                );
                for entry in entries {
                    Box::pin(write(store, std::slice::from_ref(entry), recording, status)).await;
                }
                return;
            }
            Err(error) if error.is_about_the_data() && is_recordable(entries) => {
                let refused = refused(&entries[0], &error);
                return Box::pin(write(store, &[refused], recording, status)).await;
            }
            Err(error) => {
                let said = error_chain(&error);
                let pause = backoff.pause(rand::random());
                tracing::warn!(
                    "cannot record what happened ({said}), trying again in {} ms",
                    pause.as_millis()
                );
                status.set(Some(format!("PostgreSQL: {said}")));
                sleep(pause).await;
            }
        }
    }
}

/// Whether a refused entry can still be kept as a rejected one.
fn is_recordable(entries: &[Entry]) -> bool {
    !matches!(entries, [Entry::Rejected(_)])
}

fn tell(recorded: Recorded, entries: &[Entry]) {
    metrics::recorded(entries);
    metrics::rejected_unkept(recorded.unkept as u64);
    for Disabled { webhook_id, reason, event } in recorded.disabled {
        metrics::webhook_disabled(reason);
        tracing::warn!(webhook.id = %webhook_id, event = %event, "disabled a webhook ({reason})");
    }
    if let Some(event) = recorded.conflicts.first() {
        let conflicts = recorded.conflicts.len();
        metrics::conflicted(conflicts);
        tracing::warn!(event = %event, conflicts, "an event came with the id of another and other content");
    }
}

/// An entry that the database refuses, as one that it takes.
fn refused(entry: &Entry, error: &StoreError) -> Entry {
    let message = encode([entry]);
    Entry::Rejected(Rejected {
        id: Uuid::now_v7(),
        rejected_at: Timestamp::now(),
        field: Field::Journal,
        reason: error_chain(error),
        routing_key: String::new(),
        message_id: String::new(),
        size: message.len() as u64,
        message,
    })
}
