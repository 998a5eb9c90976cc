//! History as people look at it, in pages.

pub(crate) mod conflicts;
pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod rejected;
pub(crate) mod statistics;
