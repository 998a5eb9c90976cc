//! The harness of the end-to-end tests, which see Posthorn from outside: its processes, the broker,
//! Postgres, and HTTP receivers of their own.
//!
//! An [`App`] is an installation with its own prefix and database. It runs the real binary as role
//! processes ([`Process`]) on real servers ([`Servers`]); a [`Receiver`] records what arrives and
//! answers by script, a [`Load`] publishes in the background, and a [`Ledger`] compares what was
//! confirmed with what receivers saw and what Postgres holds. Tests wait for conditions with a
//! deadline ([`eventually`]) and never sleep.

pub mod api;
pub mod app;
pub mod broker;
pub mod cable;
pub mod cleanup;
pub mod command;
pub mod contract;
mod conversation;
pub mod database;
pub mod event;
pub mod http;
pub mod ledger;
pub mod load;
pub mod mailbox;
pub mod metrics;
pub mod name_server;
pub mod process;
pub mod queues;
pub mod receiver;
pub mod records;
pub mod reply;
pub mod request;
pub mod servers;
pub mod signature;
pub mod trapped;
pub mod wait;
pub mod webhook;

pub use api::{Api, Client};
pub use app::{App, Roles};
pub use cable::Cable;
pub use event::{event, ids, reference, struct_event};
pub use ledger::{Ledger, Verdict};
pub use load::Load;
pub use mailbox::{Mail, Mailbox};
pub use name_server::NameServer;
pub use posthorn_proto::v1::{Event, event::Data};
pub use process::Process;
pub use receiver::Receiver;
pub use records::{Attempt, RejectedEvent, StoredEvent};
pub use reply::{Gate, Reply, Then, always, statuses};
pub use request::Request;
pub use servers::Servers;
pub use trapped::{Expected, Trapped};
pub use wait::{IN_FORCE, PATIENCE, eventually, eventually_is, lasts, within};
pub use webhook::Webhook;
