//! From the journal's queue into the database, in as large batches as have gathered.

use std::{pin::pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use posthorn_broker::{BrokerError, Queue, Receipt, Received, Session, Source};
use posthorn_domain::{
    error_chain::error_chain,
    event::{Field, Rejection},
    journal::{Entry, Rejected, decode, encode},
    status::Status,
};
use posthorn_store::{Disabled, Recorded, Recording, Store};
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

/// What is done about entries that could not be written.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    /// Each is tried by itself: one of them is at fault.
    OneByOne,
    /// The only one is kept with the rejected events, for people to look at.
    KeepAsRejected,
    /// They are tried again.
    TryAgain,
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
    let pool = session.consumer_pool(1);
    let mut source = pool.consume(Queue::Journal, prefetch).await?;
    tracing::info!("recording");
    let writing = async {
        while let Some(gathered) = halt.run_until_cancelled(gather(&mut source, prefetch)).await {
            let Some(gathered) = gathered else {
                return session.fail("the consumer of the journal has ended");
            };
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
    pool.flush().await
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
        is_full(self.entries.len(), self.bytes, self.receipts.len(), prefetch)
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

/// Whether no more messages fit into a transaction. Of `prefetch` messages the broker sends no more before
/// some are acknowledged.
fn is_full(entries: usize, bytes: usize, messages: usize, prefetch: u16) -> bool {
    entries >= MOST_ENTRIES || bytes >= MOST_BYTES || messages >= prefetch.into()
}

/// Writes until it works. What the database refuses for what it is, is tried entry by entry, and kept
/// with the rejected events: it must not stop the rest.
async fn write(store: &Store, entries: &[Entry], recording: Recording, status: &Status) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let error = match store.recorder.record(entries, recording).await {
            Ok(recorded) => {
                status.set(None);
                return tell(recorded, entries);
            }
            Err(error) => error,
        };
        let said = error_chain(&error);
        match remedy(entries, error.is_about_the_data()) {
            Remedy::OneByOne => {
                tracing::error!("some entries cannot be recorded, trying them one by one: {said}");
                for entry in entries {
                    Box::pin(write(store, std::slice::from_ref(entry), recording, status)).await;
                }
                return;
            }
            Remedy::KeepAsRejected => {
                let refused = refused(Uuid::now_v7(), Timestamp::now(), &entries[0], said);
                return Box::pin(write(store, &[refused], recording, status)).await;
            }
            Remedy::TryAgain => {
                let pause = backoff.pause(rand::random());
                let millis = pause.as_millis();
                tracing::warn!("cannot record what happened ({said}), trying again in {millis} ms");
                status.set(Some(format!("PostgreSQL: {said}")));
                sleep(pause).await;
            }
        }
    }
}

/// What to do about entries that were not written. One that is kept with the rejected events is not tried as
/// anything else: what the database does not take of it is the database's fault.
fn remedy(entries: &[Entry], is_about_the_data: bool) -> Remedy {
    match entries {
        _ if !is_about_the_data => Remedy::TryAgain,
        [] | [Entry::Rejected(_)] => Remedy::TryAgain,
        [Entry::Routed(_) | Entry::Attempted(_) | Entry::Dropped(_)] => Remedy::KeepAsRejected,
        [_, _, ..] => Remedy::OneByOne,
    }
}

fn tell(recorded: Recorded, entries: &[Entry]) {
    metrics::recorded(entries, Timestamp::now());
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
fn refused(id: Uuid, rejected_at: Timestamp, entry: &Entry, reason: String) -> Entry {
    let message = encode([entry]);
    Entry::Rejected(Rejected {
        id,
        rejected_at,
        field: Field::Journal,
        reason,
        routing_key: String::new(),
        message_id: String::new(),
        size: message.len() as u64,
        message,
    })
}

#[cfg(test)]
mod tests {
    use posthorn_domain::{
        id::{EventId, WebhookId},
        journal::Dropped,
    };

    use super::*;

    fn dropped() -> Entry {
        Entry::Dropped(Dropped {
            event_id: EventId::from("e1"),
            company_id: "c1".to_owned(),
            webhook_id: WebhookId(Uuid::nil()),
            dropped_at: Timestamp::UNIX_EPOCH,
            reason: "the webhook was deleted".to_owned(),
        })
    }

    #[test]
    fn one_entry_at_fault_neither_stops_the_rest_nor_is_lost() {
        let kept = refused(Uuid::nil(), Timestamp::UNIX_EPOCH, &dropped(), "too long".to_owned());
        assert_eq!(remedy(&[dropped(), dropped()], true), Remedy::OneByOne);
        assert_eq!(remedy(&[dropped()], true), Remedy::KeepAsRejected);
        assert_eq!(remedy(std::slice::from_ref(&kept), true), Remedy::TryAgain, "it is never given up");
        assert_eq!(remedy(&[dropped(), kept], true), Remedy::OneByOne);
    }

    #[test]
    fn a_database_that_is_away_is_waited_for() {
        assert_eq!(remedy(&[dropped()], false), Remedy::TryAgain);
        assert_eq!(remedy(&[dropped(), dropped()], false), Remedy::TryAgain);
    }

    #[test]
    fn a_refused_entry_is_kept_whole_with_the_reason() {
        let Entry::Rejected(kept) =
            refused(Uuid::nil(), Timestamp::UNIX_EPOCH, &dropped(), "too long".to_owned())
        else {
            panic!("it is kept with the rejected events")
        };
        assert_eq!((kept.field, kept.reason.as_str()), (Field::Journal, "too long"));
        assert_eq!(kept.size, kept.message.len() as u64);
        assert_eq!(decode(kept.message).expect("it reads back"), [dropped()]);
    }

    #[test]
    fn a_transaction_is_full_by_entries_bytes_or_messages() {
        assert!(!is_full(MOST_ENTRIES - 1, MOST_BYTES - 1, 9, 10));
        assert!(is_full(MOST_ENTRIES, 0, 1, 10));
        assert!(is_full(1, MOST_BYTES, 1, 10));
        assert!(is_full(1, 0, 10, 10), "the broker sends no more before these are acknowledged");
    }
}
