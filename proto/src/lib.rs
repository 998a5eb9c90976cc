//! The messages of Posthorn, generated from the `.proto` files beside this crate.

/// Package `posthorn.v1`.
pub mod v1 {
    #![allow(missing_docs, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/posthorn.v1.rs"));
}

/// The AMQP `content-type` of an event.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

/// The AMQP `type` of an event.
pub const EVENT_TYPE: &str = "posthorn.v1.Event";
