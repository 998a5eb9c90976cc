//! What Posthorn knows and decides: events, webhooks, retries, signatures, addresses.
//!
//! Everything here is a value or a pure function, except the cell with a role's [`status`]. Time and
//! randomness are arguments; there is no runtime, no broker, no database, no clock.

pub mod address;
pub mod breaker;
pub mod delivery;
pub mod delivery_batch;
pub mod error_chain;
pub mod event;
pub mod health;
pub mod id;
pub mod journal;
pub mod keyring;
pub mod moment;
pub mod notification;
pub mod outage;
pub mod outcome;
pub mod rejected;
pub mod replay;
pub mod retry;
pub mod retry_after;
pub mod schema;
pub mod signature;
pub mod statistics;
pub mod status;
pub mod step;
pub mod tenant;
mod time;
pub mod token;
pub mod trace_context;
pub mod verdict;
pub mod webhook;
pub mod webhook_index;
pub mod words;
