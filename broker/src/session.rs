//! A session: one epoch of two connections and all that runs on them.

use std::{
    collections::BTreeSet,
    fmt::Display,
    future::Future,
    pin::pin,
    sync::{Arc, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::try_join_all};
use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind, Event,
    protocol::{AMQPErrorKind, AMQPHardError},
    uri::AMQPUri,
};
use posthorn_domain::id::WebhookId;
use posthorn_timing::within;
use tokio::{
    sync::Mutex,
    time::{interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    broker::{Config, Role},
    error::{ANSWER_TIMEOUT, BrokerError, answered},
    names::Names,
    topology::{self, Declare},
};

/// How many declarations are under way on the channel: their answers come in order.
const DECLARED_AT_ONCE: usize = 100;
/// Consumed queues that are told of a session that met what it cannot read.
const MOST_NAMED: usize = 5;
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Two connections: under a memory or disk alarm the broker stops reading from one that publishes,
/// and acknowledgements must not be stuck behind that.
pub struct Session {
    pub(crate) publishing: Connection,
    pub(crate) consuming: Connection,
    pub(crate) tasks: TaskTracker,
    pub(crate) config: Config,
    /// For declares, which may fail and take their channel with them.
    declaring: Mutex<Option<Channel>>,
    ended: CancellationToken,
    /// Why it ended, if it failed.
    failure: OnceLock<String>,
    /// Some of the queues that are consumed, for whoever looks for a message that cannot be read.
    consumed: std::sync::Mutex<BTreeSet<String>>,
}

impl Session {
    pub(crate) async fn open(url: &AMQPUri, config: &Config, role: Role) -> Result<Arc<Self>, BrokerError> {
        metrics::describe_counter!(
            "posthorn_broker_sessions_lost_total",
            "Sessions with RabbitMQ that ended by a failure"
        );
        lost().increment(0);
        let (name, (published, consumed)) = (role.name(), role.frames());
        let publishing = connect(url, &format!("posthorn {name} publishing"), published).await?;
        let consuming = connect(url, &format!("posthorn {name} consuming"), consumed).await?;
        let session = Arc::new(Self {
            publishing,
            consuming,
            tasks: TaskTracker::new(),
            config: config.clone(),
            declaring: Mutex::new(None),
            ended: CancellationToken::new(),
            failure: OnceLock::new(),
            consumed: Default::default(),
        });
        let declared = session
            .on_declaring_channel(|channel| async move { topology::declare(&channel, config, role).await });
        declared.await?;
        session.tasks.spawn(watch(session.clone()));
        Ok(session)
    }

    /// The installation's names.
    pub fn names(&self) -> &Names {
        &self.config.names
    }

    /// Declares a webhook's queue and binds it.
    ///
    /// # Errors
    /// If the broker refuses or is gone; the session lives on.
    pub async fn declare_webhook(&self, id: WebhookId) -> Result<(), BrokerError> {
        self.declare_at_once(&[id], Declare::Bound).await
    }

    /// Declares webhooks' queues, many at a time, and tells which the broker refused.
    ///
    /// # Errors
    /// If the broker is gone or does not answer: to ask it for each queue would take for ever.
    pub async fn declare_webhooks(
        &self,
        ids: &[WebhookId],
        declare: Declare,
    ) -> Result<Vec<(WebhookId, BrokerError)>, BrokerError> {
        let mut refused = Vec::new();
        for chunk in ids.chunks(DECLARED_AT_ONCE) {
            let Err(error) = self.declare_at_once(chunk, declare).await else { continue };
            self.refusal(error)?;
            // One that is refused closes the channel on all of them.
            for id in chunk {
                if let Err(error) = self.declare_at_once(&[*id], declare).await {
                    refused.push((*id, self.refusal(error)?));
                }
            }
        }
        if ids.len() > DECLARED_AT_ONCE {
            // lapin remembers all that a channel has declared as long as the channel lives.
            self.declaring.lock().await.take();
        }
        Ok(refused)
    }

    /// The error of a declaration, if the broker is there and has refused it.
    fn refusal(&self, error: BrokerError) -> Result<BrokerError, BrokerError> {
        match error {
            BrokerError::NoAnswer { .. } => Err(error),
            _ if self.consuming.status().connected() => Ok(error),
            _ => Err(error),
        }
    }

    async fn declare_at_once(&self, ids: &[WebhookId], declare: Declare) -> Result<(), BrokerError> {
        self.on_declaring_channel(|channel| async move {
            let declaring =
                ids.iter().map(|id| topology::declare_webhook(&channel, &self.config, *id, declare));
            try_join_all(declaring).await.map(|_| ())
        })
        .await
    }

    /// Unbinds a webhook's queue, so that nothing new comes into it.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn unbind_webhook(&self, id: WebhookId) -> Result<(), BrokerError> {
        let names = self.names();
        self.on_declaring_channel(
            |channel| async move { topology::unbind_webhook(&channel, names, id).await },
        )
        .await
    }

    /// Deletes a webhook's queue. Whatever is confirmed into it at that moment is lost: unbind it
    /// and wait before.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<(), BrokerError> {
        let names = self.names();
        self.on_declaring_channel(
            |channel| async move { topology::delete_webhook(&channel, names, id).await },
        )
        .await
    }

    /// Resolves when the session is over.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Whether the session still lives.
    pub fn is_open(&self) -> bool {
        !self.ended.is_cancelled()
    }

    /// Ends the session in good order once everything sent has been answered: closes both
    /// connections and waits for its tasks.
    pub async fn close(&self) {
        self.ended.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends the session because of a failure, which is logged.
    pub fn fail(&self, reason: impl Display) {
        if !self.ended.is_cancelled() && self.failure.set(reason.to_string()).is_ok() {
            tracing::warn!("lost RabbitMQ: {reason}");
            lost().increment(1);
            self.ended.cancel();
        }
    }

    /// Ends the session because of a message that cannot be read. It comes back to its queue, and after
    /// a few times goes on to where it stops nobody.
    pub(crate) fn fail_unreadable(&self, words: &str) {
        let queues = self.consumed().iter().cloned().collect::<Vec<_>>().join(", ");
        let reason = format!("a message of {queues} cannot be read: {words}");
        if self.failure.set(reason.clone()).is_ok() {
            tracing::error!("lost RabbitMQ: {reason}");
            lost().increment(1);
            self.ended.cancel();
        }
    }

    /// Why the session ended, if it failed.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    pub(crate) fn consumes(&self, queue: &str) {
        let mut consumed = self.consumed();
        if consumed.len() < MOST_NAMED {
            consumed.insert(queue.to_owned());
        }
    }

    fn consumed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.consumed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.publishing.status().blocked()
    }

    pub(crate) async fn on_declaring_channel<'a, T, F>(
        &'a self,
        act: impl FnOnce(Channel) -> F,
    ) -> Result<T, BrokerError>
    where
        F: Future<Output = Result<T, BrokerError>> + 'a,
    {
        let task = "declare queues";
        let mut kept = self.declaring.lock().await;
        let acting = async {
            let channel = match kept.take().filter(|channel| channel.status().connected()) {
                Some(channel) => channel,
                None => self.consuming.create_channel().await.map_err(BrokerError::amqp(task))?,
            };
            let done = act(channel.clone()).await;
            *kept = Some(channel);
            done
        };
        within(ANSWER_TIMEOUT, acting, || BrokerError::NoAnswer { task }).await
    }
}

