//! The journal's writer: batches that form by themselves.
//!
//! Entries gather for a moment, or until they are many, and then go out together. No delivery waits
//! for its entry, only its acknowledgement does.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use metrics::Unit;
use posthorn_domain::journal::{Entry, encode};
use posthorn_timing::failpoint;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use crate::{
    error::BrokerError,
    message::Outgoing,
    publish::{Confirm, Publisher},
    session::Session,
};

/// The most entries that wait for their batch.
const MOST_WAITING: usize = 1024;
/// How long a batch that is not large enough waits for more.
const MOMENT: Duration = Duration::from_millis(5);
/// So many entries wait for no more.
const ENOUGH: usize = 128;
/// The most batches without confirm.
const MOST_IN_FLIGHT: usize = 64;
/// About the most bytes of a batch; a single larger entry goes alone.
const BATCH_BYTES: usize = 1 << 20;

struct Request {
    entries: Vec<Entry>,
    written: Box<dyn FnOnce() + Send>,
}

/// Writes entries to the journal. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    requests: mpsc::Sender<Request>,
}

impl Session {
    /// Opens a channel for the journal.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn journal(self: &Arc<Self>) -> Result<Journal, BrokerError> {
        metrics::describe_histogram!(
            "posthorn_journal_batch_entries",
            Unit::Count,
            "Entries in a journal batch"
        );
        let publisher = self.publisher().await?;
        let (requests, queue) = mpsc::channel(MOST_WAITING);
        self.spawn("the journal's writer", own(self.clone(), publisher, queue));
        Ok(Journal { requests })
    }
}

impl Journal {
    /// Writes an entry and waits until the broker has it safely.
    ///
    /// # Errors
    /// If the session ended before: the entry may or may not have arrived.
    pub async fn write(&self, entry: Entry) -> Result<(), BrokerError> {
        let (written, answer) = oneshot::channel();
        // Whoever writes may have gone: the entry is in the broker all the same.
        self.write_then(vec![entry], move || _ = written.send(())).await?;
        answer.await.map_err(|_| BrokerError::SessionEnded)
    }

    /// Hands entries over and goes on; does what follows once the broker has them all safely, and not
    /// at all if the session ends before.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn write_then(
        &self,
        entries: Vec<Entry>,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<(), BrokerError> {
        let sent = self.requests.send(Request { entries, written: Box::new(then) }).await;
        sent.map_err(|_| BrokerError::SessionEnded)
    }
}

async fn own(session: Arc<Session>, publisher: Publisher, mut requests: mpsc::Receiver<Request>) {
    let (mut gathered, mut due) = (Vec::new(), Instant::now());
    let mut in_flight = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !in_flight.is_empty() {
        let has_room = in_flight.len() < MOST_IN_FLIGHT;
        tokio::select! {
            () = session.ended() => return,
            taken = requests.recv_many(&mut gathered, MOST_WAITING), if is_open && has_room => {
                is_open = taken > 0;
                if gathered.len() == taken {
                    due = Instant::now() + MOMENT;
                }
            }
            () = sleep_until(due), if !gathered.is_empty() => {}
            Some(()) = in_flight.next() => {}
        }
        if gathered.len() >= ENOUGH || !is_open || due <= Instant::now() {
            failpoint("broker.journal");
            for batch in batches(std::mem::take(&mut gathered)) {
                let Ok(confirm) = publisher.publish(message(&batch)).await else {
                    return session.fail("the journal's channel has ended");
                };
                in_flight.push(tell(batch, confirm));
            }
        }
    }
}

/// Tells each writer once its batch is confirmed; a batch that never is, is dropped with its session.
async fn tell(batch: Vec<Request>, confirm: Confirm) {
    if confirm.wait().await.is_ok() {
        batch.into_iter().for_each(|request| (request.written)());
    }
}

fn message(batch: &[Request]) -> Outgoing {
    let entries = || batch.iter().flat_map(|request| &request.entries);
    metrics::histogram!("posthorn_journal_batch_entries").record(entries().count() as f64);
    Outgoing::Journal(encode(entries()))
}

fn batches(requests: Vec<Request>) -> impl Iterator<Item = Vec<Request>> {
    let mut requests = requests.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut batch = vec![requests.next()?];
        let mut bytes = batch[0].size();
        while let Some(next) = requests.next_if(|next| bytes + next.size() <= BATCH_BYTES) {
            bytes += next.size();
            batch.push(next);
        }
        Some(batch)
    })
}

impl Request {
    fn size(&self) -> usize {
        self.entries.iter().map(Entry::size).sum()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use posthorn_domain::journal::Routed;

    use super::*;

    fn request(bytes: usize) -> Request {
        let message = Bytes::from(vec![0; bytes]);
        let routed = Routed { message, received_at: jiff::Timestamp::UNIX_EPOCH, webhook_ids: Vec::new() };
        Request { entries: vec![Entry::Routed(routed)], written: Box::new(|| ()) }
    }

    #[test]
    fn batches_are_bounded_and_lose_nothing() {
        let sizes = |bytes: &[usize]| {
            let requests: Vec<_> = bytes.iter().copied().map(request).collect();
            batches(requests).map(|batch| batch.len()).collect::<Vec<_>>()
        };
        let big = BATCH_BYTES * 2;
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[10, 10, 10]), [3]);
        assert_eq!(sizes(&[BATCH_BYTES / 2, BATCH_BYTES / 3, BATCH_BYTES / 2]), [2, 1]);
        assert_eq!(sizes(&[big, 10, big, big]), [1, 1, 1, 1]);
    }
}
