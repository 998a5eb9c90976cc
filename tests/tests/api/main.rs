//! The promises of the management API, on real servers.

mod atomicity;
mod audit;
mod catalogue;
mod commands;
mod conventions;
mod deliveries;
mod documents;
mod events;
mod explaining;
mod fuzzing;
mod guide;
mod idempotency;
mod identity;
mod limits;
mod odd_texts;
mod publishing;
mod quotas;
mod rejected;
mod replays;
mod scopes;
mod states;
mod statistics;
mod testing;
mod tokens;
mod webhooks;
