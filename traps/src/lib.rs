//! A server of traps: receivers of webhooks that misbehave, each in a way of its own.
//!
//! Every [`Trap`] listens on a port of loopback. [`Traps::start`] opens them all, with a name server
//! whose answers misbehave too; [`catalogue::all`] tells what each does and what a good client does
//! with it. Nothing is endless: each conversation ends after [`Settings::patience`] and
//! [`Settings::most_bytes`], and each trap talks to a bounded number of clients at a time.

pub mod catalogue;
mod certificates;
mod http2;
mod lookup;
mod names;
mod peer;
mod script;
mod server;
mod table;
mod tls;
mod traps;

pub use catalogue::Trap;
pub use table::table;
pub use traps::{Settings, Traps};
