//! Replays: deliveries of a time that are made again.

use crate::words::words;

words! {
    /// Which deliveries a replay makes again.
    Kind, "a kind of replay":
    /// Those whose last retry failed, or whose receiver wanted no more.
    Failed = "failed",
    /// Those of events that matched while the webhook was paused or disabled.
    Missed = "missed",
    /// Those, and all that were delivered.
    All = "all",
}

words! {
    /// How far a replay is.
    State, "a replay's state":
    /// Some events were not looked at yet.
    Running = "running",
    /// All are delivered again.
    Finished = "finished",
    /// A person has ended it.
    Canceled = "canceled",
    /// It cannot go on, since its webhook gets nothing any more.
    Stopped = "stopped",
}
