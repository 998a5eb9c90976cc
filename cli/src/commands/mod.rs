//! Commands for people.

pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod migrate;
pub(crate) mod publish;
pub(crate) mod webhook;
