//! The task that keeps a publisher's connection: pipelining, confirms and reconnection.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lapin::{Connection, ConnectionProperties};
use posthorn_timing::{Backoff, within};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};

use crate::confirm::{ConfirmChannel, Publication};

/// Events that wait for their confirms at most; as many more wait in the channel of requests.
pub(crate) const MOST_IN_FLIGHT: usize = 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest time without a confirm, after which a connection is replaced.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the broker cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It refuses the connection.
    #[error(transparent)]
    Refused(#[from] lapin::Error),
    /// It does not answer in time.
    #[error("it does not answer within {} s", CONNECT_TIMEOUT.as_secs())]
    NoAnswer,
}

/// An event to be published.
pub(crate) struct Request {
    pub(crate) event: Publication,
    /// Not published again after this.
    pub(crate) deadline: Instant,
    pub(crate) confirmed: oneshot::Sender<()>,
}

/// The latest failure of the connection.
pub(crate) type Failure = Arc<Mutex<Option<String>>>;

pub(crate) async fn connect(url: &str) -> Result<Connection, ConnectError> {
    let properties = ConnectionProperties::default().with_connection_name("posthorn publisher".into());
    let connecting = async { Ok(Connection::connect(url, properties).await?) };
    within(CONNECT_TIMEOUT, connecting, || ConnectError::NoAnswer).await
}

/// Serves requests until the last publisher is dropped, connecting again after each failure.
pub(crate) async fn keep(
    url: String,
    first: Connection,
    mut requests: mpsc::Receiver<Request>,
    last_failure: Failure,
) {
    let mut unconfirmed = Vec::new();
    let mut connection = Ok(first);
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let failure = match connection {
            Ok(open) => match serve(&open, &mut requests, &mut unconfirmed, &mut backoff).await {
                Ok(()) => return,
                Err(failure) => failure,
            },
            Err(error) => with_cause(&error),
        };
        let pause = backoff.pause(rand::random());
        tracing::warn!("cannot publish to RabbitMQ ({failure}), trying again in {} ms", pause.as_millis());
        *last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        sleep(pause).await;
        unconfirmed.retain(|request: &Request| !request.confirmed.is_closed());
        connection = connect(&url).await;
    }
}

/// Events published on one channel, each with the number of its publish.
struct Pipeline {
    channel: ConfirmChannel<u64>,
    next: u64,
    waiting: BTreeMap<u64, Request>,
    /// When the latest confirm came, or when the first event was published.
    progress: Instant,
}

/// Publishes until the last publisher is dropped. After a failure `unconfirmed` holds what must be
/// published again. A confirm resets the pause before the next connection.
async fn serve(
    connection: &Connection,
    requests: &mut mpsc::Receiver<Request>,
    unconfirmed: &mut Vec<Request>,
    backoff: &mut Backoff,
) -> Result<(), String> {
    let opening = async { ConfirmChannel::open(connection).await.map_err(|error| with_cause(&error)) };
    let channel = within(CONFIRM_TIMEOUT, opening, || "it does not answer".to_owned()).await?;
    let mut pipeline = Pipeline { channel, next: 0, waiting: BTreeMap::new(), progress: Instant::now() };
    unconfirmed.drain(..).for_each(|request| pipeline.publish(request));
    let ended = pipeline.run(requests, backoff).await;
    let waiting = pipeline.waiting.into_values();
    unconfirmed.extend(waiting.filter(|request| Instant::now() < request.deadline));
    ended
}

impl Pipeline {
    async fn run(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        backoff: &mut Backoff,
    ) -> Result<(), String> {
        loop {
            let confirm_by = self.progress + CONFIRM_TIMEOUT;
            tokio::select! {
                request = requests.recv(), if self.waiting.len() < MOST_IN_FLIGHT => match request {
                    Some(request) => self.publish(request),
                    None => return Ok(()),
                },
                confirmed = timeout_at(confirm_by, self.channel.confirmed()), if !self.waiting.is_empty() => {
                    let confirmed = confirmed.map_err(|_| "it does not confirm".to_owned())?;
                    self.confirm(&confirmed.map_err(|error| with_cause(&error))?);
                    backoff.reset();
                }
            }
        }
    }

    fn publish(&mut self, request: Request) {
        if self.waiting.is_empty() {
            self.progress = Instant::now();
        }
        self.channel.publish(request.event.clone(), self.next);
        self.waiting.insert(self.next, request);
        self.next += 1;
    }

    fn confirm(&mut self, numbers: &[u64]) {
        self.progress = Instant::now();
        for request in numbers.iter().filter_map(|number| self.waiting.remove(number)) {
            // The caller may have stopped waiting; the event is published all the same.
            let _ = request.confirmed.send(());
        }
    }
}

/// An error with its cause, which lapin repeats in some of its messages.
fn with_cause(error: &dyn Error) -> String {
    let message = error.to_string();
    match error.source().map(ToString::to_string) {
        Some(cause) if !message.contains(&cause) => format!("{message}: {cause}"),
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confirm::Unconfirmed;

    #[test]
    fn a_failure_names_its_cause_once() {
        let refused = || std::io::Error::other("refused");
        let lost = Unconfirmed::Channel(lapin::ErrorKind::IOError(std::sync::Arc::new(refused())).into());
        let message = with_cause(&lost);
        assert!(message.starts_with("the channel failed: "), "{message}");
        assert_eq!(message.matches("refused").count(), 1, "{message}");
        assert_eq!(with_cause(&refused()), "refused");
    }
}
