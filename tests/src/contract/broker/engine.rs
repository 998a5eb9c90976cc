//! What the suite needs of an implementation.

/// An implementation: something that speaks AMQP 0-9-1.
pub trait BrokerEngine: Sized {
    /// One that other tests use as well: each has names of its own there.
    fn shared() -> impl Future<Output = Self>;

    /// One of the test's own, which it may kill.
    fn private() -> impl Future<Output = Self>;

    /// Where it is.
    fn url(&self) -> &str;

    /// Kills it, without a warning, and starts it again on what it had on disk.
    fn kill_and_start(&self) -> impl Future<Output = ()>;
}
