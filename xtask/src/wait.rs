//! Waiting for conditions, and noticing that the user wants to stop.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

const PAUSE: Duration = Duration::from_millis(50);

static PENDING: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
static LAST: AtomicUsize = AtomicUsize::new(0);

/// From now on SIGINT and SIGTERM end waits, so that what was started is removed before the process ends.
pub fn catch_signals() -> std::io::Result<()> {
    let pending = PENDING.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        flag::register_usize(signal, pending.clone(), signal as usize)?;
    }
    Ok(())
}

/// Lets waits go on although a signal came: cleaning up waits too. Answers the signal.
pub fn forget_signal() -> Option<i32> {
    let signal = pending();
    if let (Some(pending), Some(signal)) = (PENDING.get(), signal) {
        pending.store(0, Ordering::Relaxed);
        LAST.store(signal as usize, Ordering::Relaxed);
    }
    signal
}

/// The signal that came last, also if it was forgotten.
pub fn last_signal() -> Option<i32> {
    let last = LAST.load(Ordering::Relaxed) as i32;
    pending().or((last != 0).then_some(last))
}

fn pending() -> Option<i32> {
    let signal = PENDING.get()?.load(Ordering::Relaxed) as i32;
    (signal != 0).then_some(signal)
}

/// Asks until the answer is yes; no after `patience`. A signal is an error.
pub fn until(patience: Duration, mut is_so: impl FnMut() -> bool) -> anyhow::Result<bool> {
    let deadline = Instant::now() + patience;
    while !is_so() {
        if let Some(signal) = pending() {
            bail!("stopped by signal {signal}");
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(PAUSE);
    }
    Ok(true)
}
