//! Deliveries: from a message to an attempt, and from its outcome to what follows.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_attempt::{Answer, Request, Target};
use posthorn_broker::{
    BrokerError, DeliveryHeaders, DeliveryMessage, Journal, Message, Outgoing, Publisher, Receipt, Received,
    Session,
};
use posthorn_domain::{
    breaker::Told,
    delivery_batch::{self, BatchedEvent},
    event::Rejection,
    id::{AttemptId, EventRef, WebhookId},
    journal::{Attempted, Entry},
    outage::Reach,
    outcome::Outcome,
    retry::next_step,
    step::Step,
};
use posthorn_trace::Span;
use tokio::{sync::OnceCell, time::timeout};
use uuid::Uuid;

use crate::{
    Dispatcher,
    admission::{Admitted, NotAdmitted, Patience},
    batches::Part,
    in_flight::Key,
    latency_tracker::PROMPT,
    metrics,
    prepared_event::PreparedEvent,
    recipient::{HoldPermit, Recipient, Recipients},
};

/// A delivery that came back so often, with all that was in flight beside it, is attempted alone.
const MOST_RETURNS: u32 = 20;
/// A delivery that came back so often while it was attempted alone is what makes dispatchers fall.
const MOST_RETURNS_ALONE: u32 = 3;

/// What deliveries need of one session.
pub(crate) struct Pipeline {
    publisher: Publisher,
    journal: Journal,
    dispatcher: Arc<Dispatcher>,
    pub(crate) recipients: Recipients,
}

/// A delivery in hand.
pub(crate) struct Delivery {
    pub(crate) prepared: Arc<PreparedEvent>,
    pub(crate) headers: DeliveryHeaders,
    pub(crate) held: Held,
}

/// What in the broker stands for a delivery until it is done.
pub(crate) enum Held {
    /// A message of its own, from its webhook's queue.
    Message(Receipt),
    /// A part of a batch.
    Part(Part),
    /// A message of its own, from among the suspects: it was attempted alone, and came back so often.
    Suspect { receipt: Receipt, returns: u32 },
}

/// How a delivery waits for its attempt.
pub(crate) enum Waits {
    /// As long as it may be held.
    Patiently,
    /// Not for long, under this permit.
    Briefly { _hold: HoldPermit },
    /// As the canary: past an open circuit breaker.
    AsCanary,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy)]
struct Position {
    attempt: u32,
    first_attempt_at: Timestamp,
}

/// What was made of a delivery, to be made safe before it is acknowledged.
pub(crate) struct Made {
    /// The attempt's journal entry.
    entry: Attempted,
    /// The delivery's next message, after this delay.
    again: Option<(Duration, DeliveryHeaders)>,
    /// Set once that message is safe: a delivery that comes back in between gets no second retry.
    is_again_safe: OnceCell<()>,
}

impl Pipeline {
    pub(crate) async fn open(
        session: &Arc<Session>,
        dispatcher: &Arc<Dispatcher>,
    ) -> Result<Arc<Self>, BrokerError> {
        Ok(Arc::new(Self {
            publisher: session.publisher().await?,
            journal: session.journal().await?,
            dispatcher: dispatcher.clone(),
            recipients: Recipients::default(),
        }))
    }

    /// Starts the next attempt of a message from a webhook's queue. Nothing of it is read before: what
    /// breaks there breaks one delivery.
    pub(crate) fn start_message(self: &Arc<Self>, recipient: &Arc<Recipient>, received: Received) {
        let (pipeline, recipient) = (self.clone(), recipient.clone());
        self.dispatcher.deliveries.spawn(pipeline.deliver_message(recipient, received));
    }

    async fn deliver_message(self: Arc<Self>, recipient: Arc<Recipient>, received: Received) {
        let Received { message, receipt } = received;
        // Its id is enough to move it: to read it may be what makes dispatchers fall.
        if let (true, Ok(event)) = (message.returns >= MOST_RETURNS, message.message_id.parse()) {
            return self.suspect(recipient.id(), event, message, receipt).await;
        }
        let received_at = message.headers.received_at.unwrap_or_else(Timestamp::now);
        match PreparedEvent::read(message.body.clone(), received_at) {
            Ok(prepared) => {
                let (headers, held) = (message.headers, Held::Message(receipt));
                let delivery = Delivery { prepared: Arc::new(prepared), headers, held };
                self.deliver(recipient, delivery, Waits::Patiently).await;
            }
            // Somebody else has published to our exchange: the router lets only events through.
            Err(rejection) => self.reject(message, rejection, receipt).await,
        }
    }

