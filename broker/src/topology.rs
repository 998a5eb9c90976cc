//! Exchanges and queues, declared idempotently. See ARCHITECTURE.md for what each is for.

mod arguments;
mod entities;
mod installation;
mod webhooks;

pub(crate) use entities::waiting;
pub(crate) use installation::Topology;
pub(crate) use webhooks::Declare;
