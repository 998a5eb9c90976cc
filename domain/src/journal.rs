//! The journal: what happened, on its way to PostgreSQL.

mod entry;
mod wire;

pub use entry::{Attempted, Dropped, Entry, Rejected, Routed};
pub use wire::{BadBatch, decode, encode};

#[cfg(test)]
mod tests;
