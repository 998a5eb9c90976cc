//! Why the broker did not do what a plain client asked.

/// Why the broker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The setting is not an AMQP URL.
    #[error("POSTHORN_AMQP_URL is not an AMQP URL such as amqp://user:password@host:5672/vhost")]
    BadUrl,
    /// No connection, or it was cut.
    #[error("no connection to RabbitMQ at {address}: look whether it runs, and at POSTHORN_AMQP_URL")]
    Disconnected {
        /// Host and port.
        address: String,
        /// What happened.
        source: std::io::Error,
    },
    /// It refused, in its own words.
    #[error("RabbitMQ refuses: {0}")]
    Refused(String),
    /// No queue took a message.
    #[error("no queue takes messages for the exchange `{0}`: start a router, which declares it")]
    Unroutable(String),
    /// It sent what does not belong there.
    #[error("RabbitMQ sent what does not belong there: {0}")]
    Unexpected(&'static str),
}
