//! Actions that run to their end, whatever becomes of the requests that began them.
//!
//! A request's own future is dropped when its client disconnects or its deadline passes. What must not stop
//! half-way, such as what an `Idempotency-Key` stands for, is a task here. There are so many at a time, and
//! all are waited for at the end.

use std::{future::Future, sync::Arc};

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::error::{Error, Kind};

/// The most actions at a time.
const MOST_ACTIONS: usize = 1024;

/// The actions that run.
pub(crate) struct Actions {
    running: TaskTracker,
    room: Arc<Semaphore>,
}

impl Actions {
    pub(crate) fn new() -> Self {
        Self { running: TaskTracker::new(), room: Arc::new(Semaphore::new(MOST_ACTIONS)) }
    }

    /// Runs an action to its end, and answers what it came to.
    ///
    /// # Errors
    /// Those of the action; if too many run, or it panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        action: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let busy = |_| Error::new(Kind::Unavailable, "too much is being done: try again").after(1);
        let room = self.room.clone().try_acquire_owned().map_err(busy)?;
        let running = self.running.spawn(async move {
            let _room = room;
            action.await
        });
        running.await.unwrap_or_else(|error| {
            tracing::error!("an action has failed: {error}");
            Err(Error::new(Kind::Internal, "the log of the API says what; the request id helps to find it"))
        })
    }

    /// Waits until all have ended.
    pub(crate) async fn finish(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    #[tokio::test]
    async fn an_action_ends_though_nobody_waits_for_it() {
        let actions = Actions::new();
        let (go, gone) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let action = actions.run(async move {
            let _ = gone.await;
            let _ = done.send(());
            Ok(())
        });
        assert!(timeout(Duration::from_millis(1), action).await.is_err(), "its request is dropped");
        go.send(()).unwrap();
        actions.finish().await;
        assert_eq!(is_done.await, Ok(()));
    }

    #[tokio::test]
    async fn there_are_so_many_at_a_time() {
        let actions = Actions::new();
        for _ in 0..MOST_ACTIONS {
            let action = actions.run(std::future::pending::<Result<(), Error>>());
            assert!(timeout(Duration::ZERO, action).await.is_err());
        }
        assert_eq!(actions.run(async { Ok(()) }).await.map_err(|error| error.kind), Err(Kind::Unavailable));
    }
}
