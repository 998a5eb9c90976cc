//! How tasks wait and fail: growing pauses between tries, a bound on every answer, time and chance as
//! arguments, panics as errors.

mod backoff;
mod caught;
mod clock;
mod failpoint;
mod until_stopped;
mod within;

pub use backoff::Backoff;
pub use caught::{Panicked, caught};
pub use clock::{Clock, Sources};
pub use failpoint::failpoint;
pub use until_stopped::{Ended, until_stopped};
pub use within::within;
