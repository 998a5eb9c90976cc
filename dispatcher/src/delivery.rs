//! Deliveries: from a message to an attempt, and from its outcome to what follows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use posthorn_broker::{BrokerError, DeliveryHeaders, Journal, Message, Publisher, Received, Session};
use posthorn_domain::{
    event::Event,
    journal::{Attempted, Consequence, Entry},
    outcome::Outcome,
    retry::{Step, next_step},
};
use tokio::sync::{OnceCell, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Dispatcher,
    attempt::{Answer, Request},
    metrics,
    target::Target,
    unsettled::Key,
};

/// A delivery that came back so often is what makes dispatchers fall.
const MOST_RETURNS: u32 = 20;

/// What deliveries need of one session.
pub(crate) struct Line {
    session: Arc<Session>,
    retries: Publisher,
    journal: Journal,
    dispatcher: Arc<Dispatcher>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy)]
struct Position {
    attempt: u32,
    first_attempt_at: Timestamp,
}

/// What was made of a delivery, to be made safe before it is acknowledged.
pub(crate) struct Made {
    /// The attempt's journal entry; none if no attempt was made.
    entry: Option<Attempted>,
    /// The delivery's next message, after this delay.
    again: Option<(Duration, DeliveryHeaders)>,
    /// Set once that message is safe: a delivery that comes back in between gets no second retry.
    is_again_safe: OnceCell<()>,
}

/// The webhook was paused, disabled or deleted before the attempt began.
struct Stopped;

impl Line {
    pub(crate) async fn open(
        session: &Arc<Session>,
        dispatcher: &Arc<Dispatcher>,
    ) -> Result<Arc<Self>, BrokerError> {
        Ok(Arc::new(Self {
            session: session.clone(),
            retries: session.publisher().await?,
            journal: session.journal().await?,
            dispatcher: dispatcher.clone(),
        }))
    }

    /// Starts a delivery's next attempt. It outlives the session: what it comes to is remembered.
    /// `attempts` bounds those of its webhook.
    pub(crate) fn start(
        self: Arc<Self>,
        target: watch::Receiver<Arc<Target>>,
        received: Received,
        attempts: Arc<Semaphore>,
        stop: CancellationToken,
    ) {
        let dispatcher = self.dispatcher.clone();
        dispatcher.deliveries.spawn(self.deliver(target, received, attempts, stop));
    }

    /// Makes a delivery's next attempt. If something fails on the way to the broker the session has
    /// ended, and the delivery comes back.
    async fn deliver(
        self: Arc<Self>,
        target: watch::Receiver<Arc<Target>>,
        received: Received,
        attempts: Arc<Semaphore>,
        stop: CancellationToken,
    ) {
        let Received { message, receipt } = received;
        let event = match Event::decode(&message.body, usize::MAX) {
            Ok(event) => event,
            // Somebody else has published to our exchange: the router lets only events through.
            Err(rejection) => {
                if self.journal.write(message.rejected(rejection)).await.is_ok() {
                    receipt.finish();
                }
                return;
            }
        };
        // What waits for its turn is attempted as its webhook is by then.
        let Some(turn) = stop.run_until_cancelled(attempts.acquire()).await else {
            return receipt.give_back().await;
        };
        let target = target.borrow().clone();
        let position = position(&message.headers, target.webhook.epoch, Timestamp::now());
        let key: Key = (event.id.clone(), target.id(), target.webhook.epoch, position.attempt);
        let cell = self.dispatcher.unsettled.cell(&key);
        let making = || self.dispatcher.make(&target, &event, &message, position, &stop);
        let Ok(made) = cell.get_or_try_init(making).await else {
            self.dispatcher.unsettled.forget(&key);
            return receipt.give_back().await;
        };
        // The next attempt need not wait until this one's consequence is safe.
        drop(turn);
        if self.settle(made, &event, &message, &target).await.is_ok() {
            self.dispatcher.unsettled.forget(&key);
            receipt.finish();
        }
    }

