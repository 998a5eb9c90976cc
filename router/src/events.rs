//! Events: matched, sent in delivery batches to those who deliver them, journalled, acknowledged.

use std::sync::Arc;

use jiff::Timestamp;
use posthorn_broker::{
    BrokerError, Confirm, Journal, Message, Outgoing, Publisher, Queue, Receipt, Received, Session, Source,
};
use posthorn_domain::{
    delivery_batch::{self, BatchedEvent},
    event::{Event, Field, Rejection},
    id::WebhookId,
    journal::{Entry, Routed},
    trace_context::TraceContext,
};
use posthorn_matching::event_type::{RESERVED, is_reserved};
use posthorn_trace::Span;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{directory::Directory, metrics};

/// The most events that go in delivery batches together, and about the most of their bytes.
const MOST_TOGETHER: usize = 100;
const MOST_BYTES_TOGETHER: usize = 1 << 20;

/// What an event may be and cost; one that is or costs more is rejected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) bytes: usize,
    /// Steps that matching it takes.
    pub(crate) steps: u64,
}

/// What has become of the messages that were taken together.
#[derive(Default)]
struct Routing {
    events: Vec<BatchedEvent>,
    entries: Vec<Entry>,
    receipts: Vec<Receipt>,
    /// They end when all is safe.
    spans: Vec<Span>,
}

/// Routes the events of a queue until the session ends or `halt`, at most `prefetch` at a time.
pub(crate) async fn run(
    session: &Arc<Session>,
    queue: Queue,
    prefetch: u16,
    directory: &Directory,
    most: Most,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let publisher = session.publisher().await?;
    let journal = session.journal().await?;
    let pool = session.consumer_pool(1);
    let mut source = pool.consume(queue, prefetch).await?;
    tracing::info!("routing {queue}");

    let settling = TaskTracker::new();
    let taking = async {
        // What has begun is finished: what is half sent would be sent again.
        while let Some(Some(first)) = halt.run_until_cancelled(source.next()).await {
            let mut routing = Routing::default();
            for received in together(first, &mut source) {
                routing.take(received, directory, most);
            }
            let confirms = send(std::mem::take(&mut routing.events), &publisher).await?;
            settling.spawn(settle(confirms, routing, journal.clone(), settling.clone()));
        }
        Ok(())
    };
    let taken = tokio::select! {
        taken = taking => taken,
        () = session.ended() => Ok(()),
    };
    // Acknowledged before the rest is given back: behind that, the broker may forget it.
    settling.close();
    settling.wait().await;
    pool.flush().await?;
    if session.is_open() {
        source.cancel().await;
    }
    taken
}

/// A message and those that are there already behind it.
fn together(first: Received, source: &mut Source) -> Vec<Received> {
    let mut bytes = first.message.body.len();
    let mut taken = vec![first];
    while taken.len() < MOST_TOGETHER && bytes < MOST_BYTES_TOGETHER {
        let Some(next) = source.ready() else { break };
        bytes += next.message.body.len();
        taken.push(next);
    }
    taken
}

impl Routing {
    fn take(&mut self, received: Received, directory: &Directory, most: Most) {
        let Received { message, receipt } = received;
        let received_at = Timestamp::now();
        let judged = judge(&message, most.bytes).and_then(|event| {
            let webhook_ids = wanting(&event, received_at, directory, most.steps)?;
            Ok((event, webhook_ids))
        });
        let entry = match judged {
            Ok((event, webhook_ids)) => self.route(&event, received_at, webhook_ids, message),
            Err(rejection) => reject(rejection, message),
        };
        self.entries.push(entry);
        self.receipts.push(receipt);
    }

    fn route(
        &mut self,
        event: &Event,
        received_at: Timestamp,
        webhook_ids: Vec<WebhookId>,
        message: Message,
    ) -> Entry {
        let published_at = message.headers.published_at.map(|at| at.min(received_at));
        metrics::event_received(webhook_ids.len(), published_at.map(|at| received_at.duration_since(at)));
        let trace = self.begin_span(event, message.headers.trace, webhook_ids.len());
        self.events.push(BatchedEvent {
            message: message.body.clone(),
            received_at,
            published_at,
            trace,
            webhook_ids: webhook_ids.clone(),
        });
        Entry::Routed(Routed { message: message.body, received_at, webhook_ids })
    }
}

impl Routing {
    /// Begins a span for the event's routing, if traces are on, and tells whose children its attempts
    /// are.
    fn begin_span(
        &mut self,
        event: &Event,
        publishers: Option<TraceContext>,
        webhooks: usize,
    ) -> Option<TraceContext> {
        let Some(mut span) = posthorn_trace::routing(event, publishers.as_ref()) else { return publishers };
        span.wanted_by(webhooks);
        let trace = span.context();
        self.spans.push(span);
        trace
    }
}

fn judge(message: &Message, most_bytes: usize) -> Result<Event, Rejection> {
    let event = Event::decode(&message.body, most_bytes)?;
    if is_reserved(&event.event_type) && !message.is_own() {
        let reason =
            format!("{:?} begins with {RESERVED:?}: such events are Posthorn's own", event.event_type);
        return Err(Rejection { field: Field::Type, reason });
    }
    Ok(event)
}

/// All webhooks that want it, or none: an event that costs too much is not matched by half.
fn wanting(
    event: &Event,
    received_at: Timestamp,
    directory: &Directory,
    most_steps: u64,
) -> Result<Vec<WebhookId>, Rejection> {
    let found = directory.wanting(event, received_at, most_steps);
    found.map_err(|costly| Rejection { field: Field::Data, reason: costly.to_string() })
}

fn reject(rejection: Rejection, message: Message) -> Entry {
    metrics::event_rejected(rejection.field);
    tracing::warn!(message.id = message.message_id, "rejected an event: {rejection}");
    message.rejected(rejection)
}

async fn send(events: Vec<BatchedEvent>, publisher: &Publisher) -> Result<Vec<Confirm>, BrokerError> {
    let mut confirms = Vec::new();
    for batch in delivery_batch::divide(events) {
        metrics::batch_sent(&batch);
        confirms.push(publisher.publish(Outgoing::Batch(delivery_batch::encode(batch))).await?);
    }
    Ok(confirms)
}

/// Waits until everything is safe, then acknowledges. If it fails the session has ended, and the
/// messages come back.
async fn settle(confirms: Vec<Confirm>, routing: Routing, journal: Journal, settling: TaskTracker) {
    for confirm in confirms {
        if confirm.wait().await.is_err() {
            return;
        }
    }
    let (settled, receipts, spans) = (settling.token(), routing.receipts, routing.spans);
    let acknowledge = move || {
        receipts.into_iter().for_each(Receipt::finish);
        drop(spans);
        drop(settled);
    };
    // An error means that the session has ended.
    let _ = journal.write_then(routing.entries, acknowledge).await;
}
