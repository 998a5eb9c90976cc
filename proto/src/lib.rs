//! The messages of Posthorn, generated from the `.proto` files beside this crate, and a publisher.
//!
//! A service that publishes events needs this crate alone: build a [`v1::Event`] and hand it to a
//! [`Publisher`]. Without the default feature `publisher` only the message types remain.

#[cfg(feature = "publisher")]
pub mod confirm;
pub mod error_chain;
#[cfg(feature = "publisher")]
mod publisher;

#[cfg(feature = "publisher")]
pub use publisher::{PublishError, Publisher};

/// Package `posthorn.v1`.
pub mod v1 {
    #![allow(missing_docs, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/posthorn.v1.rs"));
}

/// The AMQP `content-type` of an event.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

/// The AMQP `type` of an event.
pub const EVENT_TYPE: &str = "posthorn.v1.Event";
