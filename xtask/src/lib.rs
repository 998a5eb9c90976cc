//! Posthorn on this machine: private servers and roles for tests, the demo and benchmarks.
//!
//! A folder holds all that a RabbitMQ and a PostgreSQL own: data, logs, ports, cookie. They listen on
//! 127.0.0.1 only, several folders can run at once, and the system's own services are never touched.
//! The harness of the end-to-end tests uses this crate as a library; `cargo xtask` is its command line.

use std::path::{Path, PathBuf};

pub mod background;
pub mod cargo;
pub mod http;
pub mod imports;
pub mod listener;
pub mod packages;
pub mod port;
pub mod process;
pub mod servers;
pub mod wait;

/// Tells a person at the terminal what goes on.
pub fn say(message: impl std::fmt::Display) {
    eprintln!("{message}");
}

/// The repository's folder.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the repository")
}

/// Where private servers, logs and tools are kept; git ignores it.
pub fn local() -> PathBuf {
    repository().join(".local")
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The `posthorn` binary: `POSTHORN_BIN`, or that of the last debug build.
pub fn binary() -> PathBuf {
    std::env::var_os("POSTHORN_BIN").map_or_else(|| target().join("debug/posthorn"), PathBuf::from)
}
