//! What outlives a session: the HTTP client, permits, and the attempts that run.

use std::{pin::pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use posthorn_attempt::{Answer, Receivers, Request};
use posthorn_broker::DeliveryHeaders;
use posthorn_domain::{
    id::AttemptId, journal::Attempted, outcome::Outcome, retry::RetryPolicy, status::Status, step::Step,
};
use posthorn_timing::{Clock, failpoint};
use posthorn_trace::Span;
use tokio::{sync::OnceCell, time::timeout};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    admission::{Admission, Admitted, NotAdmitted, Terms},
    decision::{Decision, Evidence, decide},
    delivery::{Delivery, NextAttempt},
    in_flight::InFlightAttempts,
    latency_tracker::PROMPT,
    metrics,
    recipient::Recipient,
};

/// What outlives a session.
pub(crate) struct Dispatcher {
    pub(crate) retry: RetryPolicy,
    pub(crate) receivers: Receivers,
    pub(crate) admission: Admission,
    /// What runs for deliveries: an attempt outlives the session in which it began.
    pub(crate) deliveries: TaskTracker,
    pub(crate) in_flight: InFlightAttempts<Arc<Attempt>>,
    /// Whether every webhook's queue is consumed.
    pub(crate) consuming: Status,
    pub(crate) clock: Clock,
}

/// An attempt that was made, to be made safe before its delivery is acknowledged.
pub(crate) struct Attempt {
    /// Its journal entry.
    pub(crate) entry: Attempted,
    /// The delivery's next message, after this delay.
    pub(crate) retry: Option<(Duration, DeliveryHeaders)>,
    /// Set once that message is safe: a delivery that comes back in between gets no second retry.
    pub(crate) is_retry_safe: OnceCell<()>,
}

impl Dispatcher {
    /// Waits for the right to make a delivery's attempt; `None` if there is nothing to make: it was made, or
    /// runs, or ends as interrupted.
    pub(crate) async fn permit(
        &self,
        recipient: &Arc<Recipient>,
        delivery: &Delivery,
        terms: Terms,
    ) -> Result<Option<Admitted>, NotAdmitted> {
        if delivery.is_interrupted || self.is_known(recipient, delivery) {
            return Ok(None);
        }
        self.admission.admit(recipient, terms).await.map(Some)
    }

    /// Whether the delivery's attempt was made, or runs.
    pub(crate) fn is_known(&self, recipient: &Recipient, delivery: &Delivery) -> bool {
        self.in_flight.knows(&delivery.next_attempt(recipient.target(), self.clock.now()).key)
    }

    /// What an attempt came to: makes it, or waits for it where it runs. Once it is known, so is what follows.
    pub(crate) async fn attempt(
        &self,
        recipient: &Arc<Recipient>,
        permit: Option<Admitted>,
        terms: Terms,
        delivery: &Delivery,
        next: &NextAttempt,
    ) -> Result<Arc<Attempt>, NotAdmitted> {
        let cell = self.in_flight.cell(&next.key);
        let making = async || {
            let permit = match permit {
                // Who was to make it has given up.
                None if !delivery.is_interrupted => Some(self.admission.admit(recipient, terms).await?),
                permit => permit,
            };
            Ok(Arc::new(self.make(recipient, permit, delivery, next).await))
        };
        let made = cell.get_or_try_init(making).await.cloned();
        match &made {
            Ok(_) => self.in_flight.finished(&next.key, self.clock.instant()),
            Err(_) => self.in_flight.abandoned(&next.key, cell),
        }
        made
    }

    async fn make(
        &self,
        recipient: &Recipient,
        permit: Option<Admitted>,
        delivery: &Delivery,
        next: &NextAttempt,
    ) -> Attempt {
        let started = (self.clock.now(), self.clock.instant());
        let running = permit.map(|permit| (permit, recipient.begin_attempt(started.1)));
        let answer = match &running {
            Some(_) => self.send(delivery, next).await,
            None => Answer::none(Outcome::Interrupted),
        };
        let ended = self.clock.instant();
        let took = ended.duration_since(started.1);
        let is_ours = self.admission.outage.note(&next.target, answer.reach);
        let evidence = Evidence { outcome: &answer.outcome, reach: answer.reach, is_ours };
        let decision = decide(evidence, next.position, &self.retry, self.clock.chance());
        if let Some((permit, running)) = running {
            running.end(permit.probe, decision.signal, took, ended);
        }
        self.tell(delivery, next, &answer, decision, took);
        let retry = retry(recipient, delivery, next, decision);
        let step = decision.recorded(self.clock.now());
        let entry = entry(delivery, next, answer, (started.0, took), step);
        Attempt { entry, retry, is_retry_safe: OnceCell::new() }
    }

