//! The only door to PostgreSQL: migrations, and one module of queries per concern.
//!
//! [`Store`] is a pool for those who ask (the recorder, the API, the CLI). [`Watch`] is for those
//! who must know all webhooks without asking (router and dispatcher).

mod connect;
mod error;
mod janitor;
mod migrate;
mod partitions;
mod recording;
mod watch;
mod webhooks;

pub use connect::Store;
pub use error::StoreError;
pub use janitor::Janitor;
pub use migrate::migrate;
pub use recording::{Disabled, Recorded};
pub use watch::{Change, Update, Wants, Watch};
pub use webhooks::{NewWebhook, WebhookRecord};
