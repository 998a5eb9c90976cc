//! A session: one epoch of two connections and all that runs on them.

use std::{fmt::Display, future::Future, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use lapin::{Channel, Connection, ConnectionProperties, uri::AMQPUri};
use posthorn_domain::id::WebhookId;
use tokio::{
    sync::Mutex,
    time::{interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    broker::Config,
    error::BrokerError,
    names::Names,
    topology::{self, Declare},
};

/// How long the broker may take to answer anything.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How many declarations are under way on the channel: their answers come in order.
const DECLARED_AT_ONCE: usize = 100;
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
}

impl Session {
    pub(crate) async fn open(url: &AMQPUri, config: &Config, role: &str) -> Result<Arc<Self>, BrokerError> {
        let publishing = connect(url, &format!("posthorn {role} publishing")).await?;
        let consuming = connect(url, &format!("posthorn {role} consuming")).await?;
        let session = Arc::new(Self {
            publishing,
            consuming,
            tasks: TaskTracker::new(),
            config: config.clone(),
            declaring: Mutex::new(None),
            ended: CancellationToken::new(),
        });
        let declared =
            session.on_declaring_channel(|channel| async move { topology::declare(&channel, config).await });
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
        if !self.ended.is_cancelled() {
            tracing::warn!("lost RabbitMQ: {reason}");
            self.ended.cancel();
        }
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
        timeout(ANSWER_TIMEOUT, acting).await.unwrap_or(Err(BrokerError::NoAnswer { task }))
    }
}

async fn connect(url: &AMQPUri, name: &str) -> Result<Connection, BrokerError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = Connection::connect_uri(url.clone(), properties);
    let task = "connect";
    match timeout(ANSWER_TIMEOUT, connecting).await {
        Ok(connected) => connected.map_err(BrokerError::amqp(task)),
        Err(_) => Err(BrokerError::NoAnswer { task }),
    }
}

/// Fails the session when one of its connections is gone; closes both when it has ended, so that
/// what was not acknowledged goes back to its queue at once.
async fn watch(session: Arc<Session>) {
    let mut ticks = interval(WATCH_EVERY);
    let watching = async {
        loop {
            ticks.tick().await;
            for (connection, name) in [(&session.publishing, "publishing"), (&session.consuming, "consuming")]
            {
                if !connection.status().connected() {
                    return session.fail(format_args!("the {name} connection was closed"));
                }
            }
        }
    };
    session.ended.run_until_cancelled(watching).await;
    for connection in [&session.consuming, &session.publishing] {
        if connection.status().connected() {
            let closing = connection.close(200, "bye".into());
            if timeout(ANSWER_TIMEOUT, closing).await.is_err() {
                tracing::warn!("RabbitMQ did not answer our goodbye");
            }
        }
    }
}
