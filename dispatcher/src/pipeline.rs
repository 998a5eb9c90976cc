//! A delivery's life: permit, attempt, decision, confirm, acknowledgement.

use std::sync::Arc;

use posthorn_broker::{BrokerError, Journal, Message, Receipt, Session};
use posthorn_domain::{event::Rejection, id::WebhookId, journal::Entry};
use posthorn_timing::{caught, failpoint};

use crate::{
    admission::{NotAdmitted, Terms},
    delivery::{Delivery, Held, NextAttempt, Wait},
    dispatcher::{Attempt, Dispatcher},
    metrics,
    outbox::Outbox,
    permits::Patience,
    recipient::{Recipient, Recipients},
};

/// What deliveries need of one session.
pub(crate) struct Pipeline {
    pub(crate) session: Arc<Session>,
    pub(crate) outbox: Outbox,
    journal: Journal,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) recipients: Recipients,
}

/// Why a delivery's life did not reach its end.
enum Unfinished {
    /// No attempt was made.
    NotAdmitted(NotAdmitted),
    /// The session has ended: the delivery comes back.
    SessionEnded,
}

impl Pipeline {
    pub(crate) async fn open(
        session: &Arc<Session>,
        dispatcher: &Arc<Dispatcher>,
    ) -> Result<Arc<Self>, BrokerError> {
        Ok(Arc::new(Self {
            session: session.clone(),
            outbox: Outbox::open(session, dispatcher.clock).await?,
            journal: session.journal().await?,
            dispatcher: dispatcher.clone(),
            recipients: Recipients::default(),
        }))
    }

    /// Starts a delivery's next attempt. It outlives the session: what it comes to is remembered.
    pub(crate) fn start(self: &Arc<Self>, recipient: Arc<Recipient>, delivery: Delivery, wait: Wait) {
        self.spawn(self.clone().run(recipient, delivery, wait));
    }

    /// Starts to put a delivery into its webhook's queue.
    pub(crate) fn start_queueing(self: &Arc<Self>, id: WebhookId, mut delivery: Delivery) {
        let pipeline = self.clone();
        self.spawn(async move { pipeline.queue(id, &mut delivery).await });
    }

