//! What must be done once in a while, by one process at a time: partitions, retention, what is left of deleted
//! webhooks.

pub(crate) mod janitor;
pub(crate) mod partitions;
pub(crate) mod retries;
