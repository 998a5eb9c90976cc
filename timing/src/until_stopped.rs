//! Tasks that are to run until they are stopped.

use std::fmt;

use tokio_util::sync::CancellationToken;

use crate::caught::{Panicked, caught};

/// A task that was to run until it is stopped has ended.
#[derive(Debug)]
pub struct Ended {
    what: &'static str,
    panicked: Option<Panicked>,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has ended by itself", self.what)
    }
}

impl std::error::Error for Ended {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.panicked.as_ref().map(|panicked| panicked as _)
    }
}

/// Runs a task that ends when `stop` is cancelled.
///
/// # Errors
/// If it ends before, or panics: whoever waits for `what` it does would wait for ever.
pub async fn until_stopped(
    what: &'static str,
    task: impl Future<Output = ()>,
    stop: CancellationToken,
) -> Result<(), Ended> {
    match caught(task).await {
        Ok(()) if stop.is_cancelled() => Ok(()),
        Ok(()) => Err(Ended { what, panicked: None }),
        Err(panicked) => Err(Ended { what, panicked: Some(panicked) }),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[tokio::test]
    async fn a_task_may_end_only_once_it_is_stopped() {
        let stop = CancellationToken::new();
        let ended = until_stopped("watching", async {}, stop.clone()).await.unwrap_err();
        assert_eq!(
            (ended.to_string(), ended.source().is_none()),
            ("watching has ended by itself".to_owned(), true)
        );
        let ended = until_stopped("watching", async { panic!("no") }, stop.clone()).await.unwrap_err();
        assert_eq!(ended.source().unwrap().to_string(), "a defect of Posthorn: panicked: no");
        stop.cancel();
        assert!(until_stopped("watching", async {}, stop).await.is_ok());
    }
}