    /// Starts what is waited for before the process ends. A panic in it ends the session: what it held is not
    /// acknowledged, and comes back.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.dispatcher.deliveries.spawn(self.session.supervise("a delivery", work));
    }

    /// Takes a delivery through its life. A panic on the way costs it an attempt, which ends as interrupted.
    pub(crate) async fn run(self: Arc<Self>, recipient: Arc<Recipient>, mut delivery: Delivery, wait: Wait) {
        let (id, patience) = (recipient.id(), wait.terms().patience);
        let mut lived = caught(self.deliver(&recipient, &mut delivery, wait)).await;
        if let Err(panicked) = &lived {
            let event = delivery.prepared.event;
            tracing::error!(%event, webhook.id = %id, "an attempt is interrupted: {panicked}");
            delivery.is_interrupted = true;
            lived = Ok(self.deliver(&recipient, &mut delivery, Wait::Patiently).await);
        }
        match lived {
            Ok(Err(Unfinished::NotAdmitted(NotAdmitted::Waited))) if patience == Patience::Long => {
                self.put_off(&recipient, &mut delivery).await;
            }
            Ok(Err(Unfinished::NotAdmitted(NotAdmitted::Waited | NotAdmitted::Stopped))) => {
                self.queue(id, &mut delivery).await;
            }
            Ok(Ok(()) | Err(Unfinished::SessionEnded)) | Err(_) => {}
        }
    }

    async fn deliver(
        &self,
        recipient: &Arc<Recipient>,
        delivery: &mut Delivery,
        wait: Wait,
    ) -> Result<(), Unfinished> {
        let dispatcher = &self.dispatcher;
        let terms = wait.terms();
        let permit = dispatcher.permit(recipient, delivery, terms).await?;
        // What has waited is attempted as its webhook is by then.
        let next = delivery.next_attempt(recipient.target(), dispatcher.clock.now());
        let attempt = dispatcher.attempt(recipient, permit, terms, delivery, &next).await?;
        // The next attempt need not wait until this one's consequence is safe.
        drop(wait);
        self.confirm(&attempt, delivery, &next).await?;
        self.acknowledge(&attempt, delivery, &next).await?;
        Ok(())
    }

    /// Makes the retry safe in the broker, if there is to be one.
    async fn confirm(
        &self,
        attempt: &Attempt,
        delivery: &Delivery,
        next: &NextAttempt,
    ) -> Result<(), BrokerError> {
        failpoint("dispatcher.confirm");
        let Some((delay, headers)) = &attempt.retry else { return Ok(()) };
        let publish = async || self.outbox.retry(*delay, next.target.id, &delivery.prepared, headers).await;
        attempt.is_retry_safe.get_or_try_init(publish).await.map(|_| ())
    }

    /// Hands the attempt to the journal; once that has it safely, the delivery is done.
    async fn acknowledge(
        &self,
        attempt: &Attempt,
        delivery: &mut Delivery,
        next: &NextAttempt,
    ) -> Result<(), BrokerError> {
        let Some(held) = delivery.held.take() else { return Ok(()) };
        let (dispatcher, key) = (self.dispatcher.clone(), next.key);
        let running = dispatcher.deliveries.token();
        let done = move || {
            dispatcher.in_flight.settled(&held.done(Some(key)));
            drop(running);
        };
        self.journal.write_then(vec![Entry::Attempted(Box::new(attempt.entry.clone()))], done).await
    }

    /// Puts off a delivery that was held for too long: it comes back with the same attempt number. If that
    /// fails the session has ended, and it comes back, too.
    async fn put_off(&self, recipient: &Recipient, delivery: &mut Delivery) {
        let next = delivery.next_attempt(recipient.target(), self.dispatcher.clock.now());
        let headers = delivery.headers_at(next.position, next.target.epoch);
        let delay = self.dispatcher.retry.shortest();
        if self.outbox.retry(delay, next.target.id, &delivery.prepared, &headers).await.is_ok() {
            self.dispatcher.done(delivery);
        }
    }

    /// Puts a delivery that is not attempted now into its webhook's queue. If that fails the session has ended,
    /// and its batch comes back.
    async fn queue(&self, id: WebhookId, delivery: &mut Delivery) {
        if let Some(Held::Message(receipt)) = delivery.held.take_if(|held| matches!(held, Held::Message(_))) {
            return receipt.give_back().await;
        }
        if self.outbox.queue(id, &delivery.prepared, &delivery.headers).await.is_ok() {
            metrics::queued();
            self.dispatcher.done(delivery);
        }
    }

    /// Keeps a message that is no delivery in the journal.
    pub(crate) async fn reject(&self, message: Message, rejection: Rejection, receipt: Receipt) {
        if self.reject_part(message, rejection).await.is_ok() {
            receipt.finish();
        }
    }

    /// Keeps a part of a message in the journal.
    pub(crate) async fn reject_part(&self, part: Message, rejection: Rejection) -> Result<(), BrokerError> {
        tracing::warn!(message.id = part.message_id, "rejected a delivery: {rejection}");
        self.journal.write(part.rejected(rejection)).await
    }
}

impl Wait {
    fn terms(&self) -> Terms {
        match self {
            Self::Patiently => Terms { is_canary: false, patience: Patience::Long },
            Self::Briefly { .. } => Terms { is_canary: false, patience: Patience::Brief },
            Self::AsCanary => Terms { is_canary: true, patience: Patience::Long },
        }
    }
}

impl From<NotAdmitted> for Unfinished {
    fn from(refusal: NotAdmitted) -> Self {
        Self::NotAdmitted(refusal)
    }
}

impl From<BrokerError> for Unfinished {
    /// Nothing else fails on the way to the broker.
    fn from(_: BrokerError) -> Self {
        Self::SessionEnded
    }
}
