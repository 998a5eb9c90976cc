//! Events: matched, sent in delivery batches to those who deliver them, journalled, acknowledged.

use std::sync::Arc;

use jiff::Timestamp;
use posthorn_broker::{
    BrokerError, Confirm, Journal, Message, Outgoing, Publisher, Queue, Receipt, Received, Session, Source,
};
use posthorn_domain::{
    delivery_batch::{self, BatchedEvent},
    event::{Event, Rejection},
    journal::{Entry, Routed},
    trace_context::TraceContext,
};
use posthorn_timing::{Clock, failpoint};
use posthorn_trace::Span;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    matcher::{Matched, Matcher},
    metrics,
};

/// The most events that go in delivery batches together, and about the most of their bytes.
const MOST_TOGETHER: usize = 100;
const MOST_BYTES_TOGETHER: usize = 1 << 20;

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
    matcher: &Matcher,
    clock: Clock,
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
        while let Some(next) = halt.run_until_cancelled(source.next()).await {
            let Some(first) = next else {
                session.fail(format_args!("the consumer of {queue} has ended"));
                break;
            };
            let mut routing = Routing::default();
            for received in together(first, &mut source) {
                routing.take(received, matcher, clock.now());
            }
            let confirms = send(std::mem::take(&mut routing.events), &publisher).await?;
            let settled = settle(confirms, routing, journal.clone(), settling.clone());
            settling.spawn(session.supervise("settling events", settled));
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
    fn take(&mut self, received: Received, matcher: &Matcher, received_at: Timestamp) {
        let Received { message, receipt } = received;
        let entry = match matcher.judge(&message, received_at) {
            Ok(matched) => self.route(matched, received_at, message),
            Err(rejection) => reject(rejection, message),
        };
        self.entries.push(entry);
        self.receipts.push(receipt);
    }

    fn route(&mut self, matched: Matched, received_at: Timestamp, message: Message) -> Entry {
        let Matched { event, webhook_ids } = matched;
        let published_at = message.headers.published_at.map(|at| at.min(received_at));
        metrics::event_received(webhook_ids.len(), published_at.map(|at| received_at.duration_since(at)));
        let trace = self.begin_span(&event, message.headers.trace, webhook_ids.len());
        self.events.push(BatchedEvent {
            message: message.body.clone(),
            received_at,
            published_at,
            trace,
            webhook_ids: webhook_ids.clone(),
        });
        Entry::Routed(Routed { message: message.body, received_at, webhook_ids })
    }

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
    failpoint("router.settle");
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
