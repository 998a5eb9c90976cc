//! Attempts: one signed HTTP request each, to addresses that policy allows.
//!
//! A [`Target`] is a webhook made ready, [`Receivers`] the client that all attempts share. What a
//! delivery's attempt leads to is left to the dispatcher.

mod failure;
mod phases;
mod receivers;
mod resolver;
mod target;

pub use receivers::{Answer, CannotPrepare, Receivers, Request, tls};
pub use target::{Target, Unready};
