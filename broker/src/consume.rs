//! Consuming: channels, their consumers, and the acknowledgements of what they receive.

mod channel;
mod pool;
mod receipt;
mod source;

pub use pool::ConsumerPool;
pub use receipt::Receipt;
pub use source::{Received, Source};
