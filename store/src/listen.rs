//! A connection that listens for notifications.

use std::{
    collections::HashSet,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_postgres::{AsyncMessage, Client};

use crate::{
    connect::{Database, Driver},
    error::{StoreError, answered},
};

/// Notifications that wait to be looked at; what comes beyond is found by comparing.
const MOST_WAITING: usize = 1024;

/// Of which channel, and what was said.
type Notified = (&'static str, String);

pub(crate) struct Listener {
    pub(crate) client: Client,
    notified: mpsc::Receiver<Notified>,
    overflown: Arc<AtomicBool>,
    _driver: JoinSet<()>,
}

impl Listener {
    /// Listens on these channels, which triggers in `migrations` notify.
    pub(crate) async fn connect(url: &str, channels: &'static [&'static str]) -> Result<Self, StoreError> {
        let database = Database::read(url)?;
        let (client, connection) = database.connect_in_time().await?;
        let (notify, notified) = mpsc::channel(MOST_WAITING);
        let overflown = Arc::new(AtomicBool::new(false));
        let mut driver = JoinSet::new();
        driver.spawn(drive(connection, channels, notify, overflown.clone()));
        let listen: String = channels.iter().map(|channel| format!("LISTEN {channel};")).collect();
        answered("listen for changes", client.batch_execute(&listen)).await?;
        Ok(Self { client, notified, overflown, _driver: driver })
    }

    /// The notifications that have come, at least one, each once.
    pub(crate) async fn changed(&mut self) -> Result<HashSet<Notified>, StoreError> {
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
async fn drive(
    mut connection: Driver,
    channels: &'static [&'static str],
    notify: mpsc::Sender<Notified>,
    overflown: Arc<AtomicBool>,
) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        let AsyncMessage::Notification(notification) = message else { continue };
        let Some(channel) = channels.iter().find(|known| **known == notification.channel()) else { continue };
        if notify.try_send((channel, notification.payload().to_owned())).is_err() {
            overflown.store(true, Ordering::Relaxed);
        }
    }
}