    /// Moves a message to where it is attempted alone. An error means that the session has ended.
    async fn suspect(&self, id: WebhookId, event: EventRef, message: Message, receipt: Receipt) {
        let Message { body, headers, .. } = message;
        let suspect = DeliveryMessage { webhook_id: id, event, message: body, headers };
        if self.publisher.send(Outgoing::Suspect(suspect)).await.is_ok() {
            receipt.finish();
        }
    }

    /// Starts a delivery's next attempt. It outlives the session: what it comes to is remembered.
    pub(crate) fn start(self: &Arc<Self>, recipient: Arc<Recipient>, delivery: Delivery, waits: Waits) {
        self.dispatcher.deliveries.spawn(self.clone().deliver(recipient, delivery, waits));
    }

    /// Starts to put a delivery into its webhook's queue.
    pub(crate) fn start_queueing(self: &Arc<Self>, id: WebhookId, delivery: Delivery) {
        let pipeline = self.clone();
        self.dispatcher.deliveries.spawn(async move { pipeline.put_back(id, delivery).await });
    }

    /// Keeps a message that is no delivery in the journal.
    pub(crate) async fn reject(&self, message: Message, rejection: Rejection, receipt: Receipt) {
        if self.journal.write(message.rejected(rejection)).await.is_ok() {
            receipt.finish();
        }
    }

    /// Whether the delivery's attempt was made, or runs.
    pub(crate) fn is_known(&self, recipient: &Recipient, delivery: &Delivery) -> bool {
        let target = recipient.target();
        let position = position(&delivery.headers, target.epoch, Timestamp::now());
        self.dispatcher.in_flight.knows(&key(&target, delivery, position))
    }

    /// Whether attempts at the webhook wait for the end of an outage of ours.
    pub(crate) fn is_held(&self, recipient: &Recipient) -> bool {
        self.dispatcher.outage.holds(&recipient.target().host)
    }

    /// Makes a delivery's next attempt. If something fails on the way to the broker the session has
    /// ended, and the delivery comes back.
    async fn deliver(self: Arc<Self>, recipient: Arc<Recipient>, delivery: Delivery, waits: Waits) {
        let dispatcher = &self.dispatcher;
        let (is_canary, patience) = match &waits {
            Waits::Patiently => (false, Patience::Long),
            Waits::Briefly { .. } => (false, Patience::Brief),
            Waits::AsCanary => (true, Patience::Long),
        };
        let admit = async || dispatcher.admit(&recipient, is_canary, patience).await;
        // An attempt that was made only has to be made safe.
        let admitted = match self.is_known(&recipient, &delivery) {
            true => Ok(None),
            false => admit().await.map(Some),
        };
        // What has waited is attempted as its webhook is by then.
        let target = recipient.target();
        let position = position(&delivery.headers, target.epoch, Timestamp::now());
        let key = key(&target, &delivery, position);
        let made = match admitted {
            Err(refusal) => Err(refusal),
            Ok(admitted) => {
                let making = async || {
                    let admitted = match admitted {
                        Some(admitted) => admitted,
                        None => admit().await?,
                    };
                    Ok(dispatcher.make(&recipient, admitted, &target, &delivery, position).await)
                };
                let cell = dispatcher.in_flight.cell(&key);
                let made = cell.get_or_try_init(making).await.map(|_| cell.clone());
                made.inspect_err(|_| dispatcher.in_flight.forget(&key))
            }
        };
        // The next attempt need not wait until this one's consequence is safe.
        drop(waits);
        match made {
            // An error means that the session has ended.
            Ok(cell) => _ = self.settle(cell.get().expect("it was made"), &target, delivery, key).await,
            Err(NotAdmitted::Waited) if patience == Patience::Long => {
                self.put_off(&target, position, delivery).await;
            }
            Err(NotAdmitted::Waited | NotAdmitted::Stopped) => self.put_back(target.id, delivery).await,
        }
    }

    /// Makes the consequence safe: the retry first, then the journal entry. With that the delivery is
    /// done.
    async fn settle(
        &self,
        made: &Made,
        target: &Target,
        delivery: Delivery,
        key: Key,
    ) -> Result<(), BrokerError> {
        let Delivery { prepared, held, .. } = delivery;
        if let Some((delay, headers)) = &made.again {
            let publish = async || self.publish_later(*delay, target.id, &prepared, headers).await;
            made.is_again_safe.get_or_try_init(publish).await?;
        }
        let dispatcher = self.dispatcher.clone();
        let running = dispatcher.deliveries.token();
        let done = move || {
            dispatcher.done(held, Some(key));
            drop(running);
        };
        self.journal.write_then(vec![Entry::Attempted(Box::new(made.entry.clone()))], done).await
    }

