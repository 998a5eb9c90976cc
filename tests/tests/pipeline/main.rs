//! The promises of the pipeline, on servers that stay up.

mod addresses;
mod bodies;
mod catalogue;
mod changes;
mod commands;
mod disabling;
mod fan_out;
mod filters;
mod hostile_receivers;
mod isolation;
mod killing;
mod listening;
mod notifications;
mod publishing;
mod recording;
mod rejections;
mod retries;
mod retry_after;
mod rotation;
mod rounds;
mod signatures;
mod starting;
mod statistics;
mod stopping;
mod tidying;
mod topology;