async fn connect(url: &AMQPUri, name: &str, frame_max: u32) -> Result<Connection, BrokerError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let mut url = url.clone();
    url.query.frame_max = url.query.frame_max.or(Some(frame_max));
    answered("connect", Connection::connect_uri(url, properties)).await
}

/// Fails the session when one of its connections is gone; closes both when it has ended, so that
/// what was not acknowledged goes back to its queue at once.
async fn watch(session: Arc<Session>) {
    let mut ticks = interval(WATCH_EVERY);
    let mut events = pin!(session.consuming.events_listener());
    let watching = async {
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                Some(event) = events.next() => if let Some(words) = unreadable(&event) {
                    return session.fail_unreadable(&words);
                },
            }
            for (connection, name) in [(&session.publishing, "publishing"), (&session.consuming, "consuming")]
            {
                if !connection.status().connected() {
                    return session.fail(format_args!("the {name} connection was closed"));
                }
            }
        }
    };
    session.ended.run_until_cancelled(watching).await;
    // Those who consume may have met the end before it was told here.
    while let Some(Some(event)) = events.next().now_or_never() {
        if let Some(words) = unreadable(&event) {
            session.fail_unreadable(&words);
        }
    }
    for connection in [&session.consuming, &session.publishing] {
        if connection.status().connected() {
            let closing = connection.close(200, "bye".into());
            if timeout(ANSWER_TIMEOUT, closing).await.is_err() {
                tracing::warn!("RabbitMQ did not answer our goodbye");
            }
        }
    }
}

fn lost() -> metrics::Counter {
    metrics::counter!("posthorn_broker_sessions_lost_total")
}

/// The reader's words, if the connection ended because of a frame that it could not read.
fn unreadable(event: &Event) -> Option<String> {
    let Event::Error(error) = event else { return None };
    match error.kind() {
        ErrorKind::ParsingError(error) => Some(error.to_string()),
        // Larger than this connection takes. It is not the broker who says so: that one closes.
        ErrorKind::ProtocolError(error)
            if *error.kind() == AMQPErrorKind::Hard(AMQPHardError::FRAMEERROR) =>
        {
            Some(error.get_message().to_string())
        }
        _ => None,
    }
}
