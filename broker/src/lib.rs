//! The only door to RabbitMQ: topology, publishing, consuming, acknowledging, reconnecting.
//!
//! It speaks Posthorn's words: what can be sent ([`Outgoing`], and entries of the [`Journal`]), what can be
//! consumed ([`Queue`]), how much waits ([`Backlog`], [`Viewer`]). Names of queues and exchanges, declares,
//! channels and tags stay inside; so does lapin.
//!
//! A [`Session`] is one epoch: two connections, one that publishes and one that consumes, and all
//! that runs on them. Any failure ends the whole session; nothing that was in flight counts as done,
//! and the role opens the next one with [`Broker::session`]. lapin's own recovery is not used: a
//! consumer whose queue is gone hangs in it for ever.

mod acks;
mod backlog;
mod broker;
mod client;
mod config;
mod consume;
mod error;
mod journal;
mod message;
mod names;
mod publish;
mod quarantine;
mod queue;
mod raw;
mod session;
mod topology;
mod viewer;

pub use backlog::Backlog;
pub use broker::Broker;
pub use client::Client;
pub use config::{Config, QueueType, Role};
pub use consume::{ConsumerPool, Receipt, Received, Source};
pub use error::BrokerError;
pub use journal::Journal;
pub use message::{DeliveryHeaders, DeliveryMessage, Message, Outgoing};
pub use publish::{Confirm, Publisher};
pub use quarantine::{Quarantine, Quarantined};
pub use queue::Queue;
pub use raw::{Raw, RawError, RawMessage};
pub use session::Session;
pub use viewer::Viewer;
