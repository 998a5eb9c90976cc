//! The only door to RabbitMQ: topology, publishing, consuming, acknowledging, reconnecting.
//!
//! A [`Session`] is one epoch: two connections, one that publishes and one that consumes, and all
//! that runs on them. Any failure ends the whole session; nothing that was in flight counts as done,
//! and the role opens the next one with [`Broker::session`]. lapin's own recovery is not used: a
//! consumer whose queue is gone hangs in it for ever.

mod acks;
mod backlog;
mod broker;
mod client;
mod consume;
mod error;
mod journal;
mod message;
mod names;
mod publish;
mod raw;
mod session;
mod topology;
mod viewer;

pub use backlog::Backlog;
pub use broker::{Broker, Config, QueueType, Role};
pub use client::Client;
pub use consume::{ConsumerChannel, Receipt, Received, Source};
pub use error::BrokerError;
pub use journal::Journal;
pub use message::{DeliveryHeaders, Message};
pub use names::Names;
pub use publish::{Confirm, Publisher};
pub use raw::{Raw, RawError, RawMessage};
pub use session::Session;
pub use topology::Declare;
pub use viewer::Viewer;
