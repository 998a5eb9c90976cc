//! What a person or a program can do to an installation: its use cases, whoever offers them.
//!
//! A use case is a function of the one who does it and an input, and answers a view or an [`Error`]. Here,
//! once, it is decided who may do it ([`May`]), what they see (only their companies' things; of others there
//! is nothing), whether the input is right (all that is wrong is told at once), that it is done once
//! ([`Once`]), and what the audit log says of it. Inputs and views are plain data, made by a JSON body, a form
//! or a command line alike; nothing here knows HTTP.
//!
//! [`Manage`] is what all of them share. Queries are in `store`, messages in `broker`; what goes on in the
//! background is in `replay`.

mod access;
mod actions;
pub mod audit;
mod authentication;
pub mod catalogue;
mod checks;
pub mod deliveries;
mod error;
pub mod events;
pub mod fields;
mod ids;
mod manage;
mod metrics;
mod moment;
mod once;
mod page;
mod principal;
mod rates;
pub mod rejected;
pub mod replays;
mod schema;
mod shares;
pub mod statistics;
pub mod tokens;
mod version;
pub mod webhooks;

pub use crate::metrics::{Refused, describe as describe_metrics, refused};
pub use authentication::Presented;
pub use error::{Error, Kind, Wrong};
pub use manage::{Manage, Parts, Settings, Shared};
pub use moment::Moment;
pub use once::{Done, Once};
pub use page::PageOf;
pub use principal::{Admin, May, Needs, Principal, Publish, Read, Write};
pub use rates::Rates;
pub use version::{Expected, Versioned};
