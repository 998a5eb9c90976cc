//! Publishes events to Posthorn: build a [`v1::Event`] and hand it to a [`Publisher`].
//!
//! This crate is all that a Rust service needs. The publisher pipelines events, waits for RabbitMQ's
//! confirms, and connects again after a failure. [`confirm`] has the channel it uses, for programs that
//! publish other messages.

pub mod confirm;
mod connection;
mod publisher;

pub use connection::ConnectError;
pub use posthorn_proto::v1;
pub use publisher::{PublishError, Publisher};
