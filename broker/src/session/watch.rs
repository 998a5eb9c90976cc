//! The watch over a session's connections.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use lapin::{
    ErrorKind, Event,
    protocol::{AMQPErrorKind, AMQPHardError},
};
use tokio::time::{interval, timeout};

use super::Session;
use crate::error::ANSWER_TIMEOUT;

const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Fails the session when one of its connections is gone; closes both when it has ended, so that
/// what was not acknowledged goes back to its queue at once.
pub(super) async fn watch(session: Arc<Session>) {
    session.supervise("the watch over the connections", look(session.clone())).await;
    for connection in [&session.consuming, &session.publishing] {
        if connection.status().connected() {
            let closing = connection.close(200, "bye".into());
            if timeout(ANSWER_TIMEOUT, closing).await.is_err() {
                tracing::warn!("RabbitMQ did not answer our goodbye");
            }
        }
    }
}

/// Looks after the connections until the session has ended.
async fn look(session: Arc<Session>) {
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