    /// Logs and counts.
    fn tell(
        &self,
        delivery: &Delivery,
        next: &NextAttempt,
        answer: &Answer,
        decision: Decision,
        took: Duration,
    ) {
        metrics::attempt_finished(&answer.outcome, took);
        metrics::sent(answer);
        let published_at = delivery.headers.published_at.or(delivery.headers.received_at);
        metrics::step_taken(decision.step, published_at, self.clock.now());
        tracing::debug!(
            event = %delivery.prepared.event, webhook.id = %next.target.id, attempt = next.position.attempt,
            outcome = ?answer.outcome, step = ?decision.step, duration_ms = took.as_millis() as u64,
            "made an attempt"
        );
    }

    async fn send(&self, delivery: &Delivery, next: &NextAttempt) -> Answer {
        failpoint("dispatcher.attempt");
        let _running = metrics::attempt_started();
        let NextAttempt { target, position, .. } = next;
        let prepared = &delivery.prepared;
        let parent = delivery.headers.trace.as_ref();
        let span = posthorn_trace::attempt(
            posthorn_trace::Attempt {
                event: prepared.event,
                event_id: prepared.event_id.as_str(),
                webhook_id: target.id,
                number: position.attempt,
                host: Some(&*target.host).filter(|host| !host.is_empty()),
            },
            parent,
        );
        let own = span.as_ref().and_then(Span::context);
        let (event, body, attempt) = (prepared.event, prepared.body.clone(), position.attempt);
        let request = Request { event, body, attempt, trace: own.as_ref().or(parent) };
        let mut sending = pin!(self.receivers.send(target, request));
        let answer = match timeout(PROMPT, &mut sending).await {
            Ok(answer) => answer,
            Err(_) => {
                delivery.takes_long();
                sending.await
            }
        };
        if let Some(span) = span {
            span.end_attempt(&answer.outcome);
        }
        answer
    }

    /// The delivery is done without an attempt.
    pub(crate) fn done(&self, delivery: &mut Delivery) {
        if let Some(held) = delivery.held.take() {
            self.in_flight.settled(&held.done(None));
        }
    }
}

/// The delivery's next message, if it is tried again: as the canary if its webhook's breaker needs one.
fn retry(
    recipient: &Recipient,
    delivery: &Delivery,
    next: &NextAttempt,
    decision: Decision,
) -> Option<(Duration, DeliveryHeaders)> {
    let was_canary = delivery.headers.is_canary;
    if was_canary && decision.step == Step::GiveUp {
        recipient.breaker.canary_is_over();
    }
    let (delay, position) = decision.retry?;
    let is_canary = recipient.breaker.takes_canary(was_canary);
    let headers = delivery.headers_at(position, next.target.epoch);
    Some((delay, DeliveryHeaders { is_canary, ..headers }))
}

/// What the journal is told of an attempt, with when it began and how long it took.
fn entry(
    delivery: &Delivery,
    next: &NextAttempt,
    answer: Answer,
    (started_at, duration): (Timestamp, Duration),
    step: Step<Timestamp>,
) -> Attempted {
    let prepared = &delivery.prepared;
    Attempted {
        id: AttemptId(Uuid::now_v7()),
        event_id: prepared.event_id.clone(),
        event_type: prepared.event_type.clone(),
        company_id: prepared.company_id.clone(),
        digest: prepared.digest,
        webhook_id: next.target.id,
        epoch: next.target.epoch,
        attempt: next.position.attempt,
        started_at,
        duration,
        address: answer.address.filter(|_| answer.outcome.unreachable().is_some()),
        outcome: answer.outcome,
        phases: answer.phases,
        response_headers: answer.headers,
        response_body: answer.body,
        step,
        first_attempt_at: next.position.first_attempt_at,
    }
}