    async fn publish_later(
        &self,
        delay: Duration,
        id: WebhookId,
        prepared: &PreparedEvent,
        headers: &DeliveryHeaders,
    ) -> Result<(), BrokerError> {
        let headers = headers.clone();
        let again = match headers.is_canary {
            false => Outgoing::Retry { delay, delivery: prepared.to(id, headers) },
            true => {
                let batch = canary(id, prepared.message.clone(), &headers);
                Outgoing::DelayedBatch { delay, batch, headers }
            }
        };
        self.publisher.send(again).await
    }

    /// Puts off a delivery that was held for too long: it comes back with the same attempt number.
    async fn put_off(&self, target: &Target, position: Position, delivery: Delivery) {
        let Delivery { prepared, headers, held, .. } = delivery;
        let delay = self.dispatcher.retry.shortest();
        let headers = position.headers(target.epoch, headers);
        // An error means that the session has ended, and the delivery comes back.
        if self.publish_later(delay, target.id, &prepared, &headers).await.is_ok() {
            self.dispatcher.done(held, None);
        }
    }

    /// Puts a delivery that is not attempted now into its webhook's queue.
    async fn put_back(&self, id: WebhookId, delivery: Delivery) {
        let Delivery { prepared, headers, held, .. } = delivery;
        if let Held::Message(receipt) = held {
            return receipt.give_back().await;
        }
        let queued = Outgoing::Delivery(prepared.to(id, headers));
        // An error means that the session has ended, and the whole batch comes back.
        if self.publisher.send(queued).await.is_ok() {
            metrics::queued();
            self.dispatcher.done(held, None);
        }
    }
}

impl Dispatcher {
    /// The delivery is done, after this attempt if there was one.
    fn done(&self, held: Held, attempt: Option<Key>) {
        match held {
            Held::Message(receipt) | Held::Suspect { receipt, .. } => {
                attempt.iter().for_each(|key| self.in_flight.forget(key));
                receipt.finish();
            }
            Held::Part(part) => part.done(attempt).iter().for_each(|key| self.in_flight.forget(key)),
        }
    }

    async fn make(
        &self,
        recipient: &Recipient,
        admitted: Admitted,
        target: &Target,
        delivery: &Delivery,
        position: Position,
    ) -> Made {
        let started_at = Timestamp::now();
        let started = Instant::now();
        recipient.begin_attempt(started);
        let answer = self.attempt(target, delivery, position.attempt).await;
        let duration = started.elapsed();
        let ours = self.outage.note(target, answer.reach);
        recipient.end_attempt(admitted.probe, told(&answer, ours), duration, Instant::now());
        let step = match ours {
            true => Step::Retry(self.retry.shortest()),
            false => next_step(&answer.outcome, position.attempt, &self.retry, rand::random()),
        };
        metrics::attempt_finished(&answer.outcome, duration);
        metrics::sent(&answer);
        metrics::step_taken(step, delivery.headers.published_at.or(delivery.headers.received_at));
        let prepared = &delivery.prepared;
        tracing::debug!(
            event = %prepared.event, webhook.id = %target.id, attempt = position.attempt, outcome = ?answer.outcome,
            ?step, duration_ms = duration.as_millis() as u64, "made an attempt"
        );
        let again = match step {
            Step::Retry(delay) => {
                let attempt = if ours { position.attempt } else { position.attempt + 1 };
                let next = Position { attempt, ..position };
                let headers = next.headers(target.epoch, delivery.headers.clone());
                let is_canary = recipient.breaker.takes_canary(headers.is_canary);
                let forgiven = if ours { headers.forgiven.saturating_add(1) } else { 0 };
                Some((delay, DeliveryHeaders { is_canary, forgiven, ..headers }))
            }
            Step::GiveUp if delivery.headers.is_canary => {
                recipient.breaker.canary_is_over();
                None
            }
            Step::Succeed | Step::GiveUp | Step::Disable => None,
        };
        let entry = Attempted {
            id: AttemptId(Uuid::now_v7()),
            event_id: prepared.event_id.clone(),
            event_type: prepared.event_type.clone(),
            company_id: prepared.company_id.clone(),
            digest: prepared.digest,
            webhook_id: target.id,
            epoch: target.epoch,
            attempt: position.attempt,
            started_at,
            duration,
            address: answer.address.filter(|_| answer.outcome.unreachable().is_some()),
            outcome: answer.outcome,
            phases: answer.phases,
            response_headers: answer.headers,
            response_body: answer.body,
            step: step.map(|delay| Timestamp::now().saturating_add(delay).unwrap_or(Timestamp::MAX)),
            first_attempt_at: position.first_attempt_at,
        };
        Made { entry, again, is_again_safe: OnceCell::new() }
    }

