//! The only door to PostgreSQL: migrations, and one module of queries per concern.
//!
//! [`Store`] is a pool for those who ask (the recorder, the API, the CLI). [`Watch`] is for those
//! who must know all webhooks without asking (router and dispatcher).

mod access;
mod actor;
mod audit;
mod catalogue;
mod columns;
mod conditions;
mod conflicts;
mod connect;
mod deliveries;
mod error;
mod events;
mod idempotency;
mod janitor;
mod mails;
mod migrate;
mod notifications;
mod outbox;
mod page;
mod partitions;
mod quota;
mod recording;
mod rejected;
mod replays;
mod retries;
mod statistics;
mod tokens;
mod versions;
mod watch;
mod webhooks;

pub use access::{AccessUpdate, AccessWatch, TypeSchema};
pub use actor::Actor;
pub use audit::AuditEntry;
pub use catalogue::{Company, EventType, EventTypeDescription, Project};
pub use conflicts::{ConflictFilter, ConflictRecord};
pub use connect::Store;
pub use deliveries::{AttemptRecord, DeliveryFilter};
pub use error::{Cause, StoreError};
pub use events::{EventFilter, EventRecord, EventRow};
pub use idempotency::Begun;
pub use janitor::Janitor;
pub use mails::DueMail;
pub use migrate::migrate;
pub use notifications::DueNotification;
pub use outbox::{Destination, Outgoing};
pub use page::{Page, Place};
pub use quota::{Charge, OverQuota, Quotas, Tenant};
pub use recording::{Disabled, Recorded, Recording};
pub use rejected::RejectedRecord;
pub use replays::{Candidate, NewReplay, Progress, ReplayRecord};
pub use retries::Retries;
pub use statistics::{ALL_WEBHOOKS, Point, Span, Step};
pub use tokens::{NewToken, TokenRecord};
pub use versions::Version;
pub use watch::{Change, Update, Wants, Watch};
pub use webhooks::{NewWebhook, WebhookRecord};
