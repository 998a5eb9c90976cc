//! How loops that talk to a server wait: growing pauses between tries, and a bound on every answer.

mod backoff;
mod within;

pub use backoff::Backoff;
pub use within::within;
