//! The journal's writer: batches that form by themselves.
//!
//! Entries gather while the last batch waits for its confirm and then go out together: an idle
//! system adds no delay, a busy one makes big batches.

use std::sync::Arc;

use lapin::BasicProperties;
use metrics::Unit;
use posthorn_domain::journal::{Entry, encode};
use posthorn_proto::{
    CONTENT_TYPE,
    confirm::{ConfirmChannel, Publication},
};
use tokio::sync::{mpsc, oneshot};

use crate::{error::BrokerError, publish::confirmed, session::Session};

/// The most entries that wait for their batch.
const MOST_WAITING: usize = 1024;
/// About the most bytes of a batch; a single larger entry goes alone.
const BATCH_BYTES: usize = 1 << 20;

struct Request {
    entry: Entry,
    written: oneshot::Sender<()>,
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
        let channel = self.confirm_channel().await?;
        let (requests, queue) = mpsc::channel(MOST_WAITING);
        self.tasks.spawn(own(self.clone(), channel, queue));
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
        let sent = self.requests.send(Request { entry, written }).await;
        sent.map_err(|_| BrokerError::SessionEnded)?;
        answer.await.map_err(|_| BrokerError::SessionEnded)
    }
}

async fn own(session: Arc<Session>, mut channel: ConfirmChannel<()>, mut requests: mpsc::Receiver<Request>) {
    let mut gathered = Vec::new();
    let writing = async {
        while requests.recv_many(&mut gathered, MOST_WAITING).await > 0 {
            write(&session, &mut channel, &gathered).await?;
            for request in gathered.drain(..) {
                // Whoever wrote may have gone: the entry is in the broker all the same.
                let _ = request.written.send(());
            }
        }
        Ok::<(), String>(())
    };
    tokio::select! {
        () = session.ended() => {}
        written = writing => match written {
            Ok(()) => {}
            Err(reason) => session.fail(reason),
        },
    }
}

async fn write(
    session: &Session,
    channel: &mut ConfirmChannel<()>,
    gathered: &[Request],
) -> Result<(), String> {
    for batch in batches(gathered) {
        metrics::histogram!("posthorn_journal_batch_entries").record(batch.len() as f64);
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(CONTENT_TYPE.into())
            .with_type("posthorn.v1.JournalBatch".into());
        let publication = Publication {
            exchange: session.names().journal().into(),
            routing_key: "".into(),
            properties,
            body: encode(batch.iter().map(|request| &request.entry)),
            mandatory: true,
        };
        channel.publish(publication, ());
    }
    while channel.in_flight() > 0 {
        confirmed(session, channel).await?;
    }
    Ok(())
}

fn batches(mut requests: &[Request]) -> impl Iterator<Item = &[Request]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |request: &&Request| {
            bytes += request.entry.size();
            bytes <= BATCH_BYTES
        };
        let count = requests.iter().take_while(fits).count().max(1).min(requests.len());
        let (batch, rest) = requests.split_at(count);
        requests = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use posthorn_domain::journal::Routed;

    use super::*;

    fn request(bytes: usize) -> Request {
        let (written, _) = oneshot::channel();
        let message = Bytes::from(vec![0; bytes]);
        let routed = Routed { message, received_at: jiff::Timestamp::UNIX_EPOCH, webhook_ids: Vec::new() };
        Request { entry: Entry::Routed(routed), written }
    }

    #[test]
    fn batches_are_bounded_and_lose_nothing() {
        let sizes = |bytes: &[usize]| {
            let requests: Vec<_> = bytes.iter().copied().map(request).collect();
            batches(&requests).map(<[Request]>::len).collect::<Vec<_>>()
        };
        let big = BATCH_BYTES * 2;
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[10, 10, 10]), [3]);
        assert_eq!(sizes(&[BATCH_BYTES / 2, BATCH_BYTES / 3, BATCH_BYTES / 2]), [2, 1]);
        assert_eq!(sizes(&[big, 10, big, big]), [1, 1, 1, 1]);
    }
}
