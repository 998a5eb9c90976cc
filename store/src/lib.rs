//! The only door to PostgreSQL: migrations, and one module of queries per concern.
//!
//! [`Store`] is a pool for those who ask (the recorder, the API, the CLI). [`Watch`] is for those
//! who must know all webhooks without asking (router and dispatcher).

mod catalogue;
mod connect;
mod error;
mod janitor;
mod mails;
mod migrate;
mod notifications;
mod partitions;
mod recording;
mod retries;
mod statistics;
mod watch;
mod webhooks;

pub use catalogue::{Company, EventType, EventTypeDescription, Project};
pub use connect::Store;
pub use error::StoreError;
pub use janitor::Janitor;
pub use mails::DueMail;
pub use migrate::migrate;
pub use notifications::DueNotification;
pub use recording::{Disabled, Recorded, Recording};
pub use retries::Retries;
pub use statistics::{ALL_WEBHOOKS, Point, Span, Step};
pub use watch::{Change, Update, Wants, Watch};
pub use webhooks::{NewWebhook, WebhookRecord};