    async fn attempt(&self, target: &Target, delivery: &Delivery, attempt: u32) -> Answer {
        if matches!(delivery.held, Held::Suspect { returns: MOST_RETURNS_ALONE.., .. }) {
            return Answer::none(Outcome::Interrupted);
        }
        let _running = metrics::attempt_started();
        let prepared = &delivery.prepared;
        let parent = delivery.headers.trace.as_ref();
        let host = Some(&*target.host).filter(|host| !host.is_empty());
        let about = posthorn_trace::Attempt {
            event: prepared.event,
            event_id: prepared.event_id.as_str(),
            webhook_id: target.id,
            number: attempt,
            host,
        };
        let span = posthorn_trace::attempt(about, parent);
        let own = span.as_ref().and_then(Span::context);
        let (event, body) = (prepared.event, prepared.body.clone());
        let request = Request { event, body, attempt, trace: own.as_ref().or(parent) };
        let mut sending = pin!(self.receivers.send(target, request));
        let answer = match timeout(PROMPT, &mut sending).await {
            Ok(answer) => answer,
            Err(_) => {
                if let Held::Part(part) = &delivery.held {
                    part.takes_long();
                }
                sending.await
            }
        };
        if let Some(span) = span {
            span.end_attempt(&answer.outcome);
        }
        answer
    }
}

impl Position {
    /// The headers with which a delivery stands here.
    fn headers(self, epoch: u32, headers: DeliveryHeaders) -> DeliveryHeaders {
        DeliveryHeaders {
            attempt: Some(self.attempt),
            epoch: Some(epoch),
            first_attempt_at: Some(self.first_attempt_at),
            ..headers
        }
    }
}

/// The canary comes back as a batch of its own, ahead of what waits in its webhook's queue.
fn canary(id: WebhookId, message: Bytes, headers: &DeliveryHeaders) -> Bytes {
    delivery_batch::encode(vec![BatchedEvent {
        message,
        received_at: headers.received_at.unwrap_or_else(Timestamp::now),
        published_at: headers.published_at,
        trace: headers.trace.clone(),
        webhook_ids: vec![id],
    }])
}

/// What an attempt tells the circuit breaker.
fn told(answer: &Answer, ours: bool) -> Told {
    match answer.outcome {
        // What this machine is short of, fewer attempts leave to others.
        _ if answer.reach == Reach::LocalFault => Told::Unreachable,
        _ if ours => Told::Nothing,
        Outcome::Accepted { .. } | Outcome::Refused { .. } | Outcome::Gone => Told::Answered,
        Outcome::Unreachable { .. } => Told::Unreachable,
        Outcome::Interrupted => Told::Nothing,
    }
}

fn key(target: &Target, delivery: &Delivery, position: Position) -> Key {
    let PreparedEvent { event, digest, .. } = *delivery.prepared;
    let (epoch, attempt, forgiven) = (target.epoch, position.attempt, delivery.headers.forgiven);
    Key { event, digest, webhook_id: target.id, epoch, attempt, forgiven }
}

/// A retry of an earlier epoch starts afresh.
fn position(headers: &DeliveryHeaders, epoch: u32, now: Timestamp) -> Position {
    match (headers.attempt, headers.first_attempt_at) {
        (Some(attempt), Some(first_attempt_at)) if headers.epoch == Some(epoch) => {
            Position { attempt: attempt.max(1), first_attempt_at }
        }
        _ => Position { attempt: 1, first_attempt_at: now },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_of_an_earlier_epoch_starts_afresh() {
        let now = Timestamp::from_second(100).unwrap();
        let first = Timestamp::from_second(50).unwrap();
        let headers = DeliveryHeaders {
            attempt: Some(4),
            epoch: Some(2),
            first_attempt_at: Some(first),
            ..DeliveryHeaders::default()
        };
        let at = |headers: &DeliveryHeaders, epoch| {
            let position = position(headers, epoch, now);
            (position.attempt, position.first_attempt_at)
        };
        assert_eq!(at(&headers, 2), (4, first));
        assert_eq!(at(&headers, 3), (1, now));
        assert_eq!(at(&DeliveryHeaders::default(), 1), (1, now));
    }
}
