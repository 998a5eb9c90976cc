//! What each implementation of a seam must do, as tests that any implementation can be put through.

#[expect(
    clippy::unwrap_used,
    missing_docs,
    reason = "a promise that is not kept panics, and its name says what it is"
)]
pub mod broker;
