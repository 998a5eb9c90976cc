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

    /// Waits for a signal or for the first task to end, then stops the rest. A task may itself cancel
    /// the stop token: that is a good end.
    ///
    /// # Errors
    /// The first failure of a task; a task that ends though nothing told it to; a second signal; a
    /// task that doesn't end within the grace period.
    pub(crate) async fn finish(mut self, grace: Duration) -> anyhow::Result<()> {
        let first = tokio::select! {
            ended = self.tasks.join_next() => match ended {
                Some(ended) if self.stop.is_cancelled() => flatten(ended),
                Some(ended) => flatten(ended).and(Err(anyhow!("a part of the process ended by itself"))),
                None => Ok(()),
            },
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

fn flatten(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    match ended {
        Ok(result) => result,
        Err(error) => bail!("a part of the process failed: {error}"),
    }
}
