//! Starting and stopping: what is started is waited for.

use std::{future::Future, time::Duration};

use anyhow::{Context, anyhow, bail};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// The tasks of a process, and the signals that stop it.
pub(crate) struct Lifecycle {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    /// What runs until all tasks have ended.
    servers: JoinSet<anyhow::Result<()>>,
    terminate: Signal,
    interrupt: Signal,
}

impl Lifecycle {
    /// Listens for SIGTERM and SIGINT.
    pub(crate) fn until_signal() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            servers: JoinSet::new(),
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Cancelled when the process is to stop.
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task that ends when the stop token is cancelled.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Starts what is to run on while tasks finish, such as the admin server: it is ended after the last of
    /// them.
    pub(crate) fn serve(&mut self, server: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.servers.spawn(server);
    }

    /// Waits for a signal or for the first task to end, then stops the rest. A task may itself cancel
    /// the stop token: that is a good end.
    ///
    /// # Errors
    /// The first failure of a task; a task or a server that ends though nothing told it to; a second signal; a
    /// task that doesn't end within the grace period.
    pub(crate) async fn finish(mut self, grace: Duration) -> anyhow::Result<()> {
        let first = tokio::select! {
            ended = self.tasks.join_next() => match ended {
                Some(ended) if self.stop.is_cancelled() => flatten(ended),
                Some(ended) => by_itself(ended),
                None => Ok(()),
            },
            Some(ended) = self.servers.join_next() => by_itself(ended),
            () = received(&mut self.terminate, &mut self.interrupt) => {
                tracing::info!("told to stop: finishing what runs, for at most {} s", grace.as_secs());
                Ok(())
            }
        };
        self.stop.cancel();
        let rest = tokio::select! {
            rest = timeout(grace, drain(&mut self.tasks)) => {
                rest.unwrap_or_else(|_| Err(anyhow!("not everything was finished within the grace period")))
            }
            () = received(&mut self.terminate, &mut self.interrupt) => Err(anyhow!("told to stop a second time")),
        };
        self.tasks.abort_all();
        self.servers.abort_all();
        first.and(rest)?;
        tracing::info!("stopped");
        Ok(())
    }
}

async fn received(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn drain(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut first = Ok(());
    while let Some(ended) = tasks.join_next().await {
        first = first.and(flatten(ended));
    }
    first
}

/// Nothing told it to end.
fn by_itself(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    flatten(ended).and(Err(anyhow!("a part of the process ended by itself")))
}

fn flatten(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    match ended {
        Ok(result) => result,
        Err(error) => bail!("a part of the process failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_server_that_ends_or_panics_ends_the_process_with_a_failure() {
        for is_panic in [false, true] {
            let mut lifecycle = Lifecycle::until_signal().unwrap();
            let stop = lifecycle.stop_token();
            lifecycle.spawn(async move {
                stop.cancelled().await;
                Ok(())
            });
            lifecycle.serve(async move {
                assert!(!is_panic, "injected");
                Ok(())
            });
            let finished = lifecycle.finish(GRACE).await.unwrap_err().to_string();
            assert!(finished.contains(if is_panic { "injected" } else { "by itself" }), "{finished}");
        }
    }

    #[tokio::test]
    async fn a_panic_in_a_task_ends_the_process_with_its_message() {
        let mut lifecycle = Lifecycle::until_signal().unwrap();
        lifecycle.spawn(async { panic!("injected") });
        let finished = lifecycle.finish(GRACE).await.unwrap_err().to_string();
        assert!(finished.contains("injected"), "{finished}");
    }

    #[tokio::test]
    async fn servers_end_after_the_last_task() {
        let mut lifecycle = Lifecycle::until_signal().unwrap();
        let stop = lifecycle.stop_token();
        lifecycle.spawn(async move {
            stop.cancel();
            Ok(())
        });
        lifecycle.serve(pending());
        assert!(lifecycle.finish(GRACE).await.is_ok());
    }
}
