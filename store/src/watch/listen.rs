//! A connection that listens for notifications.

use std::{
    collections::HashSet,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use posthorn_domain::id::WebhookId;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_postgres::{AsyncMessage, Client};
use uuid::Uuid;

use super::ANSWER_TIMEOUT;
use crate::{
    connect::{Database, Driver},
    error::StoreError,
};

/// The channel of the trigger in `migrations/V1__pipeline.sql`.
const LISTEN: &str = "LISTEN posthorn_webhooks";
/// Notifications that wait to be looked at; what comes beyond is found by comparing.
const MOST_WAITING: usize = 1024;

pub(super) struct Listener {
    pub(super) client: Client,
    notified: mpsc::Receiver<WebhookId>,
    overflown: Arc<AtomicBool>,
    _driver: JoinSet<()>,
}

impl Listener {
    pub(super) async fn connect(url: &str) -> Result<Self, StoreError> {
        let database = Database::read(url)?;
        let connected = timeout(database.patience(), database.connect()).await;
        let connected = connected.map_err(|_| StoreError::silent())?;
        let (client, connection) = connected.map_err(StoreError::no_connection)?;
        let (notify, notified) = mpsc::channel(MOST_WAITING);
        let overflown = Arc::new(AtomicBool::new(false));
        let mut driver = JoinSet::new();
        driver.spawn(drive(connection, notify, overflown.clone()));
        let task = "listen for changes";
        let listening = timeout(ANSWER_TIMEOUT, client.batch_execute(LISTEN)).await;
        listening.map_err(|_| StoreError::NoAnswer { task })?.map_err(StoreError::query(task))?;
        Ok(Self { client, notified, overflown, _driver: driver })
    }

    /// The webhooks of which notifications have come, at least one.
    pub(super) async fn changed(&mut self) -> Result<HashSet<WebhookId>, StoreError> {
        let mut waiting = Vec::new();
        let count = self.notified.recv_many(&mut waiting, MOST_WAITING).await;
        if count == 0 || self.overflown.load(Ordering::Relaxed) {
            // Connecting again compares everything.
            return Err(StoreError::NoConnection("the listening connection has ended".into()));
        }
        Ok(waiting.into_iter().collect())
    }
}

/// Drives the connection; must never wait for the watcher, whose queries it carries.
async fn drive(mut connection: Driver, notify: mpsc::Sender<WebhookId>, overflown: Arc<AtomicBool>) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        let AsyncMessage::Notification(notification) = message else { continue };
        let Ok(id) = Uuid::try_parse(notification.payload()) else { continue };
        if notify.try_send(WebhookId(id)).is_err() {
            overflown.store(true, Ordering::Relaxed);
        }
    }
}