    /// Makes the consequence safe: the retry first, then the journal entry.
    async fn settle(
        &self,
        made: &Made,
        event: &Event,
        message: &Message,
        target: &Target,
    ) -> Result<(), BrokerError> {
        if let Some((delay, headers)) = &made.again {
            let names = self.session.names();
            let publish = async || {
                let again = names.delayed(*delay, target.id(), &event.id, message.body.clone(), headers);
                self.retries.publish(again).await?.wait().await
            };
            made.is_again_safe.get_or_try_init(publish).await?;
        }
        if let Some(entry) = &made.entry {
            self.journal.write(Entry::Attempted(Box::new(entry.clone()))).await?;
        }
        Ok(())
    }
}

impl Dispatcher {
    async fn make(
        &self,
        target: &Target,
        event: &Event,
        message: &Message,
        position: Position,
        stop: &CancellationToken,
    ) -> Result<Made, Stopped> {
        let again = |attempt, first_attempt_at| DeliveryHeaders {
            attempt: Some(attempt),
            epoch: Some(target.webhook.epoch),
            first_attempt_at: Some(first_attempt_at),
            ..message.headers.clone()
        };
        let allowed = async {
            let pass = self.gate.pass().await?;
            Some((pass, self.attempts.acquire().await.expect("the semaphore is never closed")))
        };
        let Some(allowed) = stop.run_until_cancelled(allowed).await else { return Err(Stopped) };
        let Some(_allowed) = allowed else {
            let headers = again(position.attempt, position.first_attempt_at);
            let again = Some((self.retry.shortest(), headers));
            return Ok(Made { entry: None, again, is_again_safe: OnceCell::new() });
        };
        let started_at = Timestamp::now();
        let started = Instant::now();
        let answer = self.attempt(target, event, message, position.attempt, started_at).await;
        let duration = started.elapsed();
        let ours = self.gate.note(target.id(), &answer.outcome, Instant::now());
        let step = match ours {
            true => Step::RetryIn(self.retry.shortest()),
            false => next_step(&answer.outcome, position.attempt, &self.retry, rand::random()),
        };
        metrics::attempt_finished(&answer.outcome, duration, message.headers.received_at);
        tracing::debug!(
            event.id, webhook.id = %target.id(), attempt = position.attempt, outcome = ?answer.outcome, ?step,
            duration_ms = duration.as_millis() as u64, "made an attempt"
        );
        let next_attempt = if ours { position.attempt } else { position.attempt + 1 };
        let headers = again(next_attempt, position.first_attempt_at);
        let again = if let Step::RetryIn(delay) = step { Some((delay, headers)) } else { None };
        let entry = Attempted {
            id: Uuid::now_v7(),
            event_id: event.id.clone(),
            webhook_id: target.id(),
            epoch: target.webhook.epoch,
            attempt: position.attempt,
            started_at,
            duration,
            outcome: answer.outcome,
            response_body: answer.body,
            consequence: consequence(step, Timestamp::now()),
            first_attempt_at: position.first_attempt_at,
        };
        Ok(Made { entry: Some(entry), again, is_again_safe: OnceCell::new() })
    }

    async fn attempt(
        &self,
        target: &Target,
        event: &Event,
        message: &Message,
        attempt: u32,
        now: Timestamp,
    ) -> Answer {
        if message.returns >= MOST_RETURNS {
            return Answer { outcome: Outcome::Interrupted, body: String::new() };
        }
        let _running = metrics::attempt_started();
        let request = Request {
            event_id: &event.id,
            body: event.body(message.headers.received_at.unwrap_or(now)),
            attempt,
            traceparent: message.headers.traceparent.as_deref(),
        };
        self.receivers.send(target, request).await
    }
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

fn consequence(step: Step, now: Timestamp) -> Consequence {
    match step {
        Step::Succeed => Consequence::Succeed,
        Step::RetryIn(delay) => Consequence::Retry(now.saturating_add(delay).unwrap_or(Timestamp::MAX)),
        Step::GiveUp => Consequence::GiveUp,
        Step::DisableNow => Consequence::DisableNow,
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
