//! What people ask for and workers do: replays, and messages that were promised.

pub(crate) mod outbox;
pub(crate) mod replays;
mod resolutions;
