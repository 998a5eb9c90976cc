//! Attempts: one signed HTTP request each, to addresses that policy allows.
//!
//! A [`Target`] is a webhook made ready, [`Receivers`] the client that all attempts share. What a
//! delivery's attempt leads to is left to the dispatcher.
//!
//! HTTP/1.1 is our own, since what receivers answer is often not quite HTTP: see
//! `docs/decisions/0012-own-http-1-client.md`.

mod answer;
mod dial;
mod failure;
mod http1;
mod http2;
mod mask;
mod pool;
mod probe;
mod progress;
mod receivers;
mod request;
mod resolver;
mod target;
mod tls;

pub use answer::Answer;
pub use dial::CannotPrepare;
pub use receivers::Receivers;
pub use request::Request;
pub use target::{Target, Unready};
pub use tls::tls;
