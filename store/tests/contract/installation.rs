//! An installation of its own for one test.

use std::{pin::Pin, time::Duration};

use posthorn_store::Store;
use tokio::time::{Instant, sleep};

/// How long a promise that is kept in the background may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is left to do once a test has passed.
pub(crate) type Removal = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An empty store. One whose test fails stays, for whoever looks into it, until its server is removed.
pub(crate) struct Installation {
    /// What leads to it.
    pub(crate) url: String,
    /// As one process has it.
    pub(crate) store: Store,
    removal: Removal,
}

impl Installation {
    pub(crate) fn new(url: String, removal: Removal) -> Self {
        let store = open(&url);
        Self { url, store, removal }
    }

    /// The same store as another process has it.
    pub(crate) fn another(&self) -> Store {
        open(&self.url)
    }

    pub(crate) async fn remove(self) {
        drop(self.store);
        self.removal.await;
    }
}

fn open(url: &str) -> Store {
    Store::new(url, 4).expect("the URL is good")
}

/// Waits until something is there.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        sleep(LOOK_EVERY).await;
    }
}
