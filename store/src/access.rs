//! Who may use the management API, which requests were done, and who changed what.

pub(crate) mod audit;
pub(crate) mod idempotency;
pub(crate) mod tokens;
pub(crate) mod watch;
