//! What people must be told: notifications, which become events, and mails.

pub(crate) mod due;
pub(crate) mod mails;
