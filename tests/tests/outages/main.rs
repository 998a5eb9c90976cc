//! Outages: servers of the test's own are stopped, killed and wiped under load, and connected to in odd
//! ways.

mod broker;
mod connections;
mod database;
mod flapping;
mod held;
mod ingestion;
mod rights;
mod start_order;
