//! The only door to PostgreSQL: migrations, and queries by who asks them.
//!
//! [`Store`] is a pool for those who ask: the recorder, the API, commands. Its parts are [`Webhooks`],
//! [`Recorder`], [`History`], [`Catalogue`], [`Access`], [`Background`], [`Notifications`] and [`Housekeeping`].
//! [`Watch`] is for those who must know all webhooks without asking (router and dispatcher), [`AccessWatch`] for
//! the API, which must know all tokens.
//!
//! What any implementation of it must do stands in `tests/contract`.

mod access;
mod actor;
mod background;
mod catalogue;
mod columns;
mod conditions;
mod connect;
mod counts;
mod days;
mod error;
mod history;
mod housekeeping;
mod listen;
mod migrate;
mod notifications;
mod page;
mod recording;
mod store;
mod webhooks;

pub use access::{
    audit::AuditEntry,
    idempotency::Begun,
    tokens::{NewToken, TokenRecord},
    watch::{AccessUpdate, AccessWatch, TypeSchema},
};
pub use actor::Actor;
pub use background::{
    outbox::{Destination, Outgoing},
    replays::{Candidate, NewReplay, Progress, ReplayRecord},
};
pub use catalogue::{Company, EventType, EventTypeDescription, Project};
pub use error::{Cause, OverQuota, StoreError};
pub use history::{
    conflicts::{ConflictFilter, ConflictRecord},
    deliveries::{AttemptRecord, DeliveryFilter},
    events::{EventFilter, EventRecord, EventRow},
    rejected::RejectedRecord,
    statistics::{ALL_WEBHOOKS, Interval, Point, Span},
};
pub use housekeeping::{janitor::Janitor, retries::Retries};
pub use migrate::migrate;
pub use notifications::{due::DueNotification, mails::DueMail};
pub use page::{Page, Place};
pub use recording::{Disabled, Recorded, Recording};
pub use store::{
    Access, Background, Catalogue, History, Housekeeping, Notifications, Recorder, Store, Webhooks,
};
pub use webhooks::{
    quota::{Charge, Quotas, Tenant},
    record::{NewWebhook, WebhookRecord},
    versions::Version,
    watch::{Wants, Watch},
};
