#![doc = include_str!("../README.md")]

pub mod event;
pub mod event_type;
pub mod explain;
pub mod index;
pub mod pattern;
pub mod problem;
pub mod rule;
pub mod storable;

pub use event::{Event, JsonEvent, Names};
pub use problem::Problem;
