//! Outages: servers of the test's own are stopped, killed and wiped under load.

mod broker;
mod database;
mod rights;
mod start_order;
